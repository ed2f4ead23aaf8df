//! **The question:** how does the node's process come to its end?

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::app::config::value::Within;
use crate::base::limits::{DRAIN_SECONDS, DRAIN_SECONDS_MAX};

/// `[node]`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Lifetime {
    /// How long rooms may run on after SIGTERM before they are ended.
    pub drain_seconds: Within<0, DRAIN_SECONDS_MAX>,
}

impl Lifetime {
    /// How long rooms may run on after SIGTERM.
    #[must_use]
    pub fn drain_span(&self) -> Duration {
        Duration::from_secs(self.drain_seconds.get().into())
    }
}

impl Default for Lifetime {
    fn default() -> Self {
        Self { drain_seconds: Within(DRAIN_SECONDS) }
    }
}
