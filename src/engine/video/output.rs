//! **The question:** what does one output of a room show at this tick? The room's scene without those whom its view
//! hides, at the size of its rung. What is drawn for such a view never had the hidden people's pictures in reach.

use std::collections::BTreeSet;

use crossbeam_channel::{Sender, TrySendError};

use crate::base::media::{ComposedFrame, Content, Damage, ParticipantId, Pts, RungId, Size};
use crate::core::scene::{ContentWatch, Scene, redacted, scaled};
use crate::engine::compose::{Compositor, Loss, Sources};
use crate::engine::video::frames::Without;

/// One output of a room.
pub struct OutputSetup {
    /// Which encode it feeds.
    pub rung: RungId,
    /// Whom it hides.
    pub hidden: BTreeSet<ParticipantId>,
    /// Its raster.
    pub size: Size,
    /// Frames a second at most; divides the room's ticks a second.
    pub fps: u32,
    /// Who paints.
    pub compositor: Box<dyn Compositor>,
    /// To the encoder: at most `limits::COMPOSED_QUEUE_LEN` ticks.
    pub composed: Sender<ComposedFrame>,
}

/// A canvas, and what of its damage the encoder has not seen.
pub(super) struct CanvasOutput {
    setup: OutputSetup,
    /// What changed at ticks that were not encoded; the next one that is carries it too.
    unseen: Option<Damage>,
    /// What it shows most of.
    watch: ContentWatch,
    content: Content,
}

impl CanvasOutput {
    pub(super) fn new(setup: OutputSetup) -> Self {
        Self { setup, unseen: None, watch: ContentWatch::default(), content: Content::default() }
    }

    pub(super) const fn rung(&self) -> RungId {
        self.setup.rung
    }

    /// Whether the people of the room see it, so that what it skips is theirs.
    pub(super) fn is_whole(&self) -> bool {
        self.setup.hidden.is_empty()
    }

    /// Whether it has a frame at tick `tick` of a room of `fps` ticks a second that sends `most` of them.
    pub(super) fn is_due(&self, tick: u64, most: u32, fps: u32) -> bool {
        let spacing = fps / self.setup.fps.min(most).clamp(1, fps);
        tick.is_multiple_of(spacing as u64)
    }

    /// Ticks begun and not handed to the encoder yet.
    pub(super) fn in_flight(&self) -> usize {
        self.setup.compositor.in_flight()
    }

    /// Begins to draw a tick; false where the GPU is busy and this one is left out.
    pub(super) fn begin(&mut self, scene: &Scene, sources: &dyn Sources, pts: Pts) -> bool {
        let OutputSetup { hidden, size, compositor, .. } = &mut self.setup;
        if hidden.is_empty() && scene.canvas == *size {
            self.content = self.watch.at(scene, pts);
            return compositor.begin(scene, sources, pts);
        }
        let without = Without { sources, hidden };
        let scene = if hidden.is_empty() { None } else { Some(redacted(scene, hidden)) }.map_or_else(
            || scaled(scene, *size),
            |scene| if scene.canvas == *size { scene } else { scaled(&scene, *size) },
        );
        self.content = self.watch.at(&scene, pts);
        compositor.begin(&scene, &without, pts)
    }

    /// Hands what is composed to the encoder. How many ticks the encoder had no room for, and whether a GPU failed.
    pub(super) fn submit(&mut self) -> (u64, Option<Loss>) {
        let mut skipped = 0;
        while let Some(mut composed) = self.setup.compositor.finished() {
            composed.content = self.content;
            if let Some(unseen) = self.unseen.take() {
                composed.damage.add(&unseen);
            }
            if let Err(TrySendError::Full(composed) | TrySendError::Disconnected(composed)) =
                self.setup.composed.try_send(composed)
            {
                self.unseen = Some(composed.damage.clone());
                self.setup.compositor.pool().recycle(composed);
                skipped += 1;
            }
        }
        (skipped, self.setup.compositor.loss())
    }
}
