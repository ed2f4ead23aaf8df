//! **The question:** when is a picture decoded, and may it be at all? Frames leave in sequence order at their due time;
//! after a gap nothing leaves until a keyframe.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use crate::base::limits;
use crate::base::media::{Outbox, ReceivedFrame};
use crate::core::jitter::Transit;

/// Share of frames that shall be in time.
const IN_TIME_PERCENT: usize = 95;
/// What the wish adds to that percentile.
const MARGIN: Duration = Duration::from_millis(2);
/// A frame released so much after its due time is late; less is the wake-up of a thread.
const LATE_AFTER: Duration = Duration::from_millis(5);

/// What the decode thread tells its jitter buffer. Every call also releases what is due.
#[derive(Debug)]
pub enum VideoInput {
    /// The next frame in sequence order.
    Frame(ReceivedFrame),
    /// The delay to use from now on: the larger of what camera and microphone want.
    Delay(Duration),
    /// Frames were lost on the way here, or the decoder refused one: nothing can be decoded before the next keyframe.
    Broken,
    /// The deadline came.
    Due,
}

/// What the jitter buffer wants done.
#[derive(Debug)]
pub enum VideoOutput {
    /// Decode this frame now.
    Release {
        /// The frame, in sequence order.
        frame: ReceivedFrame,
        /// It missed its time. Others refer to it, so decode it, but a newer picture supersedes it.
        late: bool,
    },
    /// Ask the source for a keyframe. Repeated while one is missing and frames come, [`limits::KEYFRAMES_SOON`] times
    /// after a `limits::KEYFRAME_RETRY` and then once a `limits::KEYFRAME_SPACING`.
    RequestKeyframe,
}

/// What happened so far. `frames = released + discarded + queued`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct VideoStats {
    /// Frames that came in.
    pub frames: u64,
    /// Frames that went out.
    pub released: u64,
    /// Of those, how many were late.
    pub released_late: u64,
    /// Of those, how many left before their time because the buffer was full.
    pub hastened: u64,
    /// Frames discarded: out of order, or waiting for a keyframe.
    pub discarded: u64,
    /// Keyframe requests made.
    pub keyframe_requests: u64,
    /// Timelines begun.
    pub restarts: u64,
    /// Frames that wait now.
    pub queued: usize,
}

/// The jitter buffer of one video track.
#[derive(Debug)]
pub struct VideoJitter {
    transit: Transit,
    queue: VecDeque<ReceivedFrame>,
    delay: Duration,
    /// The last frame taken in, by which order is judged.
    last: Option<Last>,
    needs_keyframe: bool,
    /// When a keyframe that did not come yet was last asked for, and how often it was.
    requested: Option<(Instant, usize)>,
    stats: VideoStats,
}

#[derive(Debug, Clone, Copy)]
struct Last {
    sequence: u64,
    rtp_time: u64,
}

impl Default for VideoJitter {
    fn default() -> Self {
        Self::new()
    }
}

impl VideoJitter {
    /// An empty buffer that waits for its first keyframe.
    #[must_use]
    pub fn new() -> Self {
        Self {
            transit: Transit::new(limits::VIDEO_CLOCK, IN_TIME_PERCENT, MARGIN),
            queue: VecDeque::with_capacity(limits::TRACK_QUEUE_LEN),
            delay: Duration::ZERO,
            last: None,
            needs_keyframe: true,
            requested: None,
            stats: VideoStats::default(),
        }
    }

    /// Takes one input, and releases what is due at `now`.
    pub fn handle(&mut self, now: Instant, input: VideoInput, out: &mut Outbox<VideoOutput>) {
        match input {
            VideoInput::Frame(frame) => self.admit(now, frame, out),
            VideoInput::Delay(delay) => self.delay = delay.min(limits::PLAYOUT_DELAY_MAX),
            VideoInput::Broken => self.lose_reference(now, out),
            VideoInput::Due => {}
        }
        self.release_due(now, out);
        debug_assert!(self.queue.len() <= limits::TRACK_QUEUE_LEN, "the buffer is bounded");
    }

