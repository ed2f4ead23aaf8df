//! **The question:** how does a processor draw a scene? One persistent I420 canvas; a tick executes the plan's operations on it.
//!
//! Kernels, each with its twin in `shaders/`: `scale` (pictures), `place` (fills, stills, masks). `simd` chooses instructions.

mod canvas;
mod place;
mod scale;
mod simd;

use self::canvas::Canvas;
use self::place::Cover;
use self::scale::Scratch;
use crate::compose::colour::Range;
use crate::compose::draw::{Operation, Paint};
use crate::compose::history::History;
use crate::compose::plan::Planner;
use crate::compose::{Compositor, FramePool, Sources};
use crate::media::{ComposedFrame, PlaneRef, Pts, Size};
use crate::scene::Scene;

/// A compositor for one room on `canvas`, whose sides are even, by the processor alone.
#[must_use]
pub fn cpu_compositor(canvas: Size) -> Box<dyn Compositor> {
    Box::new(CpuCompositor {
        canvas: Canvas::new(canvas),
        planner: Planner::new(canvas),
        history: History::new(canvas),
        scratch: Scratch::default(),
        pool: FramePool::default(),
    })
}

struct CpuCompositor {
    canvas: Canvas,
    planner: Planner,
    history: History,
    scratch: Scratch,
    pool: FramePool,
}

impl Compositor for CpuCompositor {
    fn name(&self) -> &'static str {
        "cpu"
    }

    fn compose(&mut self, scene: &Scene, sources: &dyn Sources, pts: Pts) -> ComposedFrame {
        self.planner.plan(scene, sources);
        for operation in self.planner.operations() {
            execute(operation, &mut self.canvas, &mut self.scratch);
        }
        let damage = self.planner.damage();
        self.history.note(damage);
        self.pool.frame_of(self.canvas.size(), pts, self.canvas.samples(), &self.history, damage)
    }

    fn pool(&self) -> FramePool {
        self.pool.clone()
    }
}

/// Paints one operation on all planes.
fn execute(operation: &Operation, canvas: &mut Canvas, scratch: &mut Scratch) {
    let rect = &operation.rect;
    for index in 0..3 {
        let mask = operation.mask.as_ref().map(|mask| if index == 0 { &mask.0.luma[..] } else { &mask.0.chroma[..] });
        let cover = Cover { opacity: operation.opacity, mask };
        let plane = canvas.plane(index);
        let area = plane.area(rect);
        match &operation.paint {
            Paint::Flat(samples) => place::fill(plane, area, samples[index], cover),
            Paint::Still(samples) => {
                let luma = (rect.width * rect.height) as usize;
                let (start, stride) = match index {
                    0 => (0, rect.width),
                    _ => (luma + (index - 1) * luma / 4, rect.width / 2),
                };
                place::copy(plane, area, PlaneRef { data: &samples.0[start..], stride: stride as usize }, cover);
            }
            Paint::Picture { frame, axes } => {
                let axes = if index == 0 { (&*axes[0], &*axes[1]) } else { (&*axes[2], &*axes[3]) };
                let range = frame.full_range.then_some(if index == 0 { Range::Luma } else { Range::Chroma });
                scale::scale(scratch, axes, frame.picture.plane(index), (plane, area), range, cover);
            }
        }
    }
}
