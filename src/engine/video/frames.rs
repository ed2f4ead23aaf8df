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
    /// Ticks from one picture to the next.
    spacing: u32,
    /// How often its decoder's queue had been full at the last look.
    overflowed: u64,
}

impl LatestFrames {
    /// Pictures of `track` come through `slot` from now on.
    pub(super) fn add(&mut self, track: TrackId, slot: FrameSlot) {
        self.0.insert(track, LatestFrame { slot, frame: None, shape: None, ended: false, spacing: 1, overflowed: 0 });
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

    /// How many ticks pass from one picture of each track to the next.
    pub(super) fn pace(&mut self, spacing: impl Fn(TrackId) -> u32) {
        self.0.iter_mut().for_each(|(track, latest)| latest.spacing = spacing(*track).max(1));
    }

    /// Of how many tracks the decoders were behind since the last look, and how many tracks there are.
    pub(super) fn behind(&mut self) -> (u32, u32) {
        let (mut behind, mut all) = (0, 0);
        for latest in self.0.values_mut().filter(|latest| !latest.ended) {
            let overflowed = latest.slot.overflowed();
            behind += u32::from(std::mem::replace(&mut latest.overflowed, overflowed) != overflowed);
            all += 1;
        }
        (behind, all)
    }

    /// Takes what the decoders published of the tracks that are due at `tick`: each with a new picture, and its size
    /// where that is another one; and whether it is the first. Those of one pace come together, so that the ticks
    /// between cost little.
    pub(super) fn take(&mut self, tick: u64, mut new: impl FnMut(TrackId, Option<Size>, bool)) {
        let is_due = |latest: &LatestFrame| !latest.ended && tick.is_multiple_of(latest.spacing.into());
        for (track, latest) in self.0.iter_mut().filter(|(_, latest)| is_due(latest)) {
            let Some(frame) = latest.slot.take() else { continue };
            let size = frame.size;
            latest.frame = Some(frame);
            let before = latest.shape.replace(size);
            new(*track, (before != Some(size)).then_some(size), before.is_none());
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

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::base::media::{Matrix, Picture, PlaneRef, TrackKind};

    struct Grey;
    impl Picture for Grey {
        fn plane(&self, _: usize) -> PlaneRef<'_> {
            PlaneRef { data: &[128], stride: 1 }
        }
    }

    fn frame() -> Box<VideoFrame> {
        let (size, picture) = (Size::new(1, 1), Arc::new(Grey));
        Box::new(VideoFrame { size, full_range: false, matrix: Matrix::default(), arrival: None, picture })
    }

    #[test]
    fn tracks_of_one_pace_come_together_and_the_newest_picture_wins() {
        let ids = [1, 2, 3].map(|number| TrackId { participant: ParticipantId(number), kind: TrackKind::Camera });
        let slots = [(); 3].map(|()| FrameSlot::default());
        let mut frames = LatestFrames::default();
        ids.iter().zip(&slots).for_each(|(id, slot)| frames.add(*id, slot.clone()));
        frames.pace(|track| if track == ids[2] { 1 } else { 2 });
        for tick in 0..8 {
            slots.iter().for_each(|slot| drop(slot.publish(frame())));
            let mut taken = BTreeSet::new();
            frames.take(tick, |track, _, _| assert!(taken.insert(track)));
            let due: BTreeSet<TrackId> = if tick % 2 == 0 { ids.into() } else { [ids[2]].into() };
            assert_eq!(taken, due, "tick {tick}");
        }
    }
}
