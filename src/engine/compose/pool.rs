//! **The question:** where do composed frames' buffers rest between ticks?

use std::sync::Arc;

use crossbeam_queue::ArrayQueue;

use crate::base::limits;
use crate::base::media::{ComposedFrame, Damage, Pts, Size};
use crate::engine::compose::history::History;

/// A lock-free queue of frames' buffers, bounded; clones are the same pool. Buffers beyond the bound are freed.
#[derive(Debug, Clone)]
pub struct FramePool(Arc<ArrayQueue<ComposedFrame>>);

impl Default for FramePool {
    fn default() -> Self {
        Self(Arc::new(ArrayQueue::new(limits::RESTING_FRAMES_MAX)))
    }
}

impl FramePool {
    /// Gives a frame's buffer back, from whichever thread used it last.
    pub fn recycle(&self, frame: ComposedFrame) {
        // When full, the buffer is freed: someone made frames without this pool.
        let _ = self.0.push(frame);
    }

    /// A frame that shows `canvas` (I420) as `history` knows it; memory is allocated only while the pool warms up, and
    /// only what changed since a buffer was last used is copied.
    pub(super) fn frame_of(
        &self,
        size: Size,
        pts: Pts,
        canvas: &[u8],
        history: &History,
        damage: &Damage,
    ) -> ComposedFrame {
        let mut frame = self.0.pop().unwrap_or_else(|| ComposedFrame::new(size, pts, Vec::new()));
        history.bring_up(&mut frame.samples, frame.state, canvas, &mut frame.damage);
        (frame.size, frame.pts, frame.state) = (size, pts, history.state());
        frame.damage.clone_from(damage);
        frame
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buffers_come_back_and_stay_bounded() {
        let (pool, size) = (FramePool::default(), Size::new(2, 2));
        let (mut history, all) = (History::new(size), Damage::full(size));
        let first = pool.frame_of(size, Pts(0), &[1; 6], &history, &all);
        let address = first.samples.as_ptr();
        pool.clone().recycle(first);
        history.note(&all);
        let again = pool.frame_of(size, Pts(1), &[2; 6], &history, &all);
        assert_eq!(
            (again.samples.as_ptr(), &again.samples[..]),
            (address, &[2_u8; 6][..]),
            "the same memory, new samples"
        );
        for _ in 0..limits::RESTING_FRAMES_MAX + 3 {
            pool.recycle(ComposedFrame::new(size, Pts(0), vec![0; 6]));
        }
        assert_eq!(pool.0.len(), limits::RESTING_FRAMES_MAX);
    }
}
