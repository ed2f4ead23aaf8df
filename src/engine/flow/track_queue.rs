//! **The question:** how does an incoming track cross from its peer to its decoder? Bounded by media time; a full video
//! queue discards up to the next keyframe, which takes the place of all that waits; a full sound queue discards its
//! oldest packet.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use crossbeam_queue::ArrayQueue;

use crate::base::limits;
use crate::base::media::ReceivedFrame;
use crate::engine::flow::{Counter, TrackTap, Waker};

/// What became of a pushed frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pushed {
    /// It waits for the decoder.
    Queued,
    /// It was discarded, and so will all be until a keyframe comes: request one.
    DiscardedUntilKeyframe,
    /// The receiver is gone.
    Closed,
}

#[derive(Debug)]
struct Shared {
    queue: ArrayQueue<ReceivedFrame>,
    /// RTP time of the last frame taken, by which the sender knows the span that waits.
    taken_rtp_time: AtomicU64,
    closed: AtomicBool,
    /// Who takes, where they are to be woken.
    waker: Option<Waker>,
    /// By all queues that share it.
    discarded: Counter,
    /// How often this one was full.
    overflowed: Counter,
}

impl Shared {
    fn new(len: usize, waker: Option<Waker>, discarded: Counter) -> Arc<Self> {
        let (queue, taken_rtp_time) = (ArrayQueue::new(len), AtomicU64::new(u64::MAX));
        let (closed, overflowed) = (AtomicBool::new(false), Counter::default());
        Arc::new(Self { queue, taken_rtp_time, closed, waker, discarded, overflowed })
    }

    fn close(&self) {
        self.closed.store(true, Ordering::Release);
        self.waker.iter().for_each(Waker::wake);
    }
}

/// The peer's end of a video track's queue.
#[derive(Debug)]
pub struct TrackSender {
    shared: Arc<Shared>,
    discarding: bool,
}

/// The end of a track's queue where its frames are decoded or mixed.
#[derive(Debug)]
pub struct TrackReceiver {
    shared: Arc<Shared>,
    tap: Option<TrackTap>,
}

/// A video track's queue: at most `limits::TRACK_QUEUE_SPAN` of media time wait. `waker` wakes the decode thread.
#[must_use]
pub fn track_queue(waker: Waker, discarded: Counter) -> (TrackSender, TrackReceiver) {
    let shared = Shared::new(limits::TRACK_QUEUE_LEN, Some(waker), discarded);
    (TrackSender { shared: shared.clone(), discarding: false }, TrackReceiver { shared, tap: None })
}

impl TrackSender {
    /// Hands over one frame.
    pub fn push(&mut self, frame: ReceivedFrame) -> Pushed {
        if self.shared.closed.load(Ordering::Acquire) {
            return Pushed::Closed;
        }
        let full = self.span_waiting(frame.rtp_time) > span_max_rtp();
        self.shared.overflowed.add(full.into());
        if full && frame.keyframe {
            return self.begin_anew(frame);
        }
        if full || (self.discarding && !frame.keyframe) || self.shared.queue.push(frame).is_err() {
            self.discarding = true;
            self.shared.discarded.add(1);
            return Pushed::DiscardedUntilKeyframe;
        }
        self.discarding = false;
        self.shared.waker.iter().for_each(Waker::wake);
        Pushed::Queued
    }

    /// Whoever takes is late by more than may wait: from a keyframe on nothing before it is needed. It was asked for,
    /// and who sent it may not send another soon.
    fn begin_anew(&mut self, keyframe: ReceivedFrame) -> Pushed {
        while self.shared.queue.pop().is_some() {
            self.shared.discarded.add(1);
        }
        self.shared.taken_rtp_time.store(keyframe.rtp_time, Ordering::Release);
        self.discarding = self.shared.queue.push(keyframe).is_err();
        self.shared.waker.iter().for_each(Waker::wake);
        if self.discarding { Pushed::DiscardedUntilKeyframe } else { Pushed::Queued }
    }

    fn span_waiting(&self, rtp_time: u64) -> u64 {
        if self.shared.queue.is_empty() {
            return 0;
        }
        // u64::MAX (nothing taken yet) saturates to no span: the queue's length alone bounds it.
        rtp_time.saturating_sub(self.shared.taken_rtp_time.load(Ordering::Acquire))
    }
}

impl Drop for TrackSender {
    fn drop(&mut self) {
        self.shared.close();
    }
}

impl TrackReceiver {
    /// How often frames came while as much waited as may: whoever takes them is behind.
    #[must_use]
    pub fn overflowed(&self) -> Counter {
        self.shared.overflowed.clone()
    }

    /// The same, with a tap for who records the track.
    #[must_use]
    pub fn tapped_by(mut self, tap: Option<TrackTap>) -> Self {
        self.tap = tap;
        self
    }

