//! **The question:** how does one encode reach every thread that reads it? One bounded ring a reader; a slow reader
//! lags alone and goes on at the next keyframe.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use arc_swap::ArcSwap;
use crossbeam_queue::ArrayQueue;

use crate::base::media::{EncodedFrame, MixTick, TappedFrame};
use crate::engine::flow::{Counter, Waker};

/// What a fan may carry.
pub trait FanItem: Send + Sync + 'static {
    /// Whether a reader that lost something may go on here.
    fn resumes(&self) -> bool;
}

impl FanItem for EncodedFrame {
    fn resumes(&self) -> bool {
        self.keyframe
    }
}

impl FanItem for TappedFrame {
    fn resumes(&self) -> bool {
        self.received.keyframe
    }
}

impl FanItem for MixTick {
    fn resumes(&self) -> bool {
        true
    }
}

/// The writing end. `subscribe` may be called from any thread; clones write to the same readers, but only one thread
/// may publish.
#[derive(Debug)]
pub struct Fan<T> {
    readers: Arc<ArcSwap<Vec<Arc<Ring<T>>>>>,
    lagged: Counter,
}

impl<T> Clone for Fan<T> {
    fn clone(&self) -> Self {
        Self { readers: self.readers.clone(), lagged: self.lagged.clone() }
    }
}

#[derive(Debug)]
struct Ring<T> {
    /// Items, each with whether others were discarded before it.
    queue: ArrayQueue<(bool, Arc<T>)>,
    waker: Waker,
    /// Waits for an item that resumes; the writer's own.
    lagging: AtomicBool,
    /// Items were discarded since the last one queued; the writer's own.
    lost: AtomicBool,
    closed: AtomicBool,
}

/// One reader's end; dropping it unsubscribes.
#[derive(Debug)]
pub struct FanReader<T> {
    ring: Arc<Ring<T>>,
    readers: Arc<ArcSwap<Vec<Arc<Ring<T>>>>>,
}

/// What a reader finds.
#[derive(Debug)]
pub enum Read<T> {
    /// The next item.
    Item(Arc<T>),
    /// The next item, after a gap: items were discarded before it.
    AfterGap(Arc<T>),
    /// Nothing yet.
    Empty,
    /// Nothing, and the writer is gone.
    Closed,
}

impl<T: FanItem> Fan<T> {
    /// A fan without readers; items a slow reader loses are counted in `lagged`.
    #[must_use]
    pub fn new(lagged: Counter) -> Self {
        Self { readers: Arc::default(), lagged }
    }

    /// A new reader that holds up to `capacity` items and is woken by `waker`. It starts at the next item that resumes.
    #[must_use]
    pub fn subscribe(&self, capacity: usize, waker: Waker) -> FanReader<T> {
        let ring = Arc::new(Ring {
            queue: ArrayQueue::new(capacity),
            waker,
            lagging: AtomicBool::new(true),
            lost: AtomicBool::new(false),
            closed: AtomicBool::new(false),
        });
        self.readers.rcu(|old| {
            let mut next = Vec::clone(old);
            next.push(ring.clone());
            next
        });
        FanReader { ring, readers: self.readers.clone() }
    }

    /// Gives `item` to every reader; one whose ring is full loses items until the next that resumes and fits.
    pub fn publish(&self, item: &Arc<T>) {
        for ring in self.readers.load().iter() {
            self.offer(ring, item);
        }
    }

    // `lagging` and `lost` are written by the publishing thread alone, so relaxed reads see the latest values.
    fn offer(&self, ring: &Ring<T>, item: &Arc<T>) {
        let lost = ring.lost.load(Ordering::Relaxed);
        if ring.lagging.load(Ordering::Relaxed) && !item.resumes() {
            self.lagged.add(u64::from(lost));
            return;
        }
        let full = ring.queue.push((lost, item.clone())).is_err();
        ring.lagging.store(full, Ordering::Relaxed);
        ring.lost.store(full, Ordering::Relaxed);
        self.lagged.add(u64::from(full));
        ring.waker.wake();
    }

