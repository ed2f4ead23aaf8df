//! **The question:** where may rooms be sent on to?

use serde::{Deserialize, Serialize};

/// `[push]`
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Push {
    /// Whether pushes may go to this machine and to networks behind it, and over plain HTTP.
    pub allow_private: bool,
}
