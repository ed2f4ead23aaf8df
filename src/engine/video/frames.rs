//! **The question:** what is the newest picture of each track?

use std::collections::{BTreeSet, HashMap};

use crate::base::media::{ParticipantId, Size, TrackId, VideoFrame};
use crate::engine::compose::Sources;
use crate::engine::flow::FrameSlot;

/// The newest picture of each track of a room.
#[derive(Default)]
pub(super) struct LatestFrames(HashMap<TrackId, LatestFrame>);

struct LatestFrame {
    slot: FrameSlot,
    /// The newest picture, kept until a newer one comes.
    frame: Option<Box<VideoFrame>>,
    /// Extent of the newest picture, as the scene was told.
    shape: Option<Size>,
    /// Nothing new comes; the last picture is kept while its tile fades.
    ended: bool,
}

impl LatestFrames {
    /// Pictures of `track` come through `slot` from now on.
    pub(super) fn add(&mut self, track: TrackId, slot: FrameSlot) {
        self.0.insert(track, LatestFrame { slot, frame: None, shape: None, ended: false });
    }

    /// Nothing new comes of `track`.
    pub(super) fn end(&mut self, track: TrackId) {
        if let Some(latest) = self.0.get_mut(&track) {
            latest.ended = true;
        }
    }

    /// The newest picture of `track` is not to be seen any more; the next one is.
    pub(super) fn blank(&mut self, track: TrackId) {
        if let Some(latest) = self.0.get_mut(&track) {
            latest.frame = None;
        }
    }

    /// Lets go of the pictures of tracks that ended: their tiles are gone.
    pub(super) fn drop_ended(&mut self) {
        self.0.retain(|_, latest| !latest.ended);
    }

    /// Takes what the decoders published: each track with a new picture, and its size where that is another one.
    pub(super) fn take(&mut self, mut new: impl FnMut(TrackId, Option<Size>)) {
        for (track, latest) in self.0.iter_mut().filter(|(_, latest)| !latest.ended) {
            let Some(frame) = latest.slot.take() else { continue };
            let size = frame.size;
            latest.frame = Some(frame);
            new(*track, (latest.shape.replace(size) != Some(size)).then_some(size));
        }
    }
}

impl Sources for LatestFrames {
    fn frame(&self, track: TrackId) -> Option<&VideoFrame> {
        self.0.get(&track).and_then(|latest| latest.frame.as_deref())
    }
}

/// Everybody's pictures but some people's.
pub(super) struct Without<'a> {
    pub(super) sources: &'a dyn Sources,
    pub(super) hidden: &'a BTreeSet<ParticipantId>,
}

impl Sources for Without<'_> {
    fn frame(&self, track: TrackId) -> Option<&VideoFrame> {
        if self.hidden.contains(&track.participant) { None } else { self.sources.frame(track) }
    }
}
