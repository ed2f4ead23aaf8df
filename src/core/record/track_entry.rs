//! **The question:** what does the manifest say of one file of a single track?

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::base::limits;
use crate::base::media::TrackKind;
use crate::core::record::gap::{Gap, GapReason, GapTrack, millis};

/// One file of a single track. Times are milliseconds since the recording's zero.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TrackEntry {
    /// The file's name, below the recording's.
    pub file: String,
    /// Whose: counted as in the chapters, from 1; no name.
    pub person: u32,
    /// What it carries.
    pub kind: TrackKind,
    /// Where it begins on the recording's timeline, and its own decode times with it.
    pub from_ms: u64,
    /// How long it plays from there.
    pub duration_ms: u64,
    /// Its length.
    pub bytes: u64,
    /// Columns and rows of its picture; 0 for sound.
    pub width: u32,
    /// Rows.
    pub height: u32,
    /// What it lacks, in the order it was noticed.
    pub gaps: Vec<Gap>,
    /// How many more gaps there are than listed.
    #[serde(default)]
    pub gaps_unlisted: u64,
}

impl TrackEntry {
    /// A fragment of `len` bytes could not be stored.
    pub fn lacks(&mut self, (from, to): (Duration, Duration), len: usize, reason: GapReason) {
        let track = if self.kind.is_video() { GapTrack::Video } else { GapTrack::Sound };
        note_gap(self, Gap { from_ms: millis(from), to_ms: millis(to), track, reason });
        self.bytes = self.bytes.saturating_sub(len as u64);
    }
}

/// Adds what a single track's file lacks; what continues the gap before is one with it.
pub(super) fn note_gap(entry: &mut TrackEntry, gap: Gap) {
    if gap.to_ms <= gap.from_ms {
        return;
    }
    if let Some(last) = entry.gaps.last_mut()
        && last.reason == gap.reason
        && last.to_ms >= gap.from_ms
    {
        last.to_ms = last.to_ms.max(gap.to_ms);
    } else if entry.gaps.len() < limits::TRACK_GAPS_MAX {
        entry.gaps.push(gap);
    } else {
        entry.gaps_unlisted += 1;
    }
}
