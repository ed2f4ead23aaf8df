//! **The question:** how does a large picture become a small one without ever being whole in memory? Row by row: what
//! is cut off anyway is left out, and of the rest each square of so many pixels becomes their mean, weighed by alpha.

use std::ops::Range;

use crate::base::media::{Bitmap, Size};

/// What is kept of a picture, and how much smaller.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Plan {
    columns: Range<u32>,
    rows: Range<u32>,
    /// Each side of the squares that become one pixel.
    square: u32,
}

impl Plan {
    /// For a picture of `size` that will fill `target`, or fit into it: at least as many pixels as that takes remain.
    pub(super) fn new(size: Size, target: Size, fills: bool) -> Self {
        let per_pixel = |whole: u32, part: u32| f64::from(whole) / f64::from(part.max(1));
        let (across, down) = (per_pixel(size.width, target.width), per_pixel(size.height, target.height));
        let scale = if fills { across.min(down) } else { across.max(down) };
        let square = (scale as u32).max(1);
        let kept = |whole: u32, part: u32| {
            // A square more on each side, so that the edge is what it would be.
            let wanted = (f64::from(part) * scale).ceil() as u32 + 2 * square;
            let off = if fills { whole.saturating_sub(wanted) / 2 } else { 0 };
            off..whole - off
        };
        Self { columns: kept(size.width, target.width), rows: kept(size.height, target.height), square }
    }

    fn size(&self) -> Size {
        let side = |range: &Range<u32>| (range.end - range.start).div_ceil(self.square);
        Size::new(side(&self.columns), side(&self.rows))
    }
}

/// A picture on its way, from its first row to its last.
pub(super) struct Shrinker {
    plan: Plan,
    /// The row that comes next.
    row: u32,
    /// Of each square under way: red, green and blue times alpha, alpha, and how many pixels.
    sums: Vec<[u64; 5]>,
    rgba: Vec<u8>,
}

impl Shrinker {
    pub(super) fn new(plan: Plan) -> Self {
        let size = plan.size();
        let rgba = Vec::with_capacity(size.width as usize * size.height as usize * 4);
        Self { sums: vec![[0; 5]; size.width as usize], plan, row: 0, rgba }
    }

    /// Takes in the next row, left to right, of red, green, blue and alpha.
    pub(super) fn push(&mut self, pixels: impl Iterator<Item = [u8; 4]>) {
        let row = self.row;
        self.row += 1;
        let Plan { columns, rows, square } = self.plan.clone();
        if !rows.contains(&row) {
            return;
        }
        let kept = pixels.skip(columns.start as usize).take((columns.end - columns.start) as usize);
        if square == 1 {
            return self.rgba.extend(kept.flatten());
        }
        for (n, [red, green, blue, alpha]) in kept.enumerate() {
            let sum = &mut self.sums[n / square as usize];
            let alpha = u64::from(alpha);
            for (part, channel) in sum.iter_mut().zip([red, green, blue]) {
                *part += u64::from(channel) * alpha;
            }
            sum[3] += alpha;
            sum[4] += 1;
        }
        if (row + 1 - rows.start).is_multiple_of(square) || row + 1 == rows.end {
            self.rgba.extend(self.sums.iter().flat_map(mean));
            self.sums.fill([0; 5]);
        }
    }

    /// The picture, if all rows came.
    pub(super) fn finish(self) -> Option<Bitmap> {
        let size = self.plan.size();
        let whole = self.rgba.len() == size.width as usize * size.height as usize * 4;
        whole.then(|| Bitmap::new(size, self.rgba))
    }
}

fn mean([red, green, blue, alpha, pixels]: &[u64; 5]) -> [u8; 4] {
    let rounded = |sum: u64, of: u64| (sum + of / 2).checked_div(of).unwrap_or(0) as u8;
    [rounded(*red, *alpha), rounded(*green, *alpha), rounded(*blue, *alpha), rounded(*alpha, *pixels)]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shrunk(size: Size, target: Size, fills: bool, pixel: impl Fn(u32, u32) -> [u8; 4]) -> Bitmap {
        let mut shrinker = Shrinker::new(Plan::new(size, target, fills));
        for y in 0..size.height {
            shrinker.push((0..size.width).map(|x| pixel(x, y)));
        }
        shrinker.finish().unwrap()
    }

    #[test]
    fn what_is_small_stays_as_it_is() {
        let of = |x: u32, y: u32| [x as u8, y as u8, 7, 200];
        let same = shrunk(Size::new(5, 3), Size::new(5, 3), true, of);
        assert_eq!((same.size(), &same.rgba()[..8]), (Size::new(5, 3), &[0, 0, 7, 200, 1, 0, 7, 200][..]));
        assert_eq!(shrunk(Size::new(5, 3), Size::new(50, 30), false, of).size(), Size::new(5, 3));
    }

    #[test]
    fn squares_become_their_mean_and_clear_pixels_lend_no_colour() {
        let of = |x: u32, _| if x.is_multiple_of(2) { [200, 100, 50, 255] } else { [255, 255, 255, 0] };
        let half = shrunk(Size::new(8, 8), Size::new(4, 4), false, of);
        assert_eq!((half.size(), &half.rgba()[..4]), (Size::new(4, 4), &[200, 100, 50, 128][..]));
        let plain = shrunk(Size::new(16_000, 3), Size::new(10, 10), false, |_, _| [9, 8, 7, 255]);
        assert_eq!((plain.size(), &plain.rgba()[..4]), (Size::new(10, 1), &[9, 8, 7, 255][..]));
    }

    #[test]
    fn never_is_more_held_than_four_times_the_target() {
        let target = Size::new(1280, 720);
        for size in
            [Size::new(16_000, 1_000), Size::new(1_000, 16_000), Size::new(4_000, 4_000), Size::new(2_559, 1_439)]
        {
            let kept = Plan::new(size, target, true).size();
            let most = 4 * target.width as usize * target.height as usize;
            assert!(kept.width as usize * kept.height as usize <= most * 11 / 10, "{size:?} to {kept:?}");
            let scale = (size.width as f32 / 1280.0).min(size.height as f32 / 720.0);
            if scale >= 1.0 {
                assert!(kept.width >= target.width && kept.height >= target.height, "{size:?} to {kept:?}");
            }
        }
    }

    #[test]
    fn a_picture_without_its_last_rows_is_none() {
        let mut shrinker = Shrinker::new(Plan::new(Size::new(4, 4), Size::new(2, 2), false));
        (0..3).for_each(|_| shrinker.push([[0; 4]; 4].into_iter()));
        assert!(shrinker.finish().is_none());
    }
}
