//! **The question:** how is a stored picture to be seen? Cut, mirrored, turned and stretched as its file says, so that
//! nothing behind it has to know.

use std::sync::Arc;

use crate::base::media::{PlaneRef, Size, VideoFrame};
use crate::engine::decode::packed::{PackedPool, plane_size};

/// A rectangle of a picture that alone is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cut {
    /// Of what extent the picture has to be for this to hold.
    pub of: Size,
    /// Columns left out on the left.
    pub left: u32,
    /// Rows left out above.
    pub top: u32,
    /// What is shown.
    pub size: Size,
}

/// What is done to a picture before it is shown, in the order of the fields.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reshape {
    /// Which part of it is shown.
    pub cut: Option<Cut>,
    /// Left and right are exchanged.
    pub mirrored: bool,
    /// Quarter turns clockwise, 0 to 3.
    pub turns: u8,
    /// Width and height of one of its samples, before it is turned; not 0.
    pub aspect: (u32, u32),
}

/// The widest stretch of a sample: what is beyond is a mistake.
const STRETCH: u32 = 8;

impl Default for Reshape {
    fn default() -> Self {
        Self { cut: None, mirrored: false, turns: 0, aspect: (1, 1) }
    }
}

impl Reshape {
    /// Whether pictures are shown as they are stored.
    #[must_use]
    pub fn is_none(&self) -> bool {
        self.cut.is_none() && !self.mirrored && self.turns.is_multiple_of(4) && self.aspect.0 == self.aspect.1
    }

    fn cut_of(&self, size: Size) -> Cut {
        let fits = |cut: &Cut| {
            let within = |from: u32, extent: u32, whole: u32| extent > 0 && from.saturating_add(extent) <= whole;
            cut.of == size
                && within(cut.left, cut.size.width, size.width)
                && within(cut.top, cut.size.height, size.height)
        };
        self.cut.filter(fits).unwrap_or(Cut { of: size, left: 0, top: 0, size })
    }

    /// Cut and turned, before it is stretched.
    fn turned(&self, shown: Size) -> Size {
        if self.turns.is_multiple_of(2) { shown } else { Size::new(shown.height, shown.width) }
    }

    /// At which extent square samples look alike. The smaller side grows, so that nothing is lost; not beyond what a
    /// picture may have.
    fn stretched(&self, turned: Size, most: u32) -> Size {
        let (width, height) = if self.turns.is_multiple_of(2) { self.aspect } else { (self.aspect.1, self.aspect.0) };
        let is_sane = width > 0 && height > 0 && width / height.max(1) < STRETCH && height / width.max(1) < STRETCH;
        if width == height || !is_sane {
            return turned;
        }
        let grown = |side: u32, by: u32, over: u32| {
            let side = (u64::from(side) * u64::from(by) + u64::from(over) / 2) / u64::from(over);
            u32::try_from(side).unwrap_or(most).clamp(1, most)
        };
        if width > height {
            Size::new(grown(turned.width, width, height), turned.height)
        } else {
            Size::new(turned.width, grown(turned.height, height, width))
        }
    }
}

/// Shows pictures of one track as its file says.
#[derive(Debug)]
pub struct Reshaper {
    reshape: Reshape,
    /// Columns or rows at most.
    side_max: u32,
    pool: PackedPool,
    /// A plane that is turned and not stretched yet.
    turned: Vec<u8>,
}

impl Reshaper {
    /// For a track whose file says `reshape`; nothing becomes wider or higher than `side_max` by it.
    #[must_use]
    pub fn new(reshape: Reshape, side_max: u32) -> Self {
        Self { reshape, side_max, pool: PackedPool::new(), turned: Vec::new() }
    }

