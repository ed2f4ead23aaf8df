//! **The question:** how many watch? A player at low latency asks once for each part, any other one about once for each
//! segment: so requests are counted and nobody who sends them is known. Behind a cache only the cache is counted.

use std::time::Duration;

use crate::base::limits;

/// Parts in the time over which is counted, and one that still fills.
const CELLS: usize = (limits::HLS_COUNT_SPAN.as_nanos() / limits::HLS_PART_SPAN.as_nanos()) as usize + 1;

/// Requests of the last seconds for one room's playlists.
#[derive(Debug, Default)]
pub(super) struct Audience {
    cells: [Cell; CELLS],
}

#[derive(Debug, Default, Clone, Copy)]
struct Cell {
    number: u64,
    /// Requests that named the part they wait for.
    following: u64,
    /// Others.
    plain: u64,
}

impl Audience {
    /// A request for a playlist, so long after the room began.
    pub(super) fn note(&mut self, at: Duration, follows: bool) {
        let number = number(at);
        let cell = &mut self.cells[(number % CELLS as u64) as usize];
        if cell.number != number {
            *cell = Cell { number, ..Cell::default() };
        }
        cell.following += u64::from(follows);
        cell.plain += u64::from(!follows);
    }

    /// How many watch then.
    pub(super) fn count(&self, at: Duration) -> u64 {
        let now = number(at);
        let counted = (CELLS - 1) as u64;
        let past = self.cells.iter().filter(|cell| cell.number < now && cell.number + counted >= now);
        let (following, plain) = past.fold((0, 0), |sum, cell| (sum.0 + cell.following, sum.1 + cell.plain));
        // A part more or less falls into the time.
        (following + counted / 2) / counted + plain
    }
}

/// Counted from 1, so that no cell is taken for one in which something was noted.
fn number(at: Duration) -> u64 {
    u64::try_from(at.as_nanos() / limits::HLS_PART_SPAN.as_nanos()).unwrap_or(u64::MAX - 1) + 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn followers_are_counted_by_their_parts_and_others_by_their_segments() {
        let (mut audience, part) = (Audience::default(), limits::HLS_PART_SPAN);
        assert_eq!(audience.count(Duration::ZERO), 0);
        for n in 0..100 {
            for viewer in 0..7 {
                audience.note(part * n + Duration::from_millis(viewer * 50), true);
            }
            for _ in 0..3 * u32::from(n % 10 == 4) {
                audience.note(part * n, false);
            }
        }
        assert_eq!(audience.count(part * 100), 10);
        assert_eq!(audience.count(part * 200), 0, "they are gone");
    }

    #[test]
    fn who_only_looks_once_is_no_longer_counted_after_some_seconds() {
        let mut audience = Audience::default();
        audience.note(Duration::from_secs(1), false);
        assert_eq!(audience.count(Duration::from_secs(3)), 1);
        assert_eq!(audience.count(Duration::from_secs(6)), 0);
    }
}
