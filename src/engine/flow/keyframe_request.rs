//! **The question:** does somebody need a keyframe, of a sender or of a rung? Any number of wishes are one.
//!
//! What a sender is asked to send (size, rate, bitrate) is decided by the control thread and told on the data channel,
//! so it needs no seam of its own.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::engine::flow::{Counter, Waker};

/// The keyframe wish for one track or rung; clones share it, and each wish wakes the thread that fulfils it.
#[derive(Debug, Clone)]
pub struct KeyframeRequest(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    keyframe: AtomicBool,
    superseded: Counter,
    waker: Waker,
}

impl KeyframeRequest {
    /// No wish yet; `waker` belongs to the thread that will fulfil them.
    #[must_use]
    pub fn new(waker: Waker, superseded: Counter) -> Self {
        let inner = Inner { keyframe: AtomicBool::new(false), superseded, waker };
        Self(Arc::new(inner))
    }

    /// Wishes for a keyframe; any number of wishes are one until it is taken.
    pub fn request_keyframe(&self) {
        if self.0.keyframe.swap(true, Ordering::AcqRel) {
            self.0.superseded.add(1);
        }
        self.0.waker.wake();
    }

    /// Whether a keyframe was wished for since the last call.
    #[must_use]
    pub fn take_keyframe(&self) -> bool {
        self.0.keyframe.swap(false, Ordering::AcqRel)
    }
}
