//! **The question:** how does a picture of more bits, or of other chroma than 4:2:0, become one that the compositor
//! takes? Its samples are brought to 8 bits and its chroma to half the size; where there is none, it is grey.

use std::sync::Arc;

use crate::base::limits;
use crate::base::media::{Picture, PlaneRef, Size, VideoFrame};
use crate::engine::decode::arena::{Arena, Block};
use crate::engine::decode::packed::{packed_len, plane_size};
use crate::engine::decode::video::DecodeError;

/// A plane as a decoder has it.
#[derive(Clone, Copy)]
pub(super) struct Deep<'a> {
    /// Rows of `stride` bytes; samples of more than 8 bits take two, in the processor's order.
    pub(super) data: &'a [u8],
    pub(super) stride: usize,
    /// Bits of a sample, 8 to 16.
    pub(super) bits: u32,
}

/// How chroma lies over luma: how many luma samples a chroma sample covers, across and down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Covers {
    pub(super) across: usize,
    pub(super) down: usize,
}

/// 8-bit 4:2:0 planes of our own, one behind the other without gaps.
pub(super) struct FlatPicture {
    samples: Block,
    size: Size,
}

impl Picture for FlatPicture {
    fn plane(&self, index: usize) -> PlaneRef<'_> {
        let begin = (0..index).map(|n| plane_size(self.size, n)).map(|(width, height)| width * height).sum();
        let (width, height) = plane_size(self.size, index);
        PlaneRef { data: &self.samples[begin..begin + width * height], stride: width }
    }
}

/// Pictures made before, whose memory is taken again once nobody looks at them.
#[derive(Default)]
pub(super) struct Flattener {
    /// Where their memory is from, if not from the heap.
    arena: Option<Arc<Arena>>,
    made: Vec<Arc<FlatPicture>>,
}

impl Flattener {
    /// One whose pictures lie in `arena`, if there is one.
    pub(super) fn new(arena: Option<&Arc<Arena>>) -> Self {
        Self { arena: arena.cloned(), made: Vec::new() }
    }

    /// A picture of `size` that nobody else has, its samples anything.
    fn blank(&mut self, size: Size) -> Result<Arc<FlatPicture>, DecodeError> {
        let len = packed_len(size);
        let free = self.made.iter().position(|picture| Arc::strong_count(picture) == 1);
        if let Some(mut picture) = free.map(|at| self.made.swap_remove(at)) {
            let own = Arc::get_mut(&mut picture).expect("nobody else has it");
            if plane_size(own.size, 0) == plane_size(size, 0) {
                return Ok(picture);
            }
        }
        let samples = Block::new(len, self.arena.as_ref());
        let samples = samples.ok_or_else(|| DecodeError::Bitstream("no memory is left for its picture".into()))?;
        Ok(Arc::new(FlatPicture { samples, size }))
    }

