//! **The question:** where do a canvas's samples lie?

use crate::compose::cpu::colour::Yuv;
use crate::compose::cpu::place;
use crate::media::Size;
use crate::scene::Rect;

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

    pub(super) fn contains(&self, rect: &Rect) -> bool {
        let even = [rect.x, rect.y, rect.width, rect.height].iter().all(|value| value.is_multiple_of(2));
        even && rect.width > 0
            && rect.height > 0
            && rect.right() <= self.size.width
            && rect.bottom() <= self.size.height
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

    pub(super) fn fill_all(&mut self, colour: Yuv) {
        for index in 0..3 {
            self.plane(index).data.fill(colour.sample(index));
        }
    }

    pub(super) fn fill(&mut self, rect: &Rect, colour: Yuv) {
        for index in 0..3 {
            let plane = self.plane(index);
            let area = plane.area(rect);
            place::fill(plane, area, colour.sample(index));
        }
    }

    /// A frame of `thickness` (even) just outside `rect`, clipped to the canvas.
    pub(super) fn ring(&mut self, rect: &Rect, thickness: u32, colour: Yuv) {
        let left = rect.x.saturating_sub(thickness);
        let top = rect.y.saturating_sub(thickness);
        let right = (rect.right() + thickness).min(self.size.width);
        let bottom = (rect.bottom() + thickness).min(self.size.height);
        let bands = [
            Rect { x: left, y: top, width: right - left, height: rect.y - top },
            Rect { x: left, y: rect.bottom(), width: right - left, height: bottom - rect.bottom() },
            Rect { x: left, y: rect.y, width: rect.x - left, height: rect.height },
            Rect { x: rect.right(), y: rect.y, width: right - rect.right(), height: rect.height },
        ];
        for band in bands.iter().filter(|band| band.width > 0 && band.height > 0) {
            self.fill(band, colour);
        }
    }
}
