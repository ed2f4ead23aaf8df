//! **The question:** which blocks of a canvas changed since the last tick?

use crate::base::media::Size;

/// Side of a block in luma pixels: what libaom's active map counts in.
pub const DAMAGE_BLOCK: u32 = 16;

/// One bit for each 16×16 block of a canvas, row by row; blocks at the right and lower edge may be cut.
#[derive(Debug, PartialEq, Eq)]
pub struct Damage {
    columns: u32,
    rows: u32,
    words: Vec<u64>,
}

impl Clone for Damage {
    fn clone(&self) -> Self {
        Self { columns: self.columns, rows: self.rows, words: self.words.clone() }
    }

    /// Keeps its memory: frames carry their damage at every tick.
    fn clone_from(&mut self, source: &Self) {
        (self.columns, self.rows) = (source.columns, source.rows);
        self.words.clone_from(&source.words);
    }
}

impl Damage {
    /// Nothing of a canvas of `size` changed.
    #[must_use]
    pub fn none(size: Size) -> Self {
        let (columns, rows) = (size.width.div_ceil(DAMAGE_BLOCK), size.height.div_ceil(DAMAGE_BLOCK));
        Self { columns, rows, words: vec![0; (columns * rows).div_ceil(64) as usize] }
    }

    /// All of it did.
    #[must_use]
    pub fn full(size: Size) -> Self {
        let mut damage = Self::none(size);
        damage.mark(0, 0, size.width, size.height);
        damage
    }

    /// Blocks in a row, and rows of blocks.
    #[must_use]
    pub fn extent(&self) -> (u32, u32) {
        (self.columns, self.rows)
    }

    /// Marks every block that a rectangle of luma pixels touches; what lies outside the canvas is ignored.
    pub fn mark(&mut self, x: u32, y: u32, width: u32, height: u32) {
        let end = |from: u32, extent: u32, most: u32| from.saturating_add(extent).div_ceil(DAMAGE_BLOCK).min(most);
        for row in y / DAMAGE_BLOCK..end(y, height, self.rows) {
            for column in x / DAMAGE_BLOCK..end(x, width, self.columns) {
                let bit = row * self.columns + column;
                self.words[(bit / 64) as usize] |= 1 << (bit % 64);
            }
        }
    }

    /// Whether a block changed. Blocks outside the canvas did not.
    #[must_use]
    pub fn is_marked(&self, column: u32, row: u32) -> bool {
        let bit = row * self.columns + column;
        column < self.columns && row < self.rows && self.words[(bit / 64) as usize] & (1 << (bit % 64)) != 0
    }

    /// Adds what `other`, of the same canvas, marks.
    pub fn add(&mut self, other: &Self) {
        assert_eq!(self.extent(), other.extent(), "both speak of one canvas");
        for (word, more) in self.words.iter_mut().zip(&other.words) {
            *word |= more;
        }
    }

    /// Unmarks all.
    pub fn clear(&mut self) {
        self.words.fill(0);
    }

    /// How many blocks changed.
    #[must_use]
    pub fn count(&self) -> u32 {
        self.words.iter().map(|word| word.count_ones()).sum()
    }

    /// Whether nothing changed.
    #[must_use]
    pub fn is_none(&self) -> bool {
        self.words.iter().all(|&word| word == 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rectangle_marks_the_blocks_it_touches() {
        let size = Size::new(100, 50);
        let mut damage = Damage::none(size);
        assert_eq!((damage.extent(), damage.is_none()), ((7, 4), true));
        damage.mark(15, 16, 2, 16);
        let marked: Vec<_> =
            (0..4).flat_map(|y| (0..7).map(move |x| (x, y))).filter(|&(x, y)| damage.is_marked(x, y)).collect();
        assert_eq!(marked, [(0, 1), (1, 1)]);
        damage.mark(96, 40, 1000, u32::MAX);
        assert_eq!(damage.count(), 4);
        assert!(!damage.is_marked(7, 0) && !damage.is_marked(0, 4));
        let mut all = Damage::full(size);
        assert_eq!(all.count(), 28);
        all.clear();
        all.add(&damage);
        assert_eq!(all, damage);
    }
}
