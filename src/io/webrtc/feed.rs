//! **The question:** what does a room send, and what does a newcomer get first? The rung since its last keyframe, packetised
//! once for all.

use std::sync::Arc;
use std::time::Instant;

use crate::base::limits;
use crate::base::media::{EncodedFrame, MixTick, ParticipantId, RoomEpoch};
use crate::engine::flow::{FanReader, KeyframeRequest, Read};
use crate::io::webrtc::payload::{Packetised, Packetiser};

/// A room's outgoing media, as this net thread reads it.
pub(super) struct RoomFeed {
    pub(super) epoch: RoomEpoch,
    video: FanReader<EncodedFrame>,
    audio: FanReader<MixTick>,
    rung: KeyframeRequest,
    packetiser: Packetiser,
    /// Since the last keyframe, that one first; empty when it grew too long to be worth replaying.
    replay: Vec<Arc<Packetised>>,
    keyframe_at: Option<Instant>,
}

/// One audio tick, its payloads made shareable.
pub(super) struct SoundTick {
    tick: Arc<MixTick>,
    shared: Arc<[u8]>,
    minus: Vec<(ParticipantId, Arc<[u8]>)>,
}

impl SoundTick {
    fn new(tick: Arc<MixTick>) -> Self {
        let shared = Arc::from(&tick.shared.data[..]);
        let minus = tick.minus.iter().map(|(id, frame)| (*id, Arc::from(&frame.data[..]))).collect();
        Self { tick, shared, minus }
    }

    /// Whether it need not be sent: silence is said once every `limits::DTX_TICKS`, and listeners make it up in between.
    pub(super) fn may_be_left_out(&self) -> bool {
        let tick = u128::from(self.tick.pts.0) / limits::AUDIO_TICK.as_nanos();
        self.tick.silent && !tick.is_multiple_of(u128::from(limits::DTX_TICKS))
    }

    /// What a listener hears: the mix without `minus` if that person is in it, else the shared one.
    pub(super) fn for_listener(&self, minus: Option<ParticipantId>) -> (&EncodedFrame, &Arc<[u8]>) {
        let own = minus.and_then(|id| self.minus.iter().find(|(heard, _)| *heard == id));
        (&self.tick.shared, own.map_or(&self.shared, |(_, payload)| payload))
    }
}

impl RoomFeed {
    pub(super) fn new(
        epoch: RoomEpoch,
        video: FanReader<EncodedFrame>,
        audio: FanReader<MixTick>,
        rung: KeyframeRequest,
    ) -> Self {
        Self { epoch, video, audio, rung, packetiser: Packetiser::new(), replay: Vec::new(), keyframe_at: None }
    }

    /// The next frame of the composite, packetised.
    pub(super) fn next_video(&mut self, now: Instant) -> Option<Arc<Packetised>> {
        let (Read::Item(frame) | Read::AfterGap(frame)) = self.video.read() else { return None };
        let packetised = Arc::new(self.packetiser.packetise(&frame));
        if frame.keyframe {
            self.replay.clear();
            self.keyframe_at = Some(now);
        }
        if frame.keyframe || !self.replay.is_empty() {
            self.replay.push(packetised.clone());
        }
        if self.replay.len() > limits::REPLAY_FRAMES_MAX {
            self.replay.clear();
        }
        Some(packetised)
    }

    /// The next tick of the mix.
    pub(super) fn next_sound(&mut self) -> Option<SoundTick> {
        let (Read::Item(tick) | Read::AfterGap(tick)) = self.audio.read() else { return None };
        Some(SoundTick::new(tick))
    }

    /// What a newcomer gets at once: everything since a young keyframe. Otherwise a new keyframe is wished for, and comes with
    /// the next tick.
    pub(super) fn replay_for_newcomer(&mut self, now: Instant) -> &[Arc<Packetised>] {
        let young = self.keyframe_at.is_some_and(|at| now < at + limits::KEYFRAME_SPACING);
        if young && !self.replay.is_empty() {
            return &self.replay;
        }
        self.rung.request_keyframe();
        &[]
    }

    /// A viewer lost the picture.
    pub(super) fn request_keyframe(&self) {
        self.rung.request_keyframe();
    }
}
