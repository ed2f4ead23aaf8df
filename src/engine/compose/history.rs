//! **The question:** what must be copied so that an older picture of a canvas becomes the newest one? Only the blocks
//! that changed in between; a tick that changed nothing costs nothing.

use std::collections::VecDeque;

use crate::base::media::{DAMAGE_BLOCK, Damage, Size};

/// Changes remembered; a buffer that rested longer is copied whole.
const REMEMBERED: usize = 8;

/// The last changes of one canvas. Its states are numbered from 1; 0 is a picture of which nothing is known.
#[derive(Debug)]
pub(super) struct History {
    size: Size,
    state: u64,
    changes: VecDeque<Damage>,
}

impl History {
    /// The canvas is new: its first state is whatever it shows now.
    pub(super) fn new(size: Size) -> Self {
        Self { size, state: 1, changes: VecDeque::with_capacity(REMEMBERED) }
    }

    /// The history of a canvas that takes this one's place: frames of this one are pictures of which nothing is known.
    #[cfg(feature = "gpu")]
    pub(super) fn followed(&self) -> Self {
        Self { size: self.size, state: self.state + 1, changes: VecDeque::with_capacity(REMEMBERED) }
    }

    /// The newest state's number.
    pub(super) fn state(&self) -> u64 {
        self.state
    }

    /// The canvas changed where `damage` says; without damage it is the same state still.
    pub(super) fn note(&mut self, damage: &Damage) {
        if damage.is_none() {
            return;
        }
        self.state += 1;
        let mut change = if self.changes.len() == REMEMBERED { self.changes.pop_front() } else { None }
            .unwrap_or_else(|| Damage::none(self.size));
        change.clone_from(damage);
        self.changes.push_back(change);
    }

    /// Makes `samples`, which show `state`, show what `canvas` shows; `stale` is overwritten with what was copied.
    pub(super) fn bring_up(&self, samples: &mut Vec<u8>, state: u64, canvas: &[u8], stale: &mut Damage) {
        let behind = usize::try_from(self.state - state.min(self.state)).unwrap_or(usize::MAX);
        if state == 0 || behind > self.changes.len() || samples.len() != canvas.len() {
            samples.clear();
            samples.extend_from_slice(canvas);
            return;
        }
        let mut changes = self.changes.iter().rev().take(behind);
        let Some(newest) = changes.next() else { return };
        stale.clone_from(newest);
        changes.for_each(|change| stale.add(change));
        self.copy_blocks(samples, canvas, stale);
    }

    fn copy_blocks(&self, samples: &mut [u8], canvas: &[u8], stale: &mut Damage) {
        let (columns, rows) = stale.extent();
        for row in 0..rows {
            let mut column = 0;
            while column < columns {
                let first = column;
                while column < columns && stale.is_marked(column, row) {
                    column += 1;
                }
                if column > first {
                    self.copy_run(samples, canvas, row, first..column);
                }
                column += 1;
            }
        }
    }

    /// Copies some blocks of one row of blocks, in all planes.
    fn copy_run(&self, samples: &mut [u8], canvas: &[u8], row: u32, columns: std::ops::Range<u32>) {
        let luma = (self.size.width * self.size.height) as usize;
        for (start, step) in [(0, 1), (luma, 2), (luma + luma / 4, 2)] {
            let (width, height) = (self.size.width / step, self.size.height / step);
            let block = DAMAGE_BLOCK / step;
            let (left, right) = (columns.start * block, (columns.end * block).min(width));
            for y in row * block..((row + 1) * block).min(height) {
                let at = start + (y * width + left) as usize;
                let end = at + (right - left) as usize;
                samples[at..end].copy_from_slice(&canvas[at..end]);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SIZE: Size = Size::new(70, 38);

    proptest! {
        #[test]
        fn any_older_picture_is_brought_up(
            rects in prop::collection::vec((0_u32..70, 0_u32..38, 0_u32..30, 0_u32..30), 1..14), back in 0_usize..14,
        ) {
            let length = (SIZE.width * SIZE.height * 3 / 2) as usize;
            let mut canvas = vec![0_u8; length];
            let mut history = History::new(SIZE);
            let mut states = vec![(history.state(), canvas.clone())];
            for (number, (x, y, width, height)) in rects.into_iter().enumerate() {
                let mut damage = Damage::none(SIZE);
                damage.mark(x, y, width, height);
                let luma = (SIZE.width * SIZE.height) as usize;
                for (at, sample) in canvas.iter_mut().enumerate() {
                    let (px, py) = match at {
                        at if at < luma => (at % 70, at / 70),
                        at => ((at - luma) % 35 * 2, (at - luma) / 35 % 19 * 2),
                    };
                    if damage.is_marked(px as u32 / 16, py as u32 / 16) {
                        *sample = number as u8 + 1;
                    }
                }
                history.note(&damage);
                states.push((history.state(), canvas.clone()));
            }
            let (state, mut samples) = states[states.len().saturating_sub(1 + back)].clone();
            let mut stale = Damage::none(SIZE);
            history.bring_up(&mut samples, state, &canvas, &mut stale);
            prop_assert_eq!(&samples, &canvas);
            let mut unknown = vec![9; 3];
            history.bring_up(&mut unknown, 0, &canvas, &mut stale);
            prop_assert_eq!(&unknown, &canvas);
        }
    }
}