    /// The picture of `size` that these planes show: luma and, if there is chroma, blue and red.
    ///
    /// # Errors
    /// When the arena is full.
    pub(super) fn flatten(
        &mut self,
        size: Size,
        luma: Deep<'_>,
        chroma: Option<([Deep<'_>; 2], Covers)>,
    ) -> Result<Arc<FlatPicture>, DecodeError> {
        let mut picture = self.blank(size)?;
        let into = Arc::get_mut(&mut picture).expect("nobody else has it");
        let (width, height) = (size.width as usize, size.height as usize);
        let (luma_out, rest) = into.samples.split_at_mut(width * height);
        shrink(luma, (width, height), Covers { across: 1, down: 1 }, luma_out);
        let half = width.div_ceil(2) * height.div_ceil(2);
        let (blue, red) = rest.split_at_mut(half);
        match chroma {
            Some((planes, covers)) => {
                // What 4:2:0 covers with one sample, the source covers with several.
                let step = Covers { across: 2 / covers.across, down: 2 / covers.down };
                let whole = (width.div_ceil(covers.across), height.div_ceil(covers.down));
                shrink(planes[0], whole, step, blue);
                shrink(planes[1], whole, step, &mut red[..half]);
            }
            None => {
                blue.fill(128);
                red[..half].fill(128);
            }
        }
        if self.made.len() < limits::FLAT_PICTURES_MAX {
            self.made.push(picture.clone());
        }
        Ok(picture)
    }
}

/// A copy in `arena` of a picture that lies elsewhere; `None` if it is full.
#[must_use]
pub fn copy_into(arena: &Arc<Arena>, frame: &VideoFrame) -> Option<Arc<dyn Picture>> {
    let [luma, blue, red] = [0, 1, 2].map(|index| {
        let PlaneRef { data, stride } = frame.picture.plane(index);
        Deep { data, stride, bits: 8 }
    });
    let chroma = ([blue, red], Covers { across: 2, down: 2 });
    let picture = Flattener::new(Some(arena)).flatten(frame.size, luma, Some(chroma)).ok()?;
    Some(picture)
}

/// Writes the means of `step` samples of a plane of `whole` samples, in 8 bits, rows packed.
fn shrink(from: Deep<'_>, whole: (usize, usize), step: Covers, into: &mut [u8]) {
    let bytes = if from.bits > 8 { 2 } else { 1 };
    let row = |y: usize| &from.data[y * from.stride..][..whole.0 * bytes];
    let at = |row: &[u8], x: usize| match bytes {
        1 => u32::from(row[x]),
        _ => u32::from(u16::from_ne_bytes([row[2 * x], row[2 * x + 1]])),
    };
    let rows_out = into.chunks_exact_mut(whole.0.div_ceil(step.across));
    debug_assert_eq!(rows_out.len(), whole.1.div_ceil(step.down));
    if bytes == 1 && step == (Covers { across: 1, down: 1 }) {
        rows_out.enumerate().for_each(|(y, out)| out.copy_from_slice(row(y)));
        return;
    }
    let shift = from.bits - 8;
    for (y, out) in (0..whole.1).step_by(step.down).zip(rows_out) {
        // At an odd edge the last sample stands for the one that is missing.
        let rows = [row(y), row((y + step.down - 1).min(whole.1 - 1))];
        for (x, out) in (0..whole.0).step_by(step.across).zip(out) {
            let last = (x + step.across - 1).min(whole.0 - 1);
            let sum = rows.iter().map(|row| at(row, x) + at(row, last)).sum::<u32>();
            let mean = (sum + (2 << shift)) >> (2 + shift);
            *out = u8::try_from(mean.min(255)).expect("bounded");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn deep(samples: &[u16]) -> Vec<u8> {
        samples.iter().flat_map(|sample| sample.to_ne_bytes()).collect()
    }

    #[test]
    fn ten_bits_are_rounded_and_chroma_of_every_layout_is_halved() {
        let luma = deep(&[0, 1023, 514, 513, 512, 510]);
        let luma = Deep { data: &luma, stride: 6, bits: 10 };
        let full = deep(&[400, 404, 408, 412, 416, 420]);
        let full = Deep { data: &full, stride: 6, bits: 10 };
        let mut flattener = Flattener::default();
        let size = Size::new(3, 2);
        let covers = Covers { across: 1, down: 1 };
        let picture = flattener.flatten(size, luma, Some(([full, full], covers))).unwrap();
        assert_eq!(picture.plane(0).data, [0, 255, 129, 128, 128, 128]);
        // Means of four (400, 404, 412, 416) and of the last column (408, 420).
        assert_eq!((picture.plane(1).data, picture.plane(1).stride), (&[102, 104][..], 2));
        let covers = Covers { across: 2, down: 1 };
        let half = deep(&[400, 408, 404, 412]);
        let half = Deep { data: &half, stride: 4, bits: 10 };
        let picture = flattener.flatten(size, luma, Some(([half, half], covers))).unwrap();
        assert_eq!(picture.plane(2).data, [101, 103]);
        let grey = flattener.flatten(size, Deep { data: &[1, 2, 3, 4, 5, 6], stride: 3, bits: 8 }, None).unwrap();
        assert_eq!((grey.plane(0).data, grey.plane(1).data), (&[1, 2, 3, 4, 5, 6][..], &[128, 128][..]));
    }

    #[test]
    fn memory_is_used_again_once_nobody_looks_at_it() {
        let mut flattener = Flattener::default();
        let plane = Deep { data: &[7; 4], stride: 2, bits: 8 };
        let first = flattener.flatten(Size::new(2, 2), plane, None).unwrap();
        let second = flattener.flatten(Size::new(2, 2), plane, None).unwrap();
        assert!(!Arc::ptr_eq(&first, &second), "the first is still seen");
        let place = Arc::as_ptr(&first);
        drop(first);
        assert_eq!(Arc::as_ptr(&flattener.flatten(Size::new(2, 2), plane, None).unwrap()), place);
    }
}
