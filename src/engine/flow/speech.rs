//! **The question:** how does what is said reach a captioner, who may be slow? mix → socket, a ring of
//! `limits::SPEECH_WAITING_MAX` blocks a captioner; one that is full takes nothing more until there is room again, and
//! the next block says how many are missing before it.

use std::future::poll_fn;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use crossbeam_queue::ArrayQueue;
use futures_util::task::AtomicWaker;

use crate::base::limits;
use crate::base::media::Speech;
use crate::engine::flow::Counter;

/// What a captioner hears next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Heard {
    /// How many blocks were lost before it, because the captioner read too slowly.
    pub lost: u32,
    /// The next block or end.
    pub speech: Speech,
}

struct Ring {
    queue: ArrayQueue<Heard>,
    /// Of the task that reads.
    waker: AtomicWaker,
    /// The mix is gone.
    closed: AtomicBool,
    /// The reader is gone.
    left: AtomicBool,
}

/// The mix thread's end. When it goes, the reader is told that nothing more will come.
pub struct SpeechFeed {
    ring: Arc<Ring>,
    /// Lost since the last one that found room.
    lost: u32,
    counter: Counter,
}

/// The captioner's end; the feed sees that it is gone.
pub struct SpeechReader {
    ring: Arc<Ring>,
}

/// Both ends; blocks that find no room are counted in `lost`.
#[must_use]
pub fn speech_feed(lost: Counter) -> (SpeechFeed, SpeechReader) {
    let ring = Arc::new(Ring {
        queue: ArrayQueue::new(limits::SPEECH_WAITING_MAX),
        waker: AtomicWaker::new(),
        closed: AtomicBool::new(false),
        left: AtomicBool::new(false),
    });
    (SpeechFeed { ring: ring.clone(), lost: 0, counter: lost }, SpeechReader { ring })
}

impl SpeechFeed {
    /// Gives the next one. Never waits.
    pub fn give(&mut self, speech: Speech) {
        match self.ring.queue.push(Heard { lost: self.lost, speech }) {
            Ok(()) => self.lost = 0,
            Err(_) => {
                self.lost = self.lost.saturating_add(1);
                self.counter.add(1);
            }
        }
        self.ring.waker.wake();
    }

    /// Whether nobody reads it any more.
    #[must_use]
    pub fn is_left(&self) -> bool {
        self.ring.left.load(Ordering::Acquire)
    }
}

impl SpeechReader {
    /// The next one, in order; `None` once the room is over and all was read. What is not awaited to its end loses
    /// nothing.
    pub async fn next(&mut self) -> Option<Heard> {
        poll_fn(|context| self.poll_next(context)).await
    }

    fn poll_next(&mut self, context: &Context<'_>) -> Poll<Option<Heard>> {
        // Registered first: what is given from now on wakes the task.
        self.ring.waker.register(context.waker());
        // The flag before the ring: what was given before the close is then certainly in it.
        let closed = self.ring.closed.load(Ordering::Acquire);
        match self.ring.queue.pop() {
            Some(heard) => Poll::Ready(Some(heard)),
            None if closed => Poll::Ready(None),
            None => Poll::Pending,
        }
    }
}

impl Drop for SpeechFeed {
    fn drop(&mut self) {
        self.ring.closed.store(true, Ordering::Release);
        self.ring.waker.wake();
    }
}

impl Drop for SpeechReader {
    fn drop(&mut self) {
        self.ring.left.store(true, Ordering::Release);
    }
}

impl std::fmt::Debug for SpeechFeed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SpeechFeed").field("waiting", &self.ring.queue.len()).finish_non_exhaustive()
    }
}

impl std::fmt::Debug for SpeechReader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SpeechReader").field("waiting", &self.ring.queue.len()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;
    use std::task::{Wake, Waker};

    use super::*;
    use crate::base::media::{ParticipantId, Pts, TrackId, TrackKind};

    fn speech(n: u64) -> Speech {
        Speech::Ends(TrackId { participant: ParticipantId(1), kind: TrackKind::Microphone }, Pts(n))
    }

    fn read(reader: &mut SpeechReader) -> Poll<Option<Heard>> {
        reader.poll_next(&Context::from_waker(Waker::noop()))
    }

    #[test]
    fn a_slow_captioner_loses_the_newest_is_told_and_goes_on() {
        let lost = Counter::default();
        let (mut feed, mut reader) = speech_feed(lost.clone());
        let max = limits::SPEECH_WAITING_MAX as u64;
        (0..max + 7).for_each(|n| feed.give(speech(n)));
        assert_eq!(lost.get(), 7);
        for n in 0..max {
            assert_eq!(read(&mut reader), Poll::Ready(Some(Heard { lost: 0, speech: speech(n) })));
        }
        feed.give(speech(9_999));
        feed.give(speech(10_000));
        assert_eq!(read(&mut reader), Poll::Ready(Some(Heard { lost: 7, speech: speech(9_999) })));
        assert_eq!(read(&mut reader), Poll::Ready(Some(Heard { lost: 0, speech: speech(10_000) })));
    }

    #[derive(Default)]
    struct Woken(AtomicUsize);

    impl Wake for Woken {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::AcqRel);
        }
    }

    #[test]
    fn whoever_waits_is_woken_and_each_end_sees_that_the_other_is_gone() {
        let (mut feed, mut reader) = speech_feed(Counter::default());
        let woken = Arc::new(Woken::default());
        let waker = Waker::from(woken.clone());
        assert_eq!(reader.poll_next(&Context::from_waker(&waker)), Poll::Pending);
        feed.give(speech(1));
        assert_eq!(woken.0.load(Ordering::Acquire), 1);
        drop(feed);
        assert!(matches!(read(&mut reader), Poll::Ready(Some(_))), "what was given before");
        assert_eq!(read(&mut reader), Poll::Ready(None));
        let (feed, reader) = speech_feed(Counter::default());
        assert!(!feed.is_left());
        drop(reader);
        assert!(feed.is_left());
    }
}
