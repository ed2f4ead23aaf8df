//! **The question:** did the node ask a camera for a keyframe? Noted by who hears of it, read by who sends.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::sendlog::SendLog;

/// The wish for a keyframe of one track; each is counted.
#[derive(Debug)]
pub(super) struct KeyframeWish {
    wanted: AtomicBool,
    log: Arc<SendLog>,
    lane: usize,
}

impl KeyframeWish {
    /// Nobody wishes yet for one of the track in that lane of `log`.
    pub fn new(log: Arc<SendLog>, lane: usize) -> Self {
        Self { wanted: AtomicBool::new(false), log, lane }
    }

    /// The node asks for one.
    pub fn ask(&self) {
        self.log.note_asked(self.lane);
        self.wanted.store(true, Ordering::Relaxed);
    }

    /// Whether one was asked for since the last call; any number of wishes are one.
    pub fn take(&self) -> bool {
        self.wanted.swap(false, Ordering::Relaxed)
    }
}
