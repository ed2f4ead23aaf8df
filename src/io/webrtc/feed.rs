//! **The question:** what does a rung or a mix send, and what does a newcomer get first? A rung since its last
//! keyframe, packetised once for all; both are read only while somebody here takes them.

use std::sync::Arc;
use std::time::Instant;

use crate::base::limits;
use crate::base::media::{EncodedFrame, MixTick, ParticipantId, PeerId};
use crate::engine::flow::{Fan, FanReader, KeyframeRequest, Read, Waker};
use crate::io::webrtc::payload::{Packetised, Packetiser};

/// One rung of a room, as this net thread reads it.
pub(super) struct RungFeed {
    fan: Fan<EncodedFrame>,
    keyframe_requests: KeyframeRequest,
    /// There while it has viewers here.
    reader: Option<FanReader<EncodedFrame>>,
    packetiser: Packetiser,
    /// Since the last keyframe, that one first; empty when it grew too long to be worth replaying.
    replay: Vec<Arc<Packetised>>,
    keyframe_at: Option<Instant>,
    viewers: Vec<PeerId>,
}

impl RungFeed {
    /// A rung without viewers.
    pub(super) fn new(fan: Fan<EncodedFrame>, keyframe_requests: KeyframeRequest) -> Self {
        Self {
            fan,
            keyframe_requests,
            reader: None,
            packetiser: Packetiser::new(),
            replay: Vec::new(),
            keyframe_at: None,
            viewers: Vec::new(),
        }
    }

    /// Who watches it here, or waits for its next keyframe to do so.
    pub(super) fn viewers(&self) -> &[PeerId] {
        &self.viewers
    }

    /// Reads the rung from its first viewer on, and lets go of it with the last.
    pub(super) fn set_viewers(&mut self, viewers: Vec<PeerId>, waker: &Waker) {
        self.viewers = viewers;
        if self.viewers.is_empty() {
            self.reader = None;
            self.replay.clear();
            self.keyframe_at = None;
        } else if self.reader.is_none() {
            self.reader = Some(self.fan.subscribe(limits::VIDEO_FAN_LEN, waker.clone()));
        }
    }

    /// The next frame, packetised.
    pub(super) fn next_video(&mut self, now: Instant) -> Option<Arc<Packetised>> {
        let (Read::Item(frame) | Read::AfterGap(frame)) = self.reader.as_mut()?.read() else { return None };
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

    /// What a newcomer gets at once: everything since a young keyframe. Otherwise a new keyframe is requested, and
    /// comes with the next tick.
    pub(super) fn replay_for_newcomer(&self, now: Instant) -> &[Arc<Packetised>] {
        let young = self.keyframe_at.is_some_and(|at| now < at + limits::KEYFRAME_SPACING);
        if young && !self.replay.is_empty() {
            return &self.replay;
        }
        self.keyframe_requests.request_keyframe();
        &[]
    }

    /// A viewer lost the picture, or comes from another rung.
    pub(super) fn request_keyframe(&self) {
        self.keyframe_requests.request_keyframe();
    }
}

/// A room's mixes, as this net thread reads them.
pub(super) struct SoundFeed {
    fan: Fan<MixTick>,
    /// There while it has listeners here.
    reader: Option<FanReader<MixTick>>,
    listeners: Vec<PeerId>,
}

impl SoundFeed {
    /// Mixes without listeners.
    pub(super) fn new(fan: Fan<MixTick>) -> Self {
        Self { fan, reader: None, listeners: Vec::new() }
    }

    /// Who hears them here.
    pub(super) fn listeners(&self) -> &[PeerId] {
        &self.listeners
    }

    /// Reads them from the first listener on, and lets go with the last.
    pub(super) fn set_listeners(&mut self, listeners: Vec<PeerId>, waker: &Waker) {
        self.listeners = listeners;
        if self.listeners.is_empty() {
            self.reader = None;
        } else if self.reader.is_none() {
            self.reader = Some(self.fan.subscribe(limits::AUDIO_FAN_LEN, waker.clone()));
        }
    }

    /// The next tick.
    pub(super) fn next_sound(&mut self) -> Option<SoundTick> {
        let (Read::Item(tick) | Read::AfterGap(tick)) = self.reader.as_mut()?.read() else { return None };
        Some(SoundTick::new(tick))
    }
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

    /// Whether it need not be sent: silence is said once every `limits::DTX_TICKS`, and listeners make it up in
    /// between.
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
