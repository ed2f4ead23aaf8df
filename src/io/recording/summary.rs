//! **The question:** what became of a recording?

use std::path::PathBuf;
use std::time::Duration;

use crate::core::record::{Gap, Manifest};
use crate::core::retention::RecordingName;

/// A recording that was closed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordingSummary {
    /// What the archive knows it by, if it was sealed; one that ran long has earlier parts of their own.
    pub sealed: Option<RecordingName>,
    /// The first file in the clear; `None` if nothing could be or was to be written.
    pub path: Option<PathBuf>,
    /// The manifest beside it.
    pub manifest: Option<PathBuf>,
    /// From the first picture to the end.
    pub duration: Duration,
    /// Of all files.
    pub bytes: u64,
    /// What it lacks.
    pub gaps: Vec<Gap>,
    /// The last trouble that disk, store or keepers made, as text for the log.
    pub trouble: Option<String>,
}

impl RecordingSummary {
    /// What a manifest says; no place, no trouble.
    pub(super) fn of(manifest: &Manifest) -> Self {
        Self {
            sealed: None,
            path: None,
            manifest: None,
            duration: Duration::from_millis(manifest.duration_ms),
            bytes: manifest.bytes,
            gaps: manifest.gaps.clone(),
            trouble: None,
        }
    }
}
