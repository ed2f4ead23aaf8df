//! **The question:** what does a tick draw, anyone who draws it? A list of operations, painted in order onto the canvas
//! that the last tick left. The processor's compositor and the GPU's execute the same list with the same whole-number
//! arithmetic.

use std::hash::{Hash, Hasher};
use std::sync::Arc;

use crate::base::media::VideoFrame;
use crate::core::scene::Rect;
use crate::engine::compose::scale::Axis;

/// One step of a tick's drawing.
#[derive(Debug, Clone)]
pub(super) struct Operation {
    /// Where, in luma pixels; even, inside the canvas.
    pub(super) rect: Rect,
    /// With what.
    pub(super) paint: Paint,
    /// How much of it is seen, of 255.
    pub(super) opacity: u8,
    /// How much of each sample is seen; `None`: all alike.
    pub(super) mask: Option<Shared<Mask>>,
}

/// What an operation puts on its rectangle.
#[derive(Debug, Clone)]
pub(super) enum Paint {
    /// Samples of Y, U, V.
    Flat([u8; 3]),
    /// A decoded picture, scaled by axes: luma across, luma down, chroma across, chroma down.
    Picture {
        /// The picture.
        frame: VideoFrame,
        /// Which of its samples each sample of the rectangle weighs.
        axes: [Arc<Axis>; 4],
    },
    /// I420 of exactly the rectangle's size, drawn once.
    Still(Shared<Vec<u8>>),
}

/// Coverage of a rectangle, a byte a sample, rows packed; 255 covers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Mask {
    /// `width * height` bytes.
    pub(super) luma: Vec<u8>,
    /// A quarter of that: means of 2×2.
    pub(super) chroma: Vec<u8>,
}

/// Something that is the same only as long as it is the same memory; holding it keeps its address its own.
#[derive(Debug)]
pub(super) struct Shared<T>(pub(super) Arc<T>);

impl Operation {
    /// A flat colour that hides what was there.
    pub(super) fn fill(rect: Rect, samples: [u8; 3]) -> Self {
        Self { rect, paint: Paint::Flat(samples), opacity: 255, mask: None }
    }
}

impl Mask {
    /// From coverage of luma samples, `width` a row; both sides even.
    pub(super) fn new(luma: Vec<u8>, width: u32) -> Self {
        let width = width as usize;
        let mut chroma = Vec::with_capacity(luma.len() / 4);
        for rows in luma.chunks_exact(2 * width) {
            let (upper, lower) = rows.split_at(width);
            for (above, below) in upper.chunks_exact(2).zip(lower.chunks_exact(2)) {
                let sum = u16::from(above[0]) + u16::from(above[1]) + u16::from(below[0]) + u16::from(below[1]);
                chroma.push(u8::try_from((sum + 2) / 4).expect("a mean of bytes is a byte"));
            }
        }
        Self { luma, chroma }
    }
}

impl<T> Clone for Shared<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<T> PartialEq for Shared<T> {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl<T> Eq for Shared<T> {}

impl<T> Hash for Shared<T> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        Arc::as_ptr(&self.0).hash(state);
    }
}
