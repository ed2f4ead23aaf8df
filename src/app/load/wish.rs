//! **The question:** did the node ask a camera for a keyframe? Noted by who hears of it, read by who sends.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rtc::rtcp::payload_feedbacks::full_intra_request::FullIntraRequest;
use rtc::rtcp::payload_feedbacks::picture_loss_indication::PictureLossIndication;

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

/// Whether it asks for a keyframe (RFC 4585 PLI, RFC 5104 FIR).
pub(super) fn is_keyframe_request(packet: &dyn rtc::rtcp::Packet) -> bool {
    packet.as_any().is::<PictureLossIndication>() || packet.as_any().is::<FullIntraRequest>()
}