    /// Where frames that are about to be decoded are given to, if anywhere.
    #[must_use]
    pub fn tap(&self) -> Option<&TrackTap> {
        self.tap.as_ref()
    }

    /// The next frame, in the order of arrival.
    #[must_use]
    pub fn pop(&self) -> Option<ReceivedFrame> {
        let frame = self.shared.queue.pop()?;
        self.shared.taken_rtp_time.store(frame.rtp_time, Ordering::Release);
        Some(frame)
    }
}

impl Drop for TrackReceiver {
    fn drop(&mut self) {
        // Nobody is woken: the sender looks when it pushes.
        self.shared.closed.store(true, Ordering::Release);
    }
}

/// The peer's end of a sound track's queue.
#[derive(Debug)]
pub struct OpusSender(Arc<Shared>);

/// A sound track's queue: at most `limits::OPUS_QUEUE_LEN` packets wait. The mixer pulls at its tick, so nobody is
/// woken.
#[must_use]
pub fn opus_queue(discarded: Counter) -> (OpusSender, TrackReceiver) {
    let shared = Shared::new(limits::OPUS_QUEUE_LEN, None, discarded);
    (OpusSender(shared.clone()), TrackReceiver { shared, tap: None })
}

impl OpusSender {
    /// Hands over one packet; a full queue discards its oldest. False once the receiver is gone.
    pub fn push(&mut self, packet: ReceivedFrame) -> bool {
        if self.0.closed.load(Ordering::Acquire) {
            return false;
        }
        if self.0.queue.force_push(packet).is_some() {
            self.0.discarded.add(1);
        }
        true
    }
}

impl Drop for OpusSender {
    fn drop(&mut self) {
        self.0.close();
    }
}

fn span_max_rtp() -> u64 {
    let span_ms = u64::try_from(limits::TRACK_QUEUE_SPAN.as_millis()).expect("a bound below an hour");
    span_ms * u64::from(limits::VIDEO_CLOCK) / 1000
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use bytes::Bytes;

    use super::*;
    use crate::base::media::Codec;

    fn frame(rtp_time: u64, keyframe: bool) -> ReceivedFrame {
        let whole = ReceivedFrame::of_one_packet(Codec::Av1, Bytes::new(), 0, rtp_time, Instant::now());
        ReceivedFrame { keyframe, ..whole }
    }

    #[test]
    fn a_stalled_decoder_bounds_the_queue_by_media_time_and_resumes_at_a_keyframe() {
        let discarded = Counter::default();
        let (mut sender, receiver) = track_queue(Waker::new().unwrap(), discarded.clone());
        assert_eq!(sender.push(frame(0, true)), Pushed::Queued);
        assert!(receiver.pop().is_some());
        let outcomes: Vec<_> = (1..10).map(|n| sender.push(frame(n * 3000, false))).collect();
        assert!(outcomes[..6].iter().all(|o| *o == Pushed::Queued), "200 ms are six frames at 30 a second");
        assert!(outcomes[6..].iter().all(|o| *o == Pushed::DiscardedUntilKeyframe));
        while receiver.pop().is_some() {}
        assert_eq!(sender.push(frame(30_000, false)), Pushed::DiscardedUntilKeyframe);
        assert_eq!(sender.push(frame(33_000, true)), Pushed::Queued);
        assert_eq!(discarded.get(), 4);
        drop(receiver);
        assert_eq!(sender.push(frame(36_000, true)), Pushed::Closed);
    }

    #[test]
    fn a_keyframe_takes_the_place_of_what_waits_too_long() {
        let discarded = Counter::default();
        let (mut sender, receiver) = track_queue(Waker::new().unwrap(), discarded.clone());
        sender.push(frame(0, true));
        assert!(receiver.pop().is_some());
        (1..10).for_each(|n| _ = sender.push(frame(n * 3000, false)));
        assert_eq!(sender.push(frame(30_000, true)), Pushed::Queued, "it was asked for");
        assert_eq!(sender.push(frame(33_000, false)), Pushed::Queued);
        let taken: Vec<_> = std::iter::from_fn(|| receiver.pop()).map(|frame| frame.rtp_time).collect();
        assert_eq!((taken, discarded.get()), (vec![30_000, 33_000], 9));
    }

    #[test]
    fn a_full_sound_queue_loses_its_oldest() {
        let discarded = Counter::default();
        let (mut sender, receiver) = opus_queue(discarded.clone());
        for n in 0..=limits::OPUS_QUEUE_LEN as u64 {
            assert!(sender.push(frame(n, true)));
        }
        assert_eq!(discarded.get(), 1);
        assert_eq!(receiver.pop().map(|packet| packet.rtp_time), Some(1));
    }
}
