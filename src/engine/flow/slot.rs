//! **The question:** which is the newest picture of this track? decode → compose, one frame, newest wins.

use std::sync::Arc;

use crossbeam_utils::atomic::AtomicCell;

use crate::base::media::VideoFrame;
use crate::engine::flow::Counter;

/// A lock-free cell for one frame; clones are the same cell. Superseded frames are counted and returned to the
/// producer.
#[derive(Clone, Default)]
pub struct FrameSlot(Arc<Inner>);

#[derive(Default)]
struct Inner {
    cell: AtomicCell<Option<Box<VideoFrame>>>,
    superseded: Counter,
    /// How often the queue before the decoder was full.
    overflowed: Counter,
}

// The pointer must fit an atomic, else the cell falls back to a spin lock.
const _: () = assert!(AtomicCell::<Option<Box<VideoFrame>>>::is_lock_free());

impl std::fmt::Debug for FrameSlot {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FrameSlot").field("superseded", &self.0.superseded).finish_non_exhaustive()
    }
}

impl FrameSlot {
    /// An empty slot that counts what it supersedes in `superseded`.
    #[must_use]
    pub fn new(superseded: Counter) -> Self {
        Self(Arc::new(Inner { cell: AtomicCell::new(None), superseded, overflowed: Counter::default() }))
    }

    /// An empty slot of the same kind for a track whose queue counts in `overflowed` that its decoder is behind.
    #[must_use]
    pub fn fed_by(self, overflowed: Counter) -> Self {
        Self(Arc::new(Inner { cell: AtomicCell::new(None), superseded: self.0.superseded.clone(), overflowed }))
    }

    /// How often the queue before the track's decoder was full so far.
    #[must_use]
    pub fn overflowed(&self) -> u64 {
        self.0.overflowed.get()
    }

    /// Producer: puts the newest frame and gets back the one nobody took.
    pub fn publish(&self, frame: Box<VideoFrame>) -> Option<Box<VideoFrame>> {
        let old = self.0.cell.swap(Some(frame));
        if old.is_some() {
            self.0.superseded.add(1);
        }
        old
    }

    /// Consumer: takes the newest frame, if one came since the last take.
    #[must_use]
    pub fn take(&self) -> Option<Box<VideoFrame>> {
        self.0.cell.take()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::media::{Matrix, Picture, PlaneRef, Size};

    struct Grey;
    impl Picture for Grey {
        fn plane(&self, _index: usize) -> PlaneRef<'_> {
            PlaneRef { data: &[128], stride: 1 }
        }
    }

    #[test]
    fn superseded_and_taken_make_up_all_that_was_published() {
        const PUBLISHED: u64 = 2_000_000;
        let superseded = Counter::default();
        let slot = FrameSlot::new(superseded.clone());
        let done = Counter::default();
        let picture: Arc<dyn Picture> = Arc::new(Grey);
        let (producer_slot, producer_done) = (slot.clone(), done.clone());
        let producer = std::thread::spawn(move || {
            let mut spare: Option<Box<VideoFrame>> = None;
            for n in 0..PUBLISHED {
                let size = Size::new(u32::try_from(n).unwrap(), 1);
                let frame = VideoFrame {
                    size,
                    full_range: false,
                    matrix: Matrix::default(),
                    arrival: None,
                    picture: picture.clone(),
                };
                let boxed = match spare.take() {
                    Some(mut old) => {
                        *old = frame;
                        old
                    }
                    None => Box::new(frame),
                };
                spare = producer_slot.publish(boxed);
            }
            producer_done.add(1);
        });
        let (mut taken, mut newest) = (0_u64, None);
        loop {
            let last_round = done.get() == 1;
            while let Some(frame) = slot.take() {
                assert!(newest.is_none_or(|seen| frame.size.width > seen), "frames never go back");
                newest = Some(frame.size.width);
                taken += 1;
            }
            if last_round {
                break;
            }
        }
        producer.join().unwrap();
        assert_eq!(superseded.get() + taken, PUBLISHED);
        assert_eq!(newest, Some(u32::try_from(PUBLISHED - 1).unwrap()), "the newest one always arrives");
    }
}
