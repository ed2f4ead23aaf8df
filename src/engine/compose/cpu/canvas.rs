//! **The question:** where do a canvas's samples lie?

use crate::base::media::Size;
use crate::core::scene::Rect;

/// A persistent I420 picture, planes packed as in a `ComposedFrame`.
pub(super) struct Canvas {
    size: Size,
    samples: Vec<u8>,
}

/// One plane to draw on.
pub(super) struct PlaneMut<'a> {
    pub(super) data: &'a mut [u8],
    pub(super) stride: usize,
    /// How many times smaller than luma: 1 or 2.
    pub(super) step: u32,
}

/// A rectangle of one plane's own samples.
#[derive(Debug, Clone, Copy)]
pub(super) struct Area {
    pub(super) x: usize,
    pub(super) y: usize,
    pub(super) width: usize,
    pub(super) height: usize,
}

impl PlaneMut<'_> {
    /// Where `rect` lies in this plane; even rects fall on whole samples.
    pub(super) fn area(&self, rect: &Rect) -> Area {
        let at = |value: u32| (value / self.step) as usize;
        Area { x: at(rect.x), y: at(rect.y), width: at(rect.width), height: at(rect.height) }
    }
}

impl Canvas {
    pub(super) fn new(size: Size) -> Self {
        assert!(size.width.is_multiple_of(2) && size.height.is_multiple_of(2), "4:2:0 needs even sides");
        Self { size, samples: vec![0; (size.width * size.height * 3 / 2) as usize] }
    }

    pub(super) fn size(&self) -> Size {
        self.size
    }

    pub(super) fn samples(&self) -> &[u8] {
        &self.samples
    }

    /// Plane 0 is Y, 1 is U, 2 is V.
    pub(super) fn plane(&mut self, index: usize) -> PlaneMut<'_> {
        let luma = (self.size.width * self.size.height) as usize;
        let (start, length, step) = match index {
            0 => (0, luma, 1),
            _ => (luma + (index - 1) * luma / 4, luma / 4, 2),
        };
        PlaneMut { data: &mut self.samples[start..start + length], stride: (self.size.width / step) as usize, step }
    }
}
