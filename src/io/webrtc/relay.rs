//! **The question:** how does what another node sends of a room become what is sent here? Frame by frame as they come,
//! neither decoded nor encoded: at their place on the clock of that node's room, into the same fans that a room's own
//! encoders write to.

use std::sync::Arc;
use std::time::Instant;

use crate::base::limits;
use crate::base::media::{EncodedFrame, MixTick, NANOS_PER_SECOND, Pts, ReceivedFrame, RoomEpoch, pts_from_instant};
use crate::engine::flow::{Counter, Fan, KeyframeRequest, Level};

/// What is counted of rooms that are watched here and run elsewhere; clones share the counts.
#[derive(Debug, Clone, Default)]
pub struct RelayCounters {
    /// Rooms of other nodes that are watched here.
    pub relays: Level,
    /// Those who watch them.
    pub viewers: Level,
    /// Connections to rooms' own nodes that stand.
    pub lines: Level,
    /// Bytes of pictures and sound that came by them.
    pub bytes: Counter,
    /// Pictures that came whole.
    pub frames: Counter,
    /// Of those, left for want of one before them: nothing repaired it.
    pub frames_left: Counter,
    /// Times that such a connection, or the room's own node, was lost or refused.
    pub failures: Counter,
    /// Viewers who were sent to a relay.
    pub sent_on: Counter,
    /// Viewers for whom no node could relay.
    pub refused: Counter,
}

/// Where the room's clock stands, as the other node counts and as this one does.
#[derive(Debug, Clone, Copy)]
pub struct RelayClock {
    /// Of the room as it is sent here.
    epoch: RoomEpoch,
    /// By how much that is ahead of the other node's, whole milliseconds, which are whole units of both media.
    ahead_ms: i64,
}

impl RelayClock {
    /// A clock that began at `epoch` and is `ahead_ms` ahead of the one by which frames come.
    #[must_use]
    pub const fn new(epoch: RoomEpoch, ahead_ms: i64) -> Self {
        Self { epoch, ahead_ms }
    }

    /// When a frame plays whose RTP time is `rtp_time` of `rate` Hz, of which the low 32 bits count: of all times that
    /// have these the one nearest to its arrival (RFC 3550 section 5.1).
    #[must_use]
    pub fn place(&self, rtp_time: u64, rate: u32, arrival: Instant) -> Pts {
        const WRAP: i128 = 1 << 32;
        let (second, rate) = (i128::from(NANOS_PER_SECOND), i128::from(rate));
        let ahead = i128::from(self.ahead_ms) * 1_000_000;
        let expected = (i128::from(pts_from_instant(&self.epoch, arrival).0) - ahead) * rate / second;
        let low = i128::from(rtp_time).rem_euclid(WRAP);
        let units = low + (expected - low + WRAP / 2).div_euclid(WRAP) * WRAP;
        // Rounded, so that the same unit comes out of it again.
        let nanos = (units * second + rate / 2).div_euclid(rate) + ahead;
        Pts(u64::try_from(nanos.max(0)).unwrap_or(0))
    }
}

/// Where frames of one track go that another node sends.
#[derive(Debug)]
pub enum RelaySink {
    /// Pictures.
    Pictures(RelayedPictures),
    /// Sound.
    Sound(RelayedSound),
}

impl RelaySink {
    /// One frame, in the order of the track.
    pub(super) fn push(&mut self, frame: ReceivedFrame) {
        match self {
            Self::Pictures(pictures) => pictures.push(frame),
            Self::Sound(sound) => sound.push(frame),
        }
    }

    /// Where viewers here ask for keyframes.
    pub(super) const fn keyframe_requests(&self) -> Option<&KeyframeRequest> {
        match self {
            Self::Pictures(pictures) => Some(&pictures.keyframe_requests),
            Self::Sound(_) => None,
        }
    }
}

/// The pictures of one line.
#[derive(Debug)]
pub struct RelayedPictures {
    fan: Fan<EncodedFrame>,
    keyframe_requests: KeyframeRequest,
    clock: RelayClock,
    counters: RelayCounters,
    /// A picture is missing: nothing after it can be decoded before a keyframe.
    waits: bool,
}

impl RelayedPictures {
    /// Into this fan, by this clock.
    #[must_use]
    pub const fn new(
        fan: Fan<EncodedFrame>,
        keyframe_requests: KeyframeRequest,
        clock: RelayClock,
        counters: RelayCounters,
    ) -> Self {
        Self { fan, keyframe_requests, clock, counters, waits: true }
    }

    fn push(&mut self, frame: ReceivedFrame) {
        self.counters.frames.add(1);
        self.counters.bytes.add(frame.data.len() as u64);
        self.waits = !frame.keyframe && (self.waits || !frame.contiguous);
        if self.waits {
            self.counters.frames_left.add(1);
            return self.keyframe_requests.request_keyframe();
        }
        let pts = self.clock.place(frame.rtp_time, limits::VIDEO_CLOCK, frame.arrival);
        let ReceivedFrame { codec, data, keyframe, .. } = frame;
        self.fan.publish(&Arc::new(EncodedFrame { codec, data, pts, keyframe }));
    }
}

/// The sound that comes with one of the lines.
#[derive(Debug)]
pub struct RelayedSound {
    fan: Fan<MixTick>,
    clock: RelayClock,
    counters: RelayCounters,
    /// When the newest packet plays.
    newest: Option<Pts>,
}

