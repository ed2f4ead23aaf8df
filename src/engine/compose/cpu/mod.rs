//! **The question:** how does a processor draw a scene? One persistent I420 canvas; a tick executes the plan's
//! operations on it.
//!
//! Kernels, each with its twin in `shaders/`: `scale` (pictures), `convert` (colours), `place` (fills, stills, masks).
//! `simd` chooses instructions, `wide` is `scale` for AVX-512.

mod canvas;
mod convert;
mod place;
mod scale;
mod simd;
#[cfg(target_arch = "x86_64")]
mod wide;

use std::sync::Arc;

use self::canvas::{Area, Canvas, PlaneMut};
use self::place::Cover;
use self::scale::Scratch;
use crate::base::media::{ComposedFrame, PlaneRef, Pts, Size, VideoFrame};
use crate::core::scene::{Rect, Scene};
use crate::engine::compose::colour::{Conversion, Range};
use crate::engine::compose::draw::{Operation, Paint};
use crate::engine::compose::history::History;
use crate::engine::compose::plan::Planner;
use crate::engine::compose::scale::Axis;
use crate::engine::compose::{Compositor, FramePool, Sources};

/// A compositor for one room on `canvas`, whose sides are even, by the processor alone.
#[must_use]
pub fn cpu_compositor(canvas: Size) -> Box<dyn Compositor> {
    successor(canvas, History::new(canvas), FramePool::default())
}

/// As [`cpu_compositor`], in the place of another one: with its pool, and with a history that follows on its own.
pub(super) fn successor(canvas: Size, history: History, pool: FramePool) -> Box<dyn Compositor> {
    Box::new(CpuCompositor::new(canvas, history, pool))
}

struct CpuCompositor {
    canvas: Canvas,
    planner: Planner,
    history: History,
    scratch: Scratch,
    /// A picture whose colours were converted, on its way to the canvas.
    converted: Vec<u8>,
    pool: FramePool,
    /// Begun and not taken yet.
    ready: Option<ComposedFrame>,
}

impl CpuCompositor {
    fn new(canvas: Size, history: History, pool: FramePool) -> Self {
        Self {
            canvas: Canvas::new(canvas),
            planner: Planner::new(canvas),
            history,
            scratch: Scratch::default(),
            converted: Vec::new(),
            pool,
            ready: None,
        }
    }
}

impl Compositor for CpuCompositor {
    fn name(&self) -> &'static str {
        "cpu"
    }

    fn compose(&mut self, scene: &Scene, sources: &dyn Sources, pts: Pts) -> ComposedFrame {
        self.planner.plan(scene, sources);
        for operation in self.planner.operations() {
            execute(operation, &mut self.canvas, &mut self.scratch, &mut self.converted);
        }
        let damage = self.planner.damage();
        self.history.note(damage);
        self.pool.frame_of(self.canvas.size(), pts, self.canvas.samples(), &self.history, damage)
    }

    fn begin(&mut self, scene: &Scene, sources: &dyn Sources, pts: Pts) -> bool {
        if self.ready.is_some() {
            return false;
        }
        self.ready = Some(self.compose(scene, sources, pts));
        true
    }

    fn finished(&mut self) -> Option<ComposedFrame> {
        self.ready.take()
    }

    fn in_flight(&self) -> usize {
        usize::from(self.ready.is_some())
    }

    fn pool(&self) -> FramePool {
        self.pool.clone()
    }
}

/// As [`cpu_compositor`], writing in our own font only: it draws the same on every machine.
#[cfg(test)]
pub(super) fn with_own_font(canvas: Size) -> Box<dyn Compositor> {
    let mut compositor = CpuCompositor::new(canvas, History::new(canvas), FramePool::default());
    compositor.planner.use_own_font();
    Box::new(compositor)
}

/// Paints one operation on all planes.
fn execute(operation: &Operation, canvas: &mut Canvas, scratch: &mut Scratch, converted: &mut Vec<u8>) {
    let rect = &operation.rect;
    let conversion = match &operation.paint {
        Paint::Picture { frame, .. } => Conversion::of(frame.matrix),
        _ => None,
    };
    if let (Paint::Picture { frame, axes }, Some(by)) = (&operation.paint, conversion) {
        draw_converted(frame, axes, rect, scratch, converted, by);
    }
    for index in 0..3 {
        let mask = operation.mask.as_ref().map(|mask| if index == 0 { &mask.0.luma[..] } else { &mask.0.chroma[..] });
        let cover = Cover { opacity: operation.opacity, mask };
        let plane = canvas.plane(index);
        let area = plane.area(rect);
        match &operation.paint {
            Paint::Flat(samples) => place::fill(plane, area, samples[index], cover),
            Paint::Still(samples) => place::copy(plane, area, packed(&samples.0, rect, index), cover),
            Paint::Picture { .. } if conversion.is_some() => {
                place::copy(plane, area, packed(converted, rect, index), cover);
            }
            Paint::Picture { frame, axes } => {
                draw_plane(frame, axes, index, (plane, area), scratch, cover);
            }
        }
    }
}

/// One plane of a picture, scaled and of limited range.
fn draw_plane(
    frame: &VideoFrame,
    axes: &[Arc<Axis>; 4],
    index: usize,
    target: (PlaneMut<'_>, Area),
    scratch: &mut Scratch,
    cover: Cover<'_>,
) {
    let axes = if index == 0 { (&*axes[0], &*axes[1]) } else { (&*axes[2], &*axes[3]) };
    let range = frame.full_range.then_some(if index == 0 { Range::Luma } else { Range::Chroma });
    scale::scale(scratch, axes, frame.picture.plane(index), target, range, cover);
}

/// All planes of a picture of another matrix as the canvas's: `converted` becomes I420 of the rectangle's size.
fn draw_converted(
    frame: &VideoFrame,
    axes: &[Arc<Axis>; 4],
    rect: &Rect,
    scratch: &mut Scratch,
    converted: &mut Vec<u8>,
    by: Conversion,
) {
    let (width, height) = (rect.width as usize, rect.height as usize);
    converted.resize(width * height * 3 / 2, 0);
    let mut rest = &mut converted[..];
    for (index, step) in [(0, 1), (1, 2), (2, 2)] {
        let area = Area { x: 0, y: 0, width: width / step as usize, height: height / step as usize };
        let (data, others) = rest.split_at_mut(area.width * area.height);
        let plane = PlaneMut { data, stride: area.width, step };
        draw_plane(frame, axes, index, (plane, area), scratch, Cover { opacity: 255, mask: None });
        rest = others;
    }
    convert::convert(converted, width, by);
}

/// One plane of packed I420 as large as `rect`.
fn packed<'a>(samples: &'a [u8], rect: &Rect, index: usize) -> PlaneRef<'a> {
    let luma = (rect.width * rect.height) as usize;
    let (start, stride) = match index {
        0 => (0, rect.width),
        _ => (luma + (index - 1) * luma / 4, rect.width / 2),
    };
    PlaneRef { data: &samples[start..], stride: stride as usize }
}
