//! **The question:** which blocks of this frame are worth coding? Those that changed, and those that are still being
//! refined.
//!
//! A pure state machine over 16×16 blocks, the unit of [`Damage`] and of libaom's active map alike.

use crate::base::media::{Damage, Size};

/// Ticks for which a block stays active after its last change: real-time rate control codes a change coarsely at first
/// and needs a few more frames to bring it to the quality of its surroundings.
pub(super) const REFINE_TICKS: u8 = 8;

/// Set while a block rests for a tick after it changed: what changes at every second tick, as tiles of a crowded grid
/// do, is not refined in between, only to change again.
const RESTS: u8 = 0x80;

/// The activity of each block of one rung.
#[derive(Debug)]
pub(super) struct Activity {
    extent: (u32, u32),
    /// Ticks that each block stays active, row by row.
    left: Vec<u8>,
    /// 1 for an active block, 0 for one that is taken over from the last frame, row by row.
    map: Vec<u8>,
}

impl Activity {
    /// A canvas of which nothing has been coded yet.
    pub(super) fn new(size: Size) -> Self {
        let extent = Damage::none(size).extent();
        let blocks = (extent.0 * extent.1) as usize;
        Self { extent, left: vec![REFINE_TICKS; blocks], map: vec![1; blocks] }
    }

    /// Columns and rows of the map.
    pub(super) fn extent(&self) -> (u32, u32) {
        self.extent
    }

    /// The map for the next frame. A keyframe codes every block anew, and all of them need refining afterwards.
    pub(super) fn next(&mut self, damage: &Damage, keyframe: bool) -> &mut [u8] {
        assert_eq!(damage.extent(), self.extent, "the damage is this canvas's");
        let blocks = (0..self.extent.1).flat_map(|row| (0..self.extent.0).map(move |column| (column, row)));
        for ((left, active), (column, row)) in self.left.iter_mut().zip(&mut self.map).zip(blocks) {
            if keyframe || damage.is_marked(column, row) {
                *active = 1;
                // After a keyframe everything is refined at once: at rest, the next frame would have nothing to code.
                *left = (REFINE_TICKS - 1) | if keyframe { 0 } else { RESTS };
            } else {
                *active = u8::from(*left & RESTS == 0 && *left > 0);
                *left = if *left & RESTS == 0 { left.saturating_sub(1) } else { *left & !RESTS };
            }
        }
        // libaom forgets a map in which nothing is active, and codes the whole frame.
        if !self.map.contains(&1) {
            self.map[0] = 1;
        }
        &mut self.map
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIZE: Size = Size::new(64, 32);

    #[test]
    fn a_block_is_active_until_it_is_refined() {
        let mut activity = Activity::new(SIZE);
        let none = Damage::none(SIZE);
        for _ in 0..REFINE_TICKS {
            assert_eq!(activity.next(&none, false), [1; 8]);
        }
        let quiet = [1, 0, 0, 0, 0, 0, 0, 0];
        assert_eq!(activity.next(&none, false), quiet, "one block is always active");
        let mut one = Damage::none(SIZE);
        one.mark(20, 20, 1, 1);
        let marked = [0, 0, 0, 0, 0, 1, 0, 0];
        assert_eq!(activity.next(&one, false), marked);
        assert_eq!(activity.next(&none, false), quiet, "it rests for a tick");
        for _ in 1..REFINE_TICKS {
            assert_eq!(activity.next(&none, false), marked);
        }
        assert_eq!(activity.next(&none, false), quiet);
        assert_eq!(activity.next(&none, true), [1; 8], "a keyframe codes all");
        assert_eq!(activity.next(&none, false), [1; 8], "and all is refined after it");
    }

    #[test]
    fn what_changes_at_every_second_tick_is_not_refined_in_between() {
        let mut activity = Activity::new(SIZE);
        let (none, all) = (Damage::none(SIZE), Damage::full(SIZE));
        for _ in 0..20 {
            assert_eq!(activity.next(&all, false), [1; 8]);
            assert_eq!(activity.next(&none, false).iter().sum::<u8>(), 1);
        }
    }
}
