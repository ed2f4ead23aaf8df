//! **The question:** where does each seat of a grid lie?

use crate::base::media::Size;
use crate::core::scene::rect::{Rect, even};

/// An even grid of 16:9 cells, its block centred in its area.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Grid {
    /// Cells in a full row.
    pub columns: u32,
    /// Rows.
    pub rows: u32,
    /// Extent of every cell, even both ways.
    pub cell: Size,
    /// Space between cells, even.
    gap: u32,
    area: Rect,
}

impl Grid {
    /// How many seats it has.
    #[must_use]
    pub fn capacity(&self) -> usize {
        (self.columns * self.rows) as usize
    }

    /// Where seat `index` (row by row) lies when the highest taken seat is `seats - 1`; the rows taken stand in the
    /// middle, the last one's cells too.
    #[must_use]
    pub fn rect(&self, index: usize, seats: usize) -> Rect {
        debug_assert!(index < seats && seats <= self.capacity(), "seat {index} of {seats} in {self:?}");
        let columns = self.columns as usize;
        let rows = to_u32(seats.div_ceil(columns));
        let (row, column) = (index / columns, index % columns);
        let in_row = if row == (seats - 1) / columns { seats - row * columns } else { columns };
        let (row, column, in_row) = (to_u32(row), to_u32(column), to_u32(in_row));
        let row_width = in_row * self.cell.width + (in_row - 1) * self.gap;
        let block_height = rows * self.cell.height + (rows - 1) * self.gap;
        Rect {
            x: self.area.x + even((self.area.width - row_width) / 2) + column * (self.cell.width + self.gap),
            y: self.area.y + even((self.area.height - block_height) / 2) + row * (self.cell.height + self.gap),
            width: self.cell.width,
            height: self.cell.height,
        }
    }
}

/// The grid with the largest cells for `people` on `canvas`; among equals the one with the fewest empty cells.
///
/// `canvas` is even and at least 64×64 for 100 people; `people` is at least 1.
#[must_use]
pub fn grid_for(canvas: Size, people: usize) -> Grid {
    grid_in(Rect { x: 0, y: 0, width: canvas.width, height: canvas.height }, people)
}

/// As [`grid_for`], inside `area`, which is even.
pub(super) fn grid_in(area: Rect, people: usize) -> Grid {
    assert!(people > 0, "a grid seats someone");
    let people = to_u32(people);
    (1..=people)
        .map(|columns| grid(area, columns, people.div_ceil(columns)))
        .max_by_key(|grid| {
            let area = u64::from(grid.cell.width) * u64::from(grid.cell.height);
            // `max_by_key` keeps the last of equals: prefer fewer cells, then fewer columns.
            (area, std::cmp::Reverse(grid.columns * grid.rows), std::cmp::Reverse(grid.columns))
        })
        .expect("at least one column was tried")
}

fn grid(area: Rect, columns: u32, rows: u32) -> Grid {
    // Wide gaps for few tiles, 2 pixels for a hundred: what is left belongs to the pictures. A single tile fills the
    // canvas.
    let gap = if columns * rows == 1 { 0 } else { even(area.height / rows / 30).clamp(2, 8) };
    let margin = even(gap / 2);
    let space = |extent: u32, count: u32| extent.saturating_sub(2 * margin + (count - 1) * gap) / count;
    let widest = space(area.width, columns);
    let highest = space(area.height, rows);
    let width = even(widest.min(highest * 16 / 9 + 1)).max(2);
    // The nearest even height to 9/16 of the width that still fits.
    let height = even((width * 9 + 16) / 16).min(even(highest)).max(2);
    Grid { columns, rows, cell: Size::new(width, height), gap, area }
}

fn to_u32(value: usize) -> u32 {
    u32::try_from(value).expect("seats are bounded by limits::PARTICIPANTS_MAX")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const HD: Size = Size::new(1280, 720);

    #[test]
    fn known_grids_at_720p() {
        let shape = |people| {
            let grid = grid_for(HD, people);
            (grid.columns, grid.rows)
        };
        assert_eq!(shape(1), (1, 1));
        assert_eq!(shape(2), (2, 1));
        assert_eq!(shape(3), (2, 2));
        assert_eq!(shape(5), (3, 2));
        assert_eq!(shape(9), (3, 3));
        assert_eq!(shape(16), (4, 4));
        assert_eq!(shape(25), (5, 5));
        assert_eq!(shape(100), (10, 10));
        assert_eq!(grid_for(HD, 1).rect(0, 1), Rect { x: 0, y: 0, width: 1280, height: 720 });
        assert_eq!(grid_for(HD, 100).cell, Size::new(124, 70));
    }

    proptest! {
        #[test]
        fn cells_are_even_disjoint_inside_and_16_to_9(
            people in 1_usize..=100, half_width in 160_u32..1000, half_height in 90_u32..1000,
        ) {
            let canvas = Size::new(half_width * 2, half_height * 2);
            let grid = grid_for(canvas, people);
            prop_assert!(grid.capacity() >= people);
            prop_assert!(people > ((grid.rows - 1) * grid.columns) as usize, "no empty row");
            for seats in people..=grid.capacity() {
                let rects: Vec<Rect> = (0..seats).map(|index| grid.rect(index, seats)).collect();
                for (index, rect) in rects.iter().enumerate() {
                    prop_assert!([rect.x, rect.y, rect.width, rect.height].iter().all(|v| v % 2 == 0));
                    prop_assert!(rect.right() <= canvas.width && rect.bottom() <= canvas.height);
                    prop_assert!((i64::from(rect.width) * 9 - i64::from(rect.height) * 16).abs() <= 16 * 2 + 9 * 2);
                    prop_assert!(rects[..index].iter().all(|other| !other.overlaps(rect)));
                }
            }
        }
    }
}
