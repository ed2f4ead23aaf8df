//! **The question:** what does the far side report of what it is sent? str0m's figures of one connection, as samples of
//! its link.

use std::time::{Duration, Instant};

use str0m::media::Mid;
use str0m::stats::{MediaEgressStats, PeerStats};

use crate::base::limits;
use crate::base::media::Outbox;
use crate::core::ladder::{LinkEstimator, LinkSample, LinkVerdict};

/// One connection's link, as far as it carries pictures.
#[derive(Debug, Default)]
pub(super) struct Downlink {
    estimator: LinkEstimator,
    /// When it was first reported of.
    began: Option<Instant>,
    /// By transport-wide feedback, which comes a few times a second: what it said last of loss and round trip.
    transport: (Option<f32>, Option<Duration>),
    verdicts: Outbox<LinkVerdict>,
}

impl Downlink {
    /// What is known of the whole connection; that of its streams follows.
    pub(super) fn note_transport(&mut self, stats: &PeerStats) {
        self.transport = (stats.egress_loss_fraction, stats.rtt);
    }

    /// What is known of one stream; how the link stands, where it is the one of pictures and that is to be told.
    pub(super) fn note_stream(
        &mut self,
        now: Instant,
        pictures: Option<Mid>,
        stats: &MediaEgressStats,
    ) -> Option<LinkVerdict> {
        if pictures != Some(stats.mid) {
            return None;
        }
        // What was sent before the far side had its keys is lost on any link.
        if now < *self.began.get_or_insert(now) + limits::LINK_SETTLE_SPAN {
            return None;
        }
        // Receiver reports, where there is no other feedback.
        let (loss, round_trip) = self.transport;
        let sample = LinkSample { loss: loss.or(stats.loss), round_trip: round_trip.or(stats.rtt) };
        self.estimator.handle(now, sample, &mut self.verdicts);
        self.verdicts.drain().next_back()
    }
}