    /// How many readers there are.
    #[must_use]
    pub fn readers(&self) -> usize {
        self.readers.load().len()
    }

    /// Tells every reader that nothing more will come.
    pub fn close(&self) {
        for ring in self.readers.load().iter() {
            ring.closed.store(true, Ordering::Release);
            ring.waker.wake();
        }
    }
}

impl<T> FanReader<T> {
    /// The next item, in order.
    #[must_use]
    pub fn read(&mut self) -> Read<T> {
        // Read the flag first: what was published before the close is then certainly in the queue.
        let closed = self.ring.closed.load(Ordering::Acquire);
        match self.ring.queue.pop() {
            Some((true, item)) => Read::AfterGap(item),
            Some((false, item)) => Read::Item(item),
            None if closed => Read::Closed,
            None => Read::Empty,
        }
    }

    /// Nothing that is published from now on reaches this reader; what it holds is still read, then it is closed.
    pub fn stop(&self) {
        self.unsubscribe();
        self.ring.closed.store(true, Ordering::Release);
    }

    fn unsubscribe(&self) {
        self.readers.rcu(|old| old.iter().filter(|ring| !Arc::ptr_eq(ring, &self.ring)).cloned().collect::<Vec<_>>());
    }
}

impl<T> Drop for FanReader<T> {
    fn drop(&mut self) {
        self.unsubscribe();
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::base::media::{Codec, Pts};

    fn frame(n: u64, keyframe: bool) -> Arc<EncodedFrame> {
        Arc::new(EncodedFrame { codec: Codec::Av1, data: Bytes::new(), pts: Pts(n), keyframe })
    }

    #[test]
    fn a_slow_reader_lags_alone_and_goes_on_at_a_keyframe() {
        let lagged = Counter::default();
        let fan = Fan::new(lagged.clone());
        let mut slow = fan.subscribe(2, Waker::new().unwrap());
        let mut quick = fan.subscribe(2, Waker::new().unwrap());
        let mut quick_seen = 0;
        for n in 0..6 {
            fan.publish(&frame(n, n == 0 || n == 5));
            while let Read::Item(_) = quick.read() {
                quick_seen += 1;
            }
            if n == 3 {
                // Room again, but only a keyframe may use it.
                assert!(matches!(slow.read(), Read::Item(f) if f.pts == Pts(0)));
            }
        }
        assert_eq!(quick_seen, 6);
        assert_eq!(lagged.get(), 3, "frames 2, 3 and 4");
        assert!(matches!(slow.read(), Read::Item(f) if f.pts == Pts(1)));
        assert!(matches!(slow.read(), Read::AfterGap(f) if f.pts == Pts(5)));
        fan.close();
        assert!(matches!(slow.read(), Read::Closed));
        drop(slow);
        assert_eq!(fan.readers(), 1);
    }

    #[test]
    fn a_reader_that_stops_reads_what_it_holds_and_nothing_more() {
        let fan = Fan::new(Counter::default());
        let mut reader = fan.subscribe(4, Waker::new().unwrap());
        fan.publish(&frame(0, true));
        reader.stop();
        fan.publish(&frame(1, true));
        assert!(matches!(reader.read(), Read::Item(frame) if frame.pts == Pts(0)));
        assert!(matches!(reader.read(), Read::Closed));
        assert_eq!(fan.readers(), 0);
    }

    #[test]
    fn a_new_reader_starts_at_a_keyframe_and_that_is_no_lag() {
        let lagged = Counter::default();
        let fan = Fan::new(lagged.clone());
        let mut reader = fan.subscribe(4, Waker::new().unwrap());
        fan.publish(&frame(0, false));
        assert!(matches!(reader.read(), Read::Empty));
        fan.publish(&frame(1, true));
        assert!(matches!(reader.read(), Read::Item(_)));
        assert_eq!(lagged.get(), 0);
    }
}
