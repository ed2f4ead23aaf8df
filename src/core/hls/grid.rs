//! **The question:** where does a part begin and end? On lines of the room's clock, the same for every rung: a late
//! picture moves no line, so parts and segments of all rungs carry the same numbers and last equally long.

use std::time::Duration;

use crate::base::limits;
use crate::base::media::Pts;

/// Parts in a whole segment.
pub const PARTS_PER_SEGMENT: u64 = (limits::HLS_SEGMENT_SPAN.as_nanos() / limits::HLS_PART_SPAN.as_nanos()) as u64;

/// Nanoseconds of a part.
const PART: u64 = limits::HLS_PART_SPAN.as_nanos() as u64;

/// A part as players name it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct PartId {
    /// Media sequence number of its segment.
    pub msn: u64,
    /// Which part of it, from 0.
    pub part: u64,
}

/// A part's place on the grid, counted from the room's epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Cell(pub u64);

impl Cell {
    /// The one in which `pts` lies.
    pub(super) const fn of(pts: Pts) -> Self {
        Self(pts.0 / PART)
    }

    pub(super) const fn next(self) -> Self {
        Self(self.0 + 1)
    }

    pub(super) const fn start(self) -> Pts {
        Pts(self.0 * PART)
    }

    pub(super) const fn end(self) -> Pts {
        self.next().start()
    }

    /// The segment that it is of: its media sequence number.
    pub(super) const fn msn(self) -> u64 {
        self.0 / PARTS_PER_SEGMENT
    }

    /// Whether a segment ends with it.
    pub(super) const fn is_last(self) -> bool {
        self.next().0.is_multiple_of(PARTS_PER_SEGMENT)
    }
}

/// Seconds with five digits, as playlists say them; cut off, so that no part is longer than its target.
pub(super) fn seconds(span: Duration) -> String {
    format!("{}.{:05}", span.as_secs(), span.subsec_nanos() / 10_000)
}
