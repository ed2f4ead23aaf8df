//! **The question:** which operations touch which blocks? Each block becomes one workgroup, which draws all that
//! touches it in order: operations that overlap need no barrier between them, and blocks that nothing touches cost
//! nothing.

use crate::base::media::{DAMAGE_BLOCK, Size};
use crate::core::scene::Rect;

/// Words that describe one block to `place.wgsl`: column and row, its first reference, how many.
pub(super) const BLOCK_WORDS: usize = 3;

/// Sorts operations into blocks; keeps its memory between ticks.
#[derive(Debug, Default)]
pub(super) struct Blocks {
    /// References into the list of operations, block after block, each block's in the order of the list.
    references: Vec<u32>,
    /// `BLOCK_WORDS` for each block that something touches.
    words: Vec<u32>,
    /// For each block of the canvas: how many operations touch it, then where its next reference goes.
    cursors: Vec<u32>,
}

impl Blocks {
    /// Sorts operations that cover `rects` (luma pixels, inside `canvas`).
    pub(super) fn sort(&mut self, canvas: Size, rects: &[Rect]) {
        let columns = canvas.width.div_ceil(DAMAGE_BLOCK);
        let rows = canvas.height.div_ceil(DAMAGE_BLOCK);
        self.cursors.clear();
        self.cursors.resize((columns * rows) as usize, 0);
        for rect in rects {
            touched(rect, columns, |block| self.cursors[block] += 1);
        }
        self.words.clear();
        let mut next = 0;
        for (block, cursor) in (0_u32..).zip(&mut self.cursors) {
            let count = std::mem::replace(cursor, next);
            if count > 0 {
                self.words.extend([(block % columns) | ((block / columns) << 16), next, count]);
                next += count;
            }
        }
        self.references.clear();
        self.references.resize(next as usize, 0);
        for (index, rect) in (0_u32..).zip(rects) {
            touched(rect, columns, |block| {
                self.references[self.cursors[block] as usize] = index;
                self.cursors[block] += 1;
            });
        }
    }

    /// How many blocks something touches: workgroups to dispatch.
    pub(super) fn len(&self) -> u32 {
        u32::try_from(self.words.len() / BLOCK_WORDS).expect("a canvas has fewer blocks than pixels")
    }

    pub(super) fn words(&self) -> &[u32] {
        &self.words
    }

    pub(super) fn references(&self) -> &[u32] {
        &self.references
    }
}

fn touched(rect: &Rect, columns: u32, mut with: impl FnMut(usize)) {
    if rect.width == 0 || rect.height == 0 {
        return;
    }
    for row in rect.y / DAMAGE_BLOCK..rect.bottom().div_ceil(DAMAGE_BLOCK) {
        for column in rect.x / DAMAGE_BLOCK..rect.right().div_ceil(DAMAGE_BLOCK) {
            with((row * columns + column) as usize);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn every_block_lists_what_touches_it_in_order(
            corners in prop::collection::vec((0_u32..100, 0_u32..60, 0_u32..100, 0_u32..60), 0..20),
        ) {
            let canvas = Size::new(200, 120);
            let rect = |(x, y, width, height)| Rect { x, y, width, height };
            let rects: Vec<Rect> = corners.into_iter().map(rect).collect();
            let mut blocks = Blocks::default();
            // Memory of another tick must not show.
            blocks.sort(canvas, &[rect((0, 0, 200, 120))]);
            blocks.sort(canvas, &rects);
            let mut listed = 0;
            for row in 0..8 {
                for column in 0..13 {
                    let block = Rect { x: column * 16, y: row * 16, width: 16, height: 16 };
                    let expected: Vec<u32> = (0..).zip(&rects)
                        .filter(|(_, r)| r.width > 0 && r.height > 0 && r.overlaps(&block)).map(|(n, _)| n).collect();
                    let words = blocks.words().chunks(BLOCK_WORDS).find(|w| w[0] == column | row << 16);
                    let got = words.map_or(&[][..], |w| &blocks.references()[w[1] as usize..(w[1] + w[2]) as usize]);
                    prop_assert_eq!(got, &expected[..]);
                    listed += u32::from(!expected.is_empty());
                }
            }
            prop_assert_eq!(blocks.len(), listed);
        }
    }
}
