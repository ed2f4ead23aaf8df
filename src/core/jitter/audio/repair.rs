//! **The question:** is it worth waiting for what repairs a loss? In-band FEC comes with the next packet, a RED copy
//! with a later one: where packets are lost and such repair is sent, the delay covers it.

use std::time::Duration;

use crate::base::limits;

/// What one packet counts in the averages: a hundred of them, 2 s.
const WEIGHT: f32 = 0.01;
/// Loss from which repair is waited for.
const LOSS_WAIT: f32 = 0.02;
/// Loss below which it no longer is.
const LOSS_CALM: f32 = 0.005;
/// Packets after the last one with FEC for which more is expected, 10 s: encoders leave it out while nobody speaks.
const FEC_PACKETS: u32 = 500;
/// Packets after the last useful copy for which RED is believed in: 20 s.
const COPY_PACKETS: u32 = 1_000;

/// What was lost lately, and what would have repaired it.
#[derive(Debug, Default)]
pub(super) struct Repair {
    loss: f32,
    /// For how many packets more FEC is expected.
    fec_packets: u32,
    /// Samples that the last packet lasts.
    samples: u32,
    /// How far behind its carrier the last copy was, samples, and for how many packets that counts.
    copy_span: u32,
    copy_packets: u32,
    waits: bool,
}

impl Repair {
    /// A packet played; `fec` says whether it carries any.
    pub(super) fn played(&mut self, samples: u32, fec: bool) {
        self.samples = samples;
        self.copy_packets = self.copy_packets.saturating_sub(1);
        self.fec_packets = if fec { FEC_PACKETS } else { self.fec_packets.saturating_sub(1) };
        self.note(0.0);
    }

    /// A packet was missing when its turn came.
    pub(super) fn lost(&mut self) {
        self.note(1.0);
    }

    /// A copy of a lost packet came with one `span` samples later: repaired or not, it was lost.
    pub(super) fn copied(&mut self, span: u64) {
        let span_max = limits::PLAYOUT_DELAY_MAX.as_millis() * u128::from(limits::SAMPLE_RATE) / 1000;
        self.copy_span = u32::try_from(u128::from(span).min(span_max)).unwrap_or_default();
        self.copy_packets = COPY_PACKETS;
        self.note(1.0);
    }

    /// How much longer packets should wait for it.
    pub(super) fn wait(&self) -> Duration {
        let fec = if self.fec_packets > 0 { self.samples } else { 0 };
        let copy = if self.copy_packets > 0 { self.copy_span } else { 0 };
        let samples = if self.waits { fec.max(copy) } else { 0 };
        Duration::from_secs(u64::from(samples)) / limits::SAMPLE_RATE
    }

    fn note(&mut self, lost: f32) {
        self.loss += (lost - self.loss) * WEIGHT;
        self.waits = self.loss > if self.waits { LOSS_CALM } else { LOSS_WAIT };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fec_is_waited_for_where_packets_are_lost_and_carry_it() {
        let mut repair = Repair::default();
        let run = |repair: &mut Repair, lossy: bool, fec: bool| {
            for n in 0..1000 {
                if lossy && n % 10 == 9 { repair.lost() } else { repair.played(960, fec) }
            }
            repair.wait()
        };
        assert_eq!(run(&mut repair, false, true), Duration::ZERO);
        assert_eq!(run(&mut repair, true, true), Duration::from_millis(20));
        assert_eq!(run(&mut repair, true, false), Duration::ZERO);
        assert_eq!(run(&mut repair, false, true), Duration::ZERO);
    }

    #[test]
    fn a_red_copy_is_waited_for_as_far_behind_as_it_came() {
        let mut repair = Repair::default();
        repair.copied(1920);
        assert_eq!(repair.wait(), Duration::ZERO, "nothing was lost so far");
        (0..5).for_each(|_| repair.lost());
        assert_eq!(repair.wait(), Duration::from_millis(40));
        (0..COPY_PACKETS).for_each(|_| repair.played(960, false));
        assert_eq!(repair.wait(), Duration::ZERO);
    }
}