    /// The picture as it is to be seen.
    #[must_use]
    pub fn show(&mut self, frame: VideoFrame) -> VideoFrame {
        let Self { reshape, side_max, pool, turned } = self;
        if reshape.is_none() {
            return frame;
        }
        let cut = reshape.cut_of(frame.size);
        let upright = reshape.turned(cut.size);
        let size = reshape.stretched(upright, *side_max);
        let picture = pool.picture(size, |out| {
            for index in 0..3 {
                if size == upright {
                    reshape.turn(frame.picture.plane(index), index, cut, out);
                    continue;
                }
                turned.clear();
                reshape.turn(frame.picture.plane(index), index, cut, turned);
                stretch(turned, plane_size(upright, index), plane_size(size, index), out);
            }
        });
        VideoFrame { size, picture: Arc::new(picture), ..frame }
    }
}

impl Reshape {
    /// Appends plane `index`, cut, mirrored and turned.
    fn turn(&self, plane: PlaneRef<'_>, index: usize, cut: Cut, out: &mut Vec<u8>) {
        let (width, height) = plane_size(cut.size, index);
        let shift = u32::from(index > 0);
        let (left, top) = ((cut.left >> shift) as usize, (cut.top >> shift) as usize);
        let row = |y: usize| {
            let begin = (top + y) * plane.stride + left;
            &plane.data[begin..begin + width]
        };
        let Self { mirrored, turns, .. } = *self;
        match turns % 4 {
            0 if !mirrored => (0..height).for_each(|y| out.extend_from_slice(row(y))),
            0 => (0..height).for_each(|y| out.extend(row(y).iter().rev())),
            2 if mirrored => (0..height).rev().for_each(|y| out.extend_from_slice(row(y))),
            2 => (0..height).rev().for_each(|y| out.extend(row(y).iter().rev())),
            turns => {
                let start = out.len();
                out.resize(start + width * height, 0);
                upend(row, (width, height), (mirrored, turns == 1), &mut out[start..]);
            }
        }
    }
}

/// Rows that are read side by side: each makes a byte of a run in the picture that is turned.
const RUN: usize = 16;

/// Writes rows as columns: a quarter turn, clockwise or not, of what is mirrored first or not.
fn upend<'a>(
    row: impl Fn(usize) -> &'a [u8],
    (width, height): (usize, usize),
    (mirrored, clockwise): (bool, bool),
    out: &mut [u8],
) {
    for top in (0..height).step_by(RUN) {
        let run = RUN.min(height - top);
        // From left to right in the turned picture.
        let rows: [&[u8]; RUN] = std::array::from_fn(|at| {
            let at = at.min(run - 1);
            row(top + if clockwise { run - 1 - at } else { at })
        });
        let column = if clockwise { height - top - run } else { top };
        for x in 0..width {
            let line = if mirrored == clockwise { width - 1 - x } else { x };
            let place = &mut out[line * height + column..][..run];
            for (sample, row) in place.iter_mut().zip(&rows) {
                *sample = row[x];
            }
        }
    }
}

