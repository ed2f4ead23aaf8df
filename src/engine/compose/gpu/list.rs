//! **The question:** how does a tick's list of operations become words that `place.wgsl` reads, and bytes to upload?

use std::sync::Arc;

use crate::base::media::{Picture, Size, VideoFrame};
use crate::core::scene::Rect;
use crate::engine::compose::colour::Conversion;
use crate::engine::compose::draw::{Mask, Operation, Paint, Shared};
use crate::engine::compose::gpu::blocks::Blocks;
use crate::engine::compose::gpu::raster::Raster;
use crate::engine::compose::gpu::tables::{Full, Tables, push_bytes};
use crate::engine::compose::scale::Axis;

/// Header words: where blocks, references and operations begin, the canvas's size, strides and planes.
const HEADER_WORDS: usize = 8;
/// Words of one operation.
const OPERATION_WORDS: usize = 22;
/// In place of a mask.
const NO_MASK: u32 = u32::MAX;

/// What names a table.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) enum Key {
    Axis(Shared<Axis>),
    Mask(Shared<Mask>),
    Still(Shared<Vec<u8>>),
}

/// A tick's list on its way to the device; keeps its memory between ticks.
#[derive(Default)]
pub(super) struct Encoded {
    words: Vec<u32>,
    blocks: Blocks,
    rects: Vec<Rect>,
    pictures: Vec<Placed>,
    /// Bytes of words and pictures.
    len: usize,
}

/// A picture's place in the tick's bytes.
struct Placed {
    picture: Arc<dyn Picture>,
    size: Size,
    /// Bytes from the start of the tick: Y, U, V.
    planes: [usize; 3],
}

impl Placed {
    /// Rows are packed to whole words, so that each plane begins at one.
    fn strides(size: Size) -> [usize; 3] {
        let chroma = (size.width.div_ceil(2) as usize).next_multiple_of(4);
        [(size.width as usize).next_multiple_of(4), chroma, chroma]
    }

    fn rows(size: Size, plane: usize) -> usize {
        if plane == 0 { size.height as usize } else { size.height.div_ceil(2) as usize }
    }

    fn width(size: Size, plane: usize) -> usize {
        if plane == 0 { size.width as usize } else { size.width.div_ceil(2) as usize }
    }
}

impl Encoded {
    /// Takes `operations` over; tables they need are placed in `tables`.
    pub(super) fn encode(
        &mut self,
        raster: Raster,
        operations: &[Operation],
        tables: &mut Tables<Key>,
    ) -> Result<(), Full> {
        self.rects.clear();
        self.rects.extend(operations.iter().map(|operation| operation.rect));
        self.blocks.sort(raster.size, &self.rects);
        let blocks_at = HEADER_WORDS;
        let references_at = blocks_at + self.blocks.words().len();
        let operations_at = references_at + self.blocks.references().len();
        self.words.clear();
        self.words.extend([blocks_at, references_at, operations_at].map(word));
        let (luma, chroma) = raster.strides();
        self.words.extend([raster.size.width | raster.size.height << 16, luma | chroma << 16]);
        self.words.extend(raster.planes());
        self.words.extend_from_slice(self.blocks.words());
        self.words.extend_from_slice(self.blocks.references());
        self.len = (operations_at + operations.len() * OPERATION_WORDS) * 4;
        self.pictures.clear();
        for operation in operations {
            let words = self.operation(operation, tables)?;
            self.words.extend(words);
        }
        debug_assert_eq!(self.words.len(), operations_at + operations.len() * OPERATION_WORDS, "words are counted");
        Ok(())
    }

