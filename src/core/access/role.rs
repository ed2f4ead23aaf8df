//! **The question:** what is somebody in a room, as their token says?

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// What a token makes of who shows it; the table says what each may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// They watch.
    Viewer,
    /// They take part.
    Speaker,
    /// They take part, and see to the call.
    Host,
    /// A service that records, and fetches recordings.
    Recorder,
    /// A service that writes down what is said.
    Captioner,
    /// Whoever runs the node.
    Admin,
}

/// A word that is no role.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a role is viewer, speaker, host, recorder, captioner or admin")]
pub struct NoRole;

impl Role {
    /// Every role.
    pub(super) const ALL: [Self; 6] =
        [Self::Viewer, Self::Speaker, Self::Host, Self::Recorder, Self::Captioner, Self::Admin];

    /// As tokens say it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Speaker => "speaker",
            Self::Host => "host",
            Self::Recorder => "recorder",
            Self::Captioner => "captioner",
            Self::Admin => "admin",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Role {
    type Err = NoRole;

    fn from_str(text: &str) -> Result<Self, NoRole> {
        Self::ALL.into_iter().find(|role| role.name() == text).ok_or(NoRole)
    }
}