    /// When `handle` must be called again at the latest.
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        self.queue.front().and_then(|frame| self.due(frame))
    }

    /// How long this track wants its frames to wait; the delay used comes back as `VideoInput::Delay`.
    #[must_use]
    pub fn wanted_delay(&self) -> Duration {
        self.transit.wanted_delay()
    }

    /// When the frame of `rtp_time` would be released without any delay; `None` before the first arrival.
    #[must_use]
    pub fn expected(&self, rtp_time: u64) -> Option<Instant> {
        self.transit.due(rtp_time, Duration::ZERO)
    }

    /// What happened so far.
    #[must_use]
    pub fn stats(&self) -> VideoStats {
        VideoStats { queued: self.queue.len(), ..self.stats }
    }

    fn admit(&mut self, now: Instant, frame: ReceivedFrame, out: &mut Outbox<VideoOutput>) {
        self.stats.frames += 1;
        let last = Last { sequence: frame.sequence_last, rtp_time: frame.rtp_time };
        if self.is_repeated(&frame) {
            self.stats.discarded += 1;
            return;
        }
        if self.transit.observe(frame.rtp_time, frame.arrival).restarted {
            self.stats.restarts += 1;
            // What waits has no place on the new timeline: out with it, in order.
            while !self.queue.is_empty() {
                self.release_first(now, out);
            }
        }
        self.last = Some(last);
        if frame.keyframe {
            self.needs_keyframe = false;
            self.requested = None;
        } else if self.needs_keyframe || !frame.contiguous {
            self.needs_keyframe = true;
            self.stats.discarded += 1;
            self.request_keyframe(now, out);
            return;
        }
        if self.queue.len() == limits::TRACK_QUEUE_LEN {
            self.stats.hastened += 1;
            self.release_first(now, out);
        }
        self.queue.push_back(frame);
    }

    /// Behind the last frame in sequence and in time: a repetition. Behind in one of them only: a new timeline.
    fn is_repeated(&self, frame: &ReceivedFrame) -> bool {
        self.last.is_some_and(|last| {
            !is_after(frame.sequence_first, last.sequence) && !is_after(frame.rtp_time, last.rtp_time)
        }) && !self.is_far(frame)
    }

    fn is_far(&self, frame: &ReceivedFrame) -> bool {
        let far = u64::from(limits::VIDEO_CLOCK) * 3;
        self.last.is_some_and(|last| last.rtp_time.wrapping_sub(frame.rtp_time) > far)
    }

    fn lose_reference(&mut self, now: Instant, out: &mut Outbox<VideoOutput>) {
        // Frames that wait are of no use, unless one of them is the keyframe everybody waits for.
        let lost = self.queue.iter().position(|frame| frame.keyframe).unwrap_or(self.queue.len());
        self.queue.drain(..lost);
        self.stats.discarded += lost as u64;
        if self.queue.is_empty() {
            self.needs_keyframe = true;
            self.request_keyframe(now, out);
        }
    }

    fn request_keyframe(&mut self, now: Instant, out: &mut Outbox<VideoOutput>) {
        // One that came was left out by a full queue, perhaps: nobody else knows that it is still missing.
        let spacing =
            |asked| if asked <= limits::KEYFRAMES_SOON { limits::KEYFRAME_RETRY } else { limits::KEYFRAME_SPACING };
        if self.requested.is_some_and(|(at, asked)| now.saturating_duration_since(at) < spacing(asked)) {
            return;
        }
        self.requested = Some((now, self.requested.map_or(1, |(_, asked)| asked + 1)));
        self.stats.keyframe_requests += 1;
        out.push(VideoOutput::RequestKeyframe);
    }

    fn release_due(&mut self, now: Instant, out: &mut Outbox<VideoOutput>) {
        while self.deadline().is_some_and(|due| due <= now) {
            self.release_first(now, out);
        }
    }

    fn release_first(&mut self, now: Instant, out: &mut Outbox<VideoOutput>) {
        let Some(frame) = self.queue.pop_front() else { return };
        let late = self.due(&frame).is_some_and(|due| now > due + LATE_AFTER);
        self.stats.released += 1;
        self.stats.released_late += u64::from(late);
        out.push(VideoOutput::Release { frame, late });
    }

    fn due(&self, frame: &ReceivedFrame) -> Option<Instant> {
        self.transit.due(frame.rtp_time, self.delay)
    }
}