/// Appends a plane at another extent, between neighbours in proportion.
fn stretch(plane: &[u8], from: (usize, usize), to: (usize, usize), out: &mut Vec<u8>) {
    if from == to {
        out.extend_from_slice(plane);
        return;
    }
    let ((width, height), (columns, rows)) = (from, to);
    // 8 bits of fraction; sample centres stay where they are.
    let place = |at: usize, whole: usize, parts: usize| {
        let at = ((2 * at + 1) * whole * 128 / parts).saturating_sub(128).min((whole - 1) * 256);
        (at / 256, (at / 256 + 1).min(whole - 1), at % 256)
    };
    for y in 0..rows {
        let (upper, lower, down) = place(y, height, rows);
        for x in 0..columns {
            let (left, right, across) = place(x, width, columns);
            let row = |y: usize| {
                usize::from(plane[y * width + left]) * (256 - across) + usize::from(plane[y * width + right]) * across
            };
            let value = (row(upper) * (256 - down) + row(lower) * down + (1 << 15)) >> 16;
            out.push(u8::try_from(value).unwrap_or(u8::MAX));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::media::Matrix;

    const SIZE: Size = Size::new(4, 2);

    /// Luma counts up; both colours are 100 on the left and 200 on the right.
    fn frame() -> VideoFrame {
        let pool = PackedPool::new();
        let picture = pool.picture(SIZE, |out| {
            out.extend(0..8);
            out.extend([100, 200, 100, 200]);
        });
        VideoFrame {
            size: SIZE,
            full_range: false,
            matrix: Matrix::default(),
            arrival: None,
            picture: Arc::new(picture),
        }
    }

    fn shown(reshape: Reshape) -> (Size, Vec<Vec<u8>>) {
        let frame = Reshaper::new(reshape, 64).show(frame());
        (frame.size, (0..3).map(|plane| frame.picture.plane(plane).data.to_vec()).collect())
    }

    #[test]
    fn case_33_every_turn_and_mirror_puts_samples_where_they_belong() {
        let luma = |turns, mirrored| {
            let (size, planes) = shown(Reshape { turns, mirrored, ..Reshape::default() });
            ((size.width, size.height), planes[0].clone(), planes[1].clone())
        };
        assert_eq!(luma(0, false), ((4, 2), vec![0, 1, 2, 3, 4, 5, 6, 7], vec![100, 200]));
        assert_eq!(luma(1, false), ((2, 4), vec![4, 0, 5, 1, 6, 2, 7, 3], vec![100, 200]));
        assert_eq!(luma(2, false), ((4, 2), vec![7, 6, 5, 4, 3, 2, 1, 0], vec![200, 100]));
        assert_eq!(luma(3, false), ((2, 4), vec![3, 7, 2, 6, 1, 5, 0, 4], vec![200, 100]));
        assert_eq!(luma(0, true), ((4, 2), vec![3, 2, 1, 0, 7, 6, 5, 4], vec![200, 100]));
        assert_eq!(luma(1, true), ((2, 4), vec![7, 3, 6, 2, 5, 1, 4, 0], vec![200, 100]));
    }

    #[test]
    fn case_33_a_cut_shows_its_part_and_only_of_the_size_it_is_for() {
        let cut = Cut { of: SIZE, left: 2, top: 0, size: Size::new(2, 1) };
        let (size, planes) = shown(Reshape { cut: Some(cut), ..Reshape::default() });
        assert_eq!((size, &planes[0][..], &planes[1][..]), (Size::new(2, 1), &[2, 3][..], &[200][..]));
        for cut in [Cut { of: Size::new(8, 4), ..cut }, Cut { left: 3, ..cut }, Cut { size: Size::new(0, 1), ..cut }] {
            assert_eq!(shown(Reshape { cut: Some(cut), ..Reshape::default() }).0, SIZE);
        }
    }

    #[test]
    fn case_33_samples_that_are_not_square_are_stretched_never_shrunk() {
        let size = |aspect, turns| shown(Reshape { aspect, turns, ..Reshape::default() }).0;
        assert_eq!(size((2, 1), 0), Size::new(8, 2));
        assert_eq!(size((1, 2), 0), Size::new(4, 4));
        assert_eq!(size((2, 1), 1), Size::new(2, 8), "turned with the picture");
        assert_eq!(size((3, 2), 0), Size::new(6, 2));
        assert_eq!(size((90, 1), 0), SIZE, "a mistake");
        let (_, planes) = shown(Reshape { aspect: (2, 1), ..Reshape::default() });
        assert_eq!(planes[0][..8], [0, 0, 1, 1, 2, 2, 3, 3], "0, 0.25, 0.75 … to the nearest");
    }

    #[test]
    fn what_is_shown_as_it_is_stays_the_decoders_own() {
        let frame = frame();
        let before = frame.picture.plane(0).data.as_ptr();
        assert_eq!(Reshaper::new(Reshape::default(), 64).show(frame).picture.plane(0).data.as_ptr(), before);
    }
}
