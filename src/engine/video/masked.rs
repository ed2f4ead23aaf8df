//! **The question:** how does a recording go without people who do not want to be in it? The room's scene is drawn once
//! more with their tiles masked, for an encoder of its own. What is drawn here never had their pictures in reach.

use std::collections::BTreeSet;

use crossbeam_channel::{Sender, TrySendError};

use crate::base::media::{ComposedFrame, Damage, ParticipantId, Pts, TrackId, VideoFrame};
use crate::core::scene::{Scene, masked};
use crate::engine::compose::{Compositor, Loss, Sources};

/// A second canvas of a room.
pub struct MaskedWork {
    /// Who is not shown.
    pub people: BTreeSet<ParticipantId>,
    /// Who paints.
    pub compositor: Box<dyn Compositor>,
    /// To the encoder.
    pub composed: Sender<ComposedFrame>,
}

/// A canvas and what of its damage the encoder has not seen.
pub struct CanvasOutput {
    /// Who paints.
    pub compositor: Box<dyn Compositor>,
    composed: Sender<ComposedFrame>,
    /// What changed at ticks that were not encoded; the next one that is carries it too.
    unseen: Option<Damage>,
}

impl CanvasOutput {
    /// A fresh canvas.
    pub fn new(compositor: Box<dyn Compositor>, composed: Sender<ComposedFrame>) -> Self {
        Self { compositor, composed, unseen: None }
    }

    /// Hands what is composed to the encoder. How many ticks the encoder had no room for, and whether a GPU failed.
    pub fn submit(&mut self) -> (u64, Option<Loss>) {
        let mut skipped = 0;
        while let Some(mut composed) = self.compositor.finished() {
            if let Some(unseen) = self.unseen.take() {
                composed.damage.add(&unseen);
            }
            if let Err(TrySendError::Full(composed) | TrySendError::Disconnected(composed)) =
                self.composed.try_send(composed)
            {
                self.unseen = Some(composed.damage.clone());
                self.compositor.pool().recycle(composed);
                skipped += 1;
            }
        }
        (skipped, self.compositor.loss())
    }
}

/// The second canvas at work.
pub struct Masked {
    people: BTreeSet<ParticipantId>,
    /// Its canvas.
    pub output: CanvasOutput,
}

impl From<MaskedWork> for Masked {
    fn from(work: MaskedWork) -> Self {
        Self { people: work.people, output: CanvasOutput::new(work.compositor, work.composed) }
    }
}

impl Masked {
    /// Begins to draw a tick; one that finds the GPU busy is left out.
    pub fn begin(&mut self, scene: &Scene, sources: &dyn Sources, pts: Pts) {
        let seen = Seen { sources, without: &self.people };
        self.output.compositor.begin(&masked(scene, &self.people), &seen, pts);
    }
}

/// Everybody's pictures but some people's.
struct Seen<'a> {
    sources: &'a dyn Sources,
    without: &'a BTreeSet<ParticipantId>,
}

impl Sources for Seen<'_> {
    fn frame(&self, track: TrackId) -> Option<&VideoFrame> {
        if self.without.contains(&track.participant) { None } else { self.sources.frame(track) }
    }
}
