//! **The question:** when is a request answered that asks for what is not there yet? As soon as it is there, if that is
//! near; not at all, if nobody could have been told of it (RFC 8216bis, section 6.2.5.2).

use std::time::Duration;

use crate::base::limits;
use crate::core::hls::grid::PartId;
use crate::core::hls::window::Window;

/// Segments beyond the last one that may be asked for.
const SEGMENTS_AHEAD: u64 = 2;
/// Parts beyond the last one that may be asked for: three seconds of them, as parts are shorter than one.
const PARTS_AHEAD: u64 = Duration::from_secs(3).as_millis().div_ceil(limits::HLS_PART_SPAN.as_millis()) as u64;

/// What a player says that it wants to see in the playlist: `_HLS_msn` and `_HLS_part`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Wanted {
    /// This segment, whole, unless a part is named.
    pub msn: Option<u64>,
    /// This part of it.
    pub part: Option<u64>,
}

/// What becomes of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reload {
    /// It is answered.
    Now,
    /// It is looked at again with the next part.
    Later,
    /// It is refused: it asks for a part of no segment.
    NoSegment,
    /// It is refused: it asks for what is too far off.
    TooFar,
}

impl Wanted {
    /// What becomes of a request for a playlist that has all of this; one to which nothing is added any more is sent as
    /// it is.
    #[must_use]
    pub fn judge(self, window: &Window) -> Reload {
        if window.is_over() {
            return Reload::Now;
        }
        let (Some(msn), Some(last)) = (self.msn, window.last()) else {
            return match (self.msn, self.part) {
                (None, Some(_)) => Reload::NoSegment,
                // Players that know no parts have nothing of a list without a whole segment.
                (None, None) if window.listed().any(|segment| segment.is_whole) => Reload::Now,
                // Nothing is there that could be too far.
                _ => Reload::Later,
            };
        };
        let too_many = self.part.is_some_and(|part| msn == last.msn && part > last.part + PARTS_AHEAD);
        if msn > last.msn + SEGMENTS_AHEAD || too_many {
            return Reload::TooFar;
        }
        // A part beyond its segment's last one is the next segment's first.
        let is_there = match self.part {
            Some(part) => last >= PartId { msn, part },
            None => window.next().is_some_and(|next| next.msn > msn),
        };
        if is_there { Reload::Now } else { Reload::Later }
    }
}

impl Window {
    /// What becomes of a request for a part; `TooFar` also for what is not kept any more.
    #[must_use]
    pub fn judge(&self, id: PartId) -> Reload {
        if self.part(id).is_some() {
            return Reload::Now;
        }
        // Only of the next one anybody was told.
        if self.next() == Some(id) { Reload::Later } else { Reload::TooFar }
    }
}
