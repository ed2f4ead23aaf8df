//! **The question:** where do composed frames' buffers rest between ticks?

use std::sync::Arc;

use crossbeam_queue::ArrayQueue;

use crate::limits;
use crate::media::ComposedFrame;

/// Frames at rest: what the queue to the encoder holds, one being encoded, one being drawn.
const RESTING_MAX: usize = limits::COMPOSED_QUEUE_LEN + 2;

/// A lock-free stack of sample buffers, bounded; clones are the same pool. Buffers beyond the bound are freed.
#[derive(Debug, Clone)]
pub struct FramePool(Arc<ArrayQueue<Vec<u8>>>);

impl Default for FramePool {
    fn default() -> Self {
        Self(Arc::new(ArrayQueue::new(RESTING_MAX)))
    }
}

impl FramePool {
    /// Gives a frame's buffer back, from whichever thread used it last.
    pub fn recycle(&self, frame: ComposedFrame) {
        // When full, the buffer is freed: someone made frames without this pool.
        let _ = self.0.push(frame.samples);
    }

    /// A buffer that holds a copy of `samples`; allocated only while the pool warms up.
    pub(super) fn copy_of(&self, samples: &[u8]) -> Vec<u8> {
        let mut buffer = self.0.pop().unwrap_or_default();
        buffer.clear();
        buffer.extend_from_slice(samples);
        buffer
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::{Pts, Size};

    #[test]
    fn buffers_come_back_and_stay_bounded() {
        let pool = FramePool::default();
        let frame = |samples| ComposedFrame::new(Size::new(2, 2), Pts(0), samples);
        let first = pool.copy_of(&[1; 6]);
        let address = first.as_ptr();
        pool.clone().recycle(frame(first));
        let again = pool.copy_of(&[2; 6]);
        assert_eq!((again.as_ptr(), &again[..]), (address, &[2_u8; 6][..]), "the same memory, new samples");
        for _ in 0..RESTING_MAX + 3 {
            pool.recycle(frame(vec![0; 6]));
        }
        assert_eq!(pool.0.len(), RESTING_MAX);
    }
}
