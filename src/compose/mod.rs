//! **The question:** Scene + VideoFrames → ComposedFrame. Floor 2.
//!
//! Doors: [`Compositor`], made by [`cpu_compositor`]; a GPU one becomes its twin in part 2, and its types never leave its file.
//! `plan` compares a scene with what the canvas shows and lists the operations (`draw`) that bring it up to date; a compositor
//! executes them. The CPU's kernels stand in `cpu/`: `scale` does pictures, `place` fills, copies and blends. What is drawn once
//! and shown often comes from `letters`, `ink` (initials, names) and `still` (pictures); `history` spares copying the canvas.

mod colour;
mod cpu;
mod draw;
mod history;
mod ink;
mod letters;
mod plan;
mod pool;
mod scale;
mod still;
#[cfg(test)]
mod tests;

pub use cpu::cpu_compositor;
pub use pool::FramePool;

use crate::media::{ComposedFrame, ParticipantId, Pts, TrackId, TrackKind, VideoFrame};
use crate::scene::Scene;

/// The newest picture of each camera, as the compose thread holds them.
pub trait Sources {
    /// The newest picture of `track`, a camera or a screen; `None` shows the placeholder.
    fn frame(&self, track: TrackId) -> Option<&VideoFrame>;
}

impl Sources for std::collections::BTreeMap<TrackId, VideoFrame> {
    fn frame(&self, track: TrackId) -> Option<&VideoFrame> {
        self.get(&track)
    }
}

/// Cameras only.
impl Sources for std::collections::BTreeMap<ParticipantId, VideoFrame> {
    fn frame(&self, track: TrackId) -> Option<&VideoFrame> {
        if track.kind == TrackKind::Camera { self.get(&track.participant) } else { None }
    }
}

/// Draws one room's canvas. Owned by one thread; remembers what it drew and touches only what changed.
pub trait Compositor: Send {
    /// `cpu` or the GPU's name, for logs and figures.
    fn name(&self) -> &'static str;

    /// Draws `scene` with the pictures of `sources` as the tick at `pts`. A picture counts as changed when its owner
    /// (`VideoFrame::picture`) is another one than the last tick's.
    fn compose(&mut self, scene: &Scene, sources: &dyn Sources, pts: Pts) -> ComposedFrame;

    /// Where composed frames return to when nobody needs them any more; any thread may hold a clone.
    fn pool(&self) -> FramePool;
}