fn is_after(later: u64, earlier: u64) -> bool {
    later.wrapping_sub(earlier).cast_signed() > 0
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::base::media::Codec;

    fn ms(n: u64) -> Duration {
        Duration::from_millis(n)
    }

    fn frame(n: u64, arrival: Instant, keyframe: bool, contiguous: bool) -> VideoInput {
        let whole = ReceivedFrame::of_one_packet(Codec::Av1, Bytes::new(), n, n * 3000, arrival);
        VideoInput::Frame(ReceivedFrame { keyframe, contiguous, ..whole })
    }

    fn released(out: &mut Outbox<VideoOutput>) -> Vec<(u64, bool)> {
        out.drain()
            .filter_map(|output| match output {
                VideoOutput::Release { frame, late } => Some((frame.sequence_first, late)),
                VideoOutput::RequestKeyframe => None,
            })
            .collect()
    }

    #[test]
    fn frames_leave_when_due_and_the_deadline_says_when() {
        let start = Instant::now();
        let (mut jitter, mut out) = (VideoJitter::new(), Outbox::new());
        jitter.handle(start, VideoInput::Delay(ms(40)), &mut out);
        jitter.handle(start, frame(0, start, true, true), &mut out);
        assert!(out.is_empty());
        assert_eq!(jitter.deadline(), Some(start + ms(40)));
        // The second frame is 10 ms slow on its way, yet plays 33 ms after the first.
        jitter.handle(start + ms(43), frame(1, start + ms(43), false, true), &mut out);
        assert_eq!(released(&mut out), [(0, false)]);
        let due = jitter.deadline().unwrap();
        assert_eq!(due.duration_since(start).as_millis(), 73);
        jitter.handle(due, VideoInput::Due, &mut out);
        assert_eq!(released(&mut out), [(1, false)]);
        assert_eq!(jitter.deadline(), None);
    }

    #[test]
    fn a_late_frame_is_released_at_once_and_flagged() {
        let start = Instant::now();
        let (mut jitter, mut out) = (VideoJitter::new(), Outbox::new());
        jitter.handle(start, frame(0, start, true, true), &mut out);
        jitter.handle(start + ms(133), frame(1, start + ms(133), false, true), &mut out);
        assert_eq!(released(&mut out), [(0, false), (1, true)]);
        assert_eq!(jitter.stats().released_late, 1);
    }

    #[test]
    fn after_a_gap_nothing_leaves_until_a_keyframe_and_requests_are_spaced() {
        let start = Instant::now();
        let (mut jitter, mut out) = (VideoJitter::new(), Outbox::new());
        jitter.handle(start, frame(0, start, true, true), &mut out);
        let mut requests = 0;
        for n in 2..92 {
            let now = start + ms(n * 33);
            jitter.handle(now, frame(n, now, false, n != 2), &mut out);
            requests += out.as_slice().iter().filter(|o| matches!(o, VideoOutput::RequestKeyframe)).count();
            let expected: &[(u64, bool)] = if n == 2 { &[(0, false)] } else { &[] };
            let seen = released(&mut out);
            assert!(seen.is_empty() || n == 2 && seen == expected, "{seen:?}");
        }
        assert_eq!(requests, 5, "in three seconds: at once, twice after 0.3 s, and one a second from there");
        let now = start + ms(92 * 34);
        jitter.handle(now, frame(92, now, true, true), &mut out);
        jitter.handle(now + ms(300), VideoInput::Due, &mut out);
        assert_eq!(released(&mut out).len(), 1);
        let stats = jitter.stats();
        assert_eq!(stats.frames, stats.released + stats.discarded + stats.queued as u64);
    }

    #[test]
    fn a_broken_reference_spares_a_keyframe_that_already_waits() {
        let start = Instant::now();
        let (mut jitter, mut out) = (VideoJitter::new(), Outbox::new());
        jitter.handle(start, VideoInput::Delay(ms(200)), &mut out);
        for n in 0..4 {
            let now = start + ms(n * 33);
            jitter.handle(now, frame(n, now, n % 2 == 0, true), &mut out);
        }
        jitter.handle(start + ms(100), VideoInput::Broken, &mut out);
        jitter.handle(start + ms(400), VideoInput::Due, &mut out);
        assert_eq!(released(&mut out).iter().map(|r| r.0).collect::<Vec<_>>(), [0, 1, 2, 3]);
        jitter.handle(start + ms(400), VideoInput::Broken, &mut out);
        assert!(matches!(out.as_slice(), [VideoOutput::RequestKeyframe]));
    }

    #[test]
    fn repetitions_are_discarded_and_a_new_timeline_goes_on() {
        let start = Instant::now();
        let (mut jitter, mut out) = (VideoJitter::new(), Outbox::new());
        for n in [100_000_u64, 100_001, 100_000, 100_001, 100_002] {
            jitter.handle(start, frame(n, start, n == 100_000, true), &mut out);
        }
        jitter.handle(start + ms(500), VideoInput::Due, &mut out);
        assert_eq!(jitter.stats().discarded, 2);
        // The sender starts anew: sequence and time fall far back.
        jitter.handle(start + ms(600), frame(5, start + ms(600), true, false), &mut out);
        jitter.handle(start + ms(900), VideoInput::Due, &mut out);
        assert_eq!(released(&mut out).last().map(|r| r.0), Some(5));
        assert_eq!(jitter.stats().restarts, 2);
    }
}
