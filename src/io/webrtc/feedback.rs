//! **The question:** what does one connection's sender read of its bit rate in RTCP? REMB, where the answer took it up
//! (`goog-remb`): Chromium, Safari and aiortc obey it, and Chromium also where it counts by transport-wide feedback.

use std::time::Instant;

use str0m::Rtc;
use str0m::bwe::Bitrate;
use str0m::rtp::Ssrc;

use crate::base::media::TrackKind;
use crate::core::ladder::{SendTarget, Steering};

/// The feedback of one connection.
#[derive(Debug, Default)]
pub(super) struct Feedback {
    steering: Steering,
    /// The answer says that it is sent.
    agreed: bool,
}

impl Feedback {
    /// An offer was answered; whether that took up REMB.
    pub(super) fn agree(&mut self, agreed: bool) {
        self.agreed = agreed;
    }

    /// The data channel opened.
    pub(super) fn has_words(&mut self) {
        self.steering.has_words = true;
    }

    /// What is asked of a track.
    pub(super) fn aim(&mut self, now: Instant, kind: TrackKind, target: SendTarget) {
        self.steering.aim(now, kind, target.bitrate);
    }

    /// A track was switched off.
    pub(super) fn forget(&mut self, kind: TrackKind) {
        self.steering.forget(kind);
    }

    /// A packet of pictures came, `layered` if it is one of several layers.
    pub(super) fn hear(&mut self, now: Instant, len: usize, layered: bool) {
        self.steering.layered |= layered;
        self.steering.hear(now, len);
    }

    /// Tells what is due, by the stream `ssrc`; the next flush sends it.
    pub(super) fn tell(&mut self, now: Instant, rtc: &mut Rtc, ssrc: Ssrc) -> bool {
        let Some(limit) = self.agreed.then(|| self.steering.due(now)).flatten() else { return false };
        let mut direct = rtc.direct_api();
        let Some(stream) = direct.stream_rx(&ssrc) else { return false };
        stream.request_remb(Bitrate::bps(limit.into()));
        true
    }
}
