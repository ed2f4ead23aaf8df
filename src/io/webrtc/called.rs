//! **The question:** what has only a connection that this side began? An offer that waits for its answer, and a count
//! of what is sent, for whoever asked for it.

use str0m::change::SdpPendingOffer;
use str0m::media::Mid;
use str0m::stats::PeerStats;

use crate::engine::flow::Counter;

/// What is offered: str0m's part of it, and the lines of pictures and of sound.
type Offered = (SdpPendingOffer, (Mid, Mid));

/// See the head.
pub(super) struct Called {
    pending: Option<Offered>,
    /// Bytes of media sent.
    sent: Counter,
    /// As far as they are counted.
    counted: u64,
}

impl Called {
    /// Of an offer that was just made.
    pub(super) fn new(pending: SdpPendingOffer, lines: (Mid, Mid), sent: Counter) -> Self {
        Self { pending: Some((pending, lines)), sent, counted: 0 }
    }

    /// The offer, to be answered; there is one answer.
    pub(super) fn take_pending(&mut self) -> Option<Offered> {
        self.pending.take()
    }

    /// What was sent by now.
    pub(super) fn note_sent(&mut self, stats: &PeerStats) {
        self.sent.add(stats.bytes_tx.saturating_sub(self.counted));
        self.counted = self.counted.max(stats.bytes_tx);
    }
}