    fn operation(&mut self, operation: &Operation, tables: &mut Tables<Key>) -> Result<[u32; OPERATION_WORDS], Full> {
        let Operation { rect, paint, opacity, mask } = operation;
        let mut words = [0; OPERATION_WORDS];
        words[1] = rect.x | rect.y << 16;
        words[2] = rect.width | rect.height << 16;
        let kind = match paint {
            Paint::Flat([luma, blue, red]) => {
                words[3] = u32::from_le_bytes([*luma, *blue, *red, 0]);
                0
            }
            Paint::Picture { frame, axes } => {
                let placed = self.picture(frame);
                words[6..9].copy_from_slice(&placed);
                words[9..12].copy_from_slice(&Placed::strides(frame.size).map(word));
                for (word, axis) in words[12..16].iter_mut().zip(axes) {
                    *word = tables.place(Key::Axis(Shared(axis.clone())), |words| push_axis(words, axis))?;
                }
                let conversion = Conversion::of(frame.matrix);
                if let Some(by) = conversion {
                    words[16..22].copy_from_slice(&by.words().map(i32::cast_unsigned));
                }
                1 | u32::from(frame.full_range) << 16 | u32::from(conversion.is_some()) << 17
            }
            Paint::Still(samples) => {
                let start = tables.place(Key::Still(samples.clone()), |words| push_bytes(words, &samples.0))? * 4;
                let luma = rect.width * rect.height;
                words[6..9].copy_from_slice(&[start, start + luma, start + luma + luma / 4]);
                words[9..12].copy_from_slice(&[rect.width, rect.width / 2, rect.width / 2]);
                2
            }
        };
        words[0] = kind | u32::from(*opacity) << 8;
        words[4..6].copy_from_slice(&match mask {
            None => [NO_MASK; 2],
            Some(mask) => {
                let push = |words: &mut Vec<u32>| {
                    push_bytes(words, &mask.0.luma);
                    push_bytes(words, &mask.0.chroma);
                };
                let start = tables.place(Key::Mask(mask.clone()), push)? * 4;
                [start, start + word(mask.0.luma.len().next_multiple_of(4))]
            }
        });
        Ok(words)
    }

    /// Where the planes of `frame` begin; each picture lies there once.
    fn picture(&mut self, frame: &VideoFrame) -> [u32; 3] {
        let there = self.pictures.iter().find(|placed| Arc::ptr_eq(&placed.picture, &frame.picture));
        if let Some(placed) = there {
            return placed.planes.map(word);
        }
        let strides = Placed::strides(frame.size);
        let planes = [0, 1, 2].map(|index| {
            let start = self.len;
            self.len += strides[index] * Placed::rows(frame.size, index);
            start
        });
        self.pictures.push(Placed { picture: frame.picture.clone(), size: frame.size, planes });
        planes.map(word)
    }

    /// Bytes of the whole, whole words.
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// Workgroups to dispatch.
    pub(super) fn blocks(&self) -> u32 {
        self.blocks.len()
    }

    /// Bytes of samples that go up with this tick.
    pub(super) fn sample_bytes(&self) -> u64 {
        let bytes = |placed: &Placed| {
            (0..3).map(|plane| Placed::width(placed.size, plane) * Placed::rows(placed.size, plane)).sum::<usize>()
        };
        self.pictures.iter().map(|placed| bytes(placed) as u64).sum()
    }

    /// Gives every piece of the whole with its place in bytes: words first, then rows of samples.
    pub(super) fn write(&self, mut piece: impl FnMut(usize, &[u8])) {
        piece(0, bytemuck::cast_slice(&self.words));
        for placed in &self.pictures {
            let strides = Placed::strides(placed.size);
            for (index, stride) in strides.into_iter().enumerate() {
                let plane = placed.picture.plane(index);
                let width = Placed::width(placed.size, index);
                for row in 0..Placed::rows(placed.size, index) {
                    let from = row * plane.stride;
                    piece(placed.planes[index] + row * stride, &plane.data[from..from + width]);
                }
            }
        }
    }

    /// Lets go of the pictures.
    pub(super) fn clear(&mut self) {
        self.pictures.clear();
    }
}

fn word(value: usize) -> u32 {
    u32::try_from(value).expect("a tick's bytes are bounded by the device's buffers")
}

/// `scale.wgsl`'s axis: taps, count, starts, weights.
fn push_axis(words: &mut Vec<u32>, axis: &Axis) {
    words.extend([word(axis.taps()), word(axis.starts().len())]);
    words.extend_from_slice(axis.starts());
    words.extend(axis.weights().iter().map(|&weight| i32::from(weight).cast_unsigned()));
}