impl RelayedSound {
    /// Into this fan, by this clock.
    #[must_use]
    pub const fn new(fan: Fan<MixTick>, clock: RelayClock, counters: RelayCounters) -> Self {
        Self { fan, clock, counters, newest: None }
    }

    fn push(&mut self, frame: ReceivedFrame) {
        self.counters.bytes.add(frame.data.len() as u64);
        let pts = self.clock.place(frame.rtp_time, limits::SAMPLE_RATE, frame.arrival);
        // What overtook it is on its way to viewers under the number that this would have had.
        if self.newest.is_some_and(|newest| pts <= newest) {
            return;
        }
        self.newest = Some(pts);
        let wallclock = self.clock.epoch.wallclock_at(pts);
        let ReceivedFrame { codec, data, .. } = frame;
        let shared = EncodedFrame { codec, data, pts, keyframe: true };
        // Silence was left out before it came here.
        let tick = MixTick { pts, wallclock, shared, silent: false, minus: Vec::new(), redacted: None };
        self.fan.publish(&Arc::new(tick));
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use bytes::Bytes;

    use super::*;
    use crate::base::media::{Codec, Wallclock, rtp_from_pts};
    use crate::engine::flow::{Read, Waker};

    fn epoch() -> RoomEpoch {
        RoomEpoch { instant: Instant::now(), wallclock: Wallclock(0) }
    }

    #[test]
    fn a_frame_keeps_its_rtp_time_however_long_the_room_lasts_and_whenever_its_clock_wrapped() {
        let epoch = epoch();
        let clock = RelayClock::new(epoch, 0);
        for hours in [0_u64, 1, 13, 14, 24, 25, 300] {
            let pts = Pts(hours * 3_600 * NANOS_PER_SECOND + 1_234_567_891);
            let arrival = epoch.instant_at(pts) + Duration::from_millis(40);
            for rate in [limits::VIDEO_CLOCK, limits::SAMPLE_RATE] {
                let told = rtp_from_pts(pts, rate);
                // As another count of wraps, or none, would have it.
                for rtp_time in [told & 0xffff_ffff, told, told + (5 << 32)] {
                    let placed = clock.place(rtp_time, rate, arrival);
                    assert_eq!(rtp_from_pts(placed, rate), told, "{hours} h at {rate} Hz");
                    assert!(placed.0.abs_diff(pts.0) < 20_000, "{placed:?} for {pts:?}");
                }
            }
        }
    }

    #[test]
    fn a_room_that_goes_on_at_another_node_goes_on_here_by_the_same_clock() {
        let epoch = epoch();
        let clock = RelayClock::new(epoch, 7_000);
        let there = Pts(33_333_333);
        let arrival = epoch.instant_at(Pts(there.0 + 7_000_000_000));
        let placed = clock.place(rtp_from_pts(there, 90_000), 90_000, arrival);
        assert_eq!(rtp_from_pts(placed, 90_000), 3_000 + 7 * 90_000);
        // One that came before its room's beginning, as clocks go, is at it.
        assert_eq!(RelayClock::new(epoch, 0).place(u64::from(u32::MAX), 90_000, epoch.instant), Pts(0));
    }

    fn frame(sequence: u64, keyframe: bool, contiguous: bool) -> ReceivedFrame {
        let (rtp_time, arrival) = (sequence * 3_000, Instant::now());
        let one = ReceivedFrame::of_one_packet(Codec::Av1, Bytes::from_static(&[1, 2]), sequence, rtp_time, arrival);
        ReceivedFrame { keyframe, contiguous, ..one }
    }

    #[test]
    fn after_a_picture_that_is_missing_nothing_goes_on_before_a_keyframe_which_is_asked_for() {
        let (counters, requests) =
            (RelayCounters::default(), KeyframeRequest::new(Waker::new().unwrap(), Counter::default()));
        let fan = Fan::new(Counter::default());
        let mut reader = fan.subscribe(8, Waker::new().unwrap());
        let clock = RelayClock::new(epoch(), 0);
        let mut pictures = RelayedPictures::new(fan, requests.clone(), clock, counters.clone());
        let mut pass = |frame: ReceivedFrame| {
            pictures.push(frame);
            (matches!(reader.read(), Read::Item(_)), requests.take_keyframe())
        };
        assert_eq!(pass(frame(1, false, true)), (false, true), "nothing came before it");
        assert_eq!(pass(frame(2, true, false)), (true, false));
        assert_eq!(pass(frame(3, false, true)), (true, false));
        assert_eq!(pass(frame(5, false, false)), (false, true));
        assert_eq!(pass(frame(6, false, true)), (false, true));
        assert_eq!(pass(frame(7, true, true)), (true, false));
        assert_eq!((counters.frames.get(), counters.frames_left.get(), counters.bytes.get()), (6, 3, 12));
    }

    #[test]
    fn sound_goes_on_packet_by_packet_and_none_twice_or_backwards() {
        let fan = Fan::new(Counter::default());
        let mut reader = fan.subscribe(8, Waker::new().unwrap());
        let mut sound = RelayedSound::new(fan, RelayClock::new(epoch(), 0), RelayCounters::default());
        let mut pass = |rtp_time: u64| {
            let data = Bytes::from_static(&[9]);
            sound.push(ReceivedFrame::of_one_packet(Codec::Opus, data, 1, rtp_time, Instant::now()));
            matches!(reader.read(), Read::Item(tick) if tick.shared.data[..] == [9] && !tick.silent)
        };
        assert!(pass(960) && pass(2_880));
        assert!(!pass(1_920) && !pass(2_880), "it was overtaken, or came already");
        assert!(pass(3_840));
    }
}
