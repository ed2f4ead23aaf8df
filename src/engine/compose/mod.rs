//! **The question:** Scene + VideoFrames → ComposedFrame. Floor 2.
//!
//! Doors: [`Compositors`] opens what the configuration chooses (`choice`) and makes a [`Compositor`] for each room: the GPU's
//! (`gpu/`, which wgpu's types never leave) or its twin, the processor's ([`cpu_compositor`], `cpu/`).
//! `plan` compares a scene with what the canvas shows and lists the operations (`draw`) that bring it up to date; a compositor
//! executes them. The CPU's kernels stand in `cpu/`: `scale` does pictures, `place` fills, copies and blends. What is drawn once
//! and shown often (names, initials, pictures) comes from [`overlays`]; `history` spares copying the canvas.

mod colour;
mod cpu;
mod draw;
#[cfg(test)]
#[path = "goldens/tests.rs"]
mod goldens;
mod gpu;
mod history;
#[cfg(target_arch = "x86_64")]
mod lanes;
pub mod overlays;
mod plan;
mod pool;
mod scale;
mod selection;
mod shapes;
#[cfg(test)]
mod tests;

pub use cpu::cpu_compositor;
pub use gpu::DeviceError;
pub use pool::FramePool;
pub use selection::{CompositorChoice, Compositors};

use crate::base::media::{ComposedFrame, ParticipantId, Pts, TrackId, TrackKind, VideoFrame};
use crate::core::scene::Scene;

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

/// A GPU went away under a compositor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Loss {
    /// What the driver said.
    pub reason: String,
    /// Ticks that were in flight and are gone.
    pub ticks: u64,
}

/// Draws one room's canvas. Owned by one thread; remembers what it drew and touches only what changed.
pub trait Compositor: Send {
    /// `cpu` or `gpu`: who draws now, for logs and figures.
    fn name(&self) -> &'static str;

    /// Begins to draw `scene` with the pictures of `sources` as the tick at `pts`; [`finished`](Self::finished) gives the result,
    /// at once from the processor, a little later from a GPU. A picture counts as changed when its owner
    /// (`VideoFrame::picture`) is another one than the last tick's. Never waits: `false` means that
    /// [`limits::GPU_TICKS_MAX`](crate::base::limits::GPU_TICKS_MAX) ticks are under way already and this one is skipped; what it would
    /// have changed is part of the next one's damage.
    fn begin(&mut self, scene: &Scene, sources: &dyn Sources, pts: Pts) -> bool;

    /// The oldest picture that is done, in the order they were begun. Never waits.
    fn finished(&mut self) -> Option<ComposedFrame>;

    /// Ticks begun whose pictures were not taken yet; while there are some, ask again within a millisecond or so.
    fn in_flight(&self) -> usize;

    /// Draws one tick and waits for it: for work that has no clock to keep, such as files. Nothing else may be in flight, which
    /// is asserted.
    fn compose(&mut self, scene: &Scene, sources: &dyn Sources, pts: Pts) -> ComposedFrame;

    /// That the GPU was lost and the processor draws on, told once.
    fn loss(&mut self) -> Option<Loss> {
        None
    }

    /// Where composed frames return to when nobody needs them any more; any thread may hold a clone.
    fn pool(&self) -> FramePool;
}
