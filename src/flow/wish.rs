//! **The question:** what does the node wish of a sender, or a viewer of a rung? wishes → peer, newest wins.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crossbeam_utils::atomic::AtomicCell;

use crate::flow::{Counter, Waker};
pub use crate::ladder::SendTarget;

/// The newest wish for one track or rung; clones share it, and each wish rouses the thread that fulfils it.
#[derive(Debug, Clone)]
pub struct WishCell(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    keyframe: AtomicBool,
    target: AtomicCell<Option<SendTarget>>,
    superseded: Counter,
    waker: Waker,
}

impl WishCell {
    /// No wish yet; `waker` belongs to the thread that will fulfil them.
    #[must_use]
    pub fn new(waker: Waker, superseded: Counter) -> Self {
        let inner = Inner { keyframe: AtomicBool::new(false), target: AtomicCell::new(None), superseded, waker };
        Self(Arc::new(inner))
    }

    /// Wishes for a keyframe; any number of wishes are one until it is taken.
    pub fn wish_keyframe(&self) {
        if self.0.keyframe.swap(true, Ordering::AcqRel) {
            self.0.superseded.add(1);
        }
        self.0.waker.wake();
    }

    /// Wishes for another size, rate or bitrate.
    pub fn wish_target(&self, target: SendTarget) {
        if self.0.target.swap(Some(target)).is_some() {
            self.0.superseded.add(1);
        }
        self.0.waker.wake();
    }

    /// Whether a keyframe was wished for since the last call.
    #[must_use]
    pub fn take_keyframe(&self) -> bool {
        self.0.keyframe.swap(false, Ordering::AcqRel)
    }

    /// The newest target since the last call.
    #[must_use]
    pub fn take_target(&self) -> Option<SendTarget> {
        self.0.target.take()
    }
}
