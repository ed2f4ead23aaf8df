//! **The question:** what does every compositor do, whoever draws?

use std::collections::BTreeMap;

use crate::base::media::{ComposedFrame, ParticipantId, Pts, TrackId, TrackKind, VideoFrame};
use crate::core::scene::Scene;
use crate::engine::compose::pool::FramePool;

/// The newest picture of each camera, as the compose thread holds them.
pub trait Sources {
    /// The newest picture of `track`, a camera or a screen; `None` shows the placeholder.
    fn frame(&self, track: TrackId) -> Option<&VideoFrame>;
}

impl Sources for BTreeMap<TrackId, VideoFrame> {
    fn frame(&self, track: TrackId) -> Option<&VideoFrame> {
        self.get(&track)
    }
}

/// Cameras only.
impl Sources for BTreeMap<ParticipantId, VideoFrame> {
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

    /// Begins to draw `scene` with the pictures of `sources` as the tick at `pts`; [`finished`](Self::finished) gives
    /// the result, at once from the processor, a little later from a GPU. A picture counts as changed when its owner
    /// (`VideoFrame::picture`) is another one than the last tick's. Never waits: `false` means that
    /// [`limits::GPU_TICKS_MAX`](crate::base::limits::GPU_TICKS_MAX) ticks are under way already and this one is
    /// skipped; what it would have changed is part of the next one's damage.
    fn begin(&mut self, scene: &Scene, sources: &dyn Sources, pts: Pts) -> bool;

    /// The oldest picture that is done, in the order they were begun. Never waits.
    fn finished(&mut self) -> Option<ComposedFrame>;

    /// Ticks begun whose pictures were not taken yet; while there are some, ask again within a millisecond or so.
    fn in_flight(&self) -> usize;

    /// Draws one tick and waits for it: for work that has no clock to keep, such as files. Nothing else may be in
    /// flight, which is asserted.
    fn compose(&mut self, scene: &Scene, sources: &dyn Sources, pts: Pts) -> ComposedFrame;

    /// That the GPU was lost and the processor draws on, told once.
    fn loss(&mut self) -> Option<Loss> {
        None
    }

    /// Where composed frames return to when nobody needs them any more; any thread may hold a clone.
    fn pool(&self) -> FramePool;
}
