//! **The question:** does what is sent to one viewer arrive, and in time? From what the far side reports of packets
//! that are sent anyway (transport-wide feedback, or receiver reports where it knows no other): the share that is lost,
//! and how much later than at best a packet is known to have come, which is what waits in queues on the way.

use std::time::{Duration, Instant};

use crate::base::media::Outbox;

/// Loss that no link has by nature, if it lasts. GCC (draft-ietf-rmcat-gcc-02 section 6) takes a tenth, over seconds;
/// a radio link that loses a tenth loses more than that now and then.
const LOSSY: f32 = 0.18;
/// Loss is judged over about so long: of the forty packets of a fifth of a second, one that loses a tenth loses twice
/// as many now and then.
const LOSS_OVER: Duration = Duration::from_millis(600);
/// Loss that needs no second look.
const VERY_LOSSY: f32 = 0.45;
/// A queue that nobody has by jitter, if it lasts.
const QUEUED: Duration = Duration::from_millis(300);
/// A queue that needs no second look.
const LONG_QUEUED: Duration = Duration::from_millis(600);
/// A queue that grows as fast as where a third is too much, at so many samples on end, grows on.
const GROWING: (f32, u8) = (0.67, 3);
/// So many samples on end that look bad are no hiccup of a busy machine.
const LASTING: u8 = 3;
/// A queue that neither grows nor drains for so long is no queue but another way through the network.
const SETTLED: Duration = Duration::from_secs(6);
/// Differences of what settled that are jitter.
const JITTER: Duration = Duration::from_millis(80);
/// The best time is the best of the last one or two spans of this length.
const BEST_OF: Duration = Duration::from_secs(30);

/// What was reported since the last sample.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LinkSample {
    /// Share of the packets that did not come; `None` where nothing was reported.
    pub loss: Option<f32>,
    /// From sending a packet to knowing that it came, the newest one.
    pub round_trip: Option<Duration>,
}

/// How a link stands.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum LinkVerdict {
    /// Less goes through than is sent; told at each sample while it is so.
    Congested {
        /// The share of it that comes through, 0 to 1.
        arrives: f32,
        /// How long what is sent waits on the way.
        queue: Duration,
    },
    /// What is sent goes through; told once.
    Clear,
}

/// What happened so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct LinkStats {
    /// Samples taken.
    pub samples: u64,
    /// Samples that found it congested.
    pub congested: u64,
}

/// Watches the link to one viewer.
#[derive(Debug, Default)]
pub struct LinkEstimator {
    /// The best time of the span before and of the open one, and when that began.
    best: [Option<Duration>; 2],
    span_began: Option<Instant>,
    last: Option<(Instant, Duration)>,
    /// The share that was lost, as last reported and over a while, and when that was.
    loss: f32,
    lately: f32,
    reported: Option<Instant>,
    /// Since when the time stands still, and where.
    level: Option<(Instant, Duration)>,
    /// How many samples on end looked bad.
    suspects: u8,
    /// At how many on end the queue grew fast.
    grows: u8,
    congested: bool,
    stats: LinkStats,
}

impl LinkEstimator {
    /// A link of which nothing is known: it is clear until it shows otherwise.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes one sample; pushes how the link stands, if that is to be told.
    pub fn handle(&mut self, now: Instant, sample: LinkSample, out: &mut Outbox<LinkVerdict>) {
        self.stats.samples += 1;
        // Receiver reports come less often than samples: what was said last holds until something else is.
        if let Some(loss) = sample.loss {
            self.learn(now, loss.clamp(0.0, 1.0));
        }
        // What the newest report knows nothing of is over.
        let loss = if self.loss > VERY_LOSSY { self.loss } else { self.lately.min(2.0 * self.loss) };
        let (queue, through) = sample.round_trip.map_or((Duration::ZERO, 1.0), |time| self.queue(now, time));
        self.grows = if through < GROWING.0 { self.grows.saturating_add(1) } else { 0 };
        let suspects = loss > LOSSY || queue > QUEUED;
        self.suspects = if suspects { self.suspects.saturating_add(1) } else { 0 };
        let at_once = loss > VERY_LOSSY || queue > LONG_QUEUED || self.grows >= GROWING.1;
        if suspects && (at_once || self.suspects >= LASTING) {
            self.congested = true;
            self.stats.congested += 1;
            out.push(LinkVerdict::Congested { arrives: (1.0 - loss) * through, queue });
        } else if !suspects && std::mem::take(&mut self.congested) {
            out.push(LinkVerdict::Clear);
        }
    }

    /// Never: it acts on samples alone.
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        None
    }

    /// What happened so far.
    #[must_use]
    pub fn stats(&self) -> LinkStats {
        self.stats
    }

    /// Takes a report: it weighs as much of the whole as it is of [`LOSS_OVER`].
    fn learn(&mut self, now: Instant, loss: f32) {
        let weight = self
            .reported
            .replace(now)
            .map_or(1.0, |at| 1.0 - (-now.saturating_duration_since(at).as_secs_f32() / LOSS_OVER.as_secs_f32()).exp());
        self.loss = loss;
        self.lately += weight * (loss - self.lately);
    }

    /// How long a packet waits on the way, and which share of what is sent goes through. With `C` bits a second going
    /// through of `S` sent, a packet known to have come at `t` waited `dt·(1 − C/S)` longer than one known `dt` before.
    fn queue(&mut self, now: Instant, time: Duration) -> (Duration, f32) {
        if self.span_began.is_none_or(|began| now >= began + BEST_OF) {
            self.best = [self.best[1], None];
            self.span_began = Some(now);
        }
        self.best[1] = Some(self.best[1].map_or(time, |best| best.min(time)));
        let best = self.best.into_iter().flatten().min().unwrap_or(time);
        let grew = self.last.replace((now, time)).map_or(0.0, |(at, before)| {
            let span = now.saturating_duration_since(at).as_secs_f32();
            if span > 0.0 { time.saturating_sub(before).as_secs_f32() / span } else { 0.0 }
        });
        let level = self.level.filter(|(_, level)| level.abs_diff(time) <= JITTER).unwrap_or((now, time));
        self.level = Some(level);
        if now >= level.0 + SETTLED && time > best + QUEUED {
            self.best = [None, Some(time)];
            return (Duration::ZERO, 1.0);
        }
        (time.saturating_sub(best), 1.0 - grew.clamp(0.0, 1.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Samples each half second; what was told, with the number of the sample.
    fn told(estimator: &mut LinkEstimator, samples: &[(f32, u64)]) -> Vec<(usize, LinkVerdict)> {
        let (start, mut out, mut all) = (Instant::now(), Outbox::new(), Vec::new());
        for (n, (loss, ms)) in (1_u32..).zip(samples) {
            let sample = LinkSample { loss: Some(*loss), round_trip: Some(Duration::from_millis(*ms)) };
            estimator.handle(start + Duration::from_millis(500) * n, sample, &mut out);
            all.extend(out.drain().map(|verdict| (n as usize, verdict)));
        }
        all
    }

    #[test]
    fn jitter_and_the_loss_of_wireless_links_are_no_congestion() {
        let mut estimator = LinkEstimator::new();
        let samples: Vec<(f32, u64)> = (0..200).map(|n| (n as f32 % 12.0 / 100.0, 40 + n * 7919 % 200)).collect();
        assert_eq!(told(&mut estimator, &samples), []);
        // One bad sample, a burst, is none either.
        assert_eq!(told(&mut estimator, &[(0.2, 50), (0.0, 50), (0.0, 350), (0.0, 50)]), []);
    }

    #[test]
    fn a_link_that_loses_a_tenth_by_nature_is_never_congested() {
        // A linear congruential generator of 64 bits (Knuth's MMIX); its high half is drawn from.
        let mut state = 7_u64;
        let mut one_in_ten = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 33).is_multiple_of(10)
        };
        let (start, mut estimator, mut out) = (Instant::now(), LinkEstimator::new(), Outbox::new());
        // Ten minutes, forty packets each 200 ms; of the reports a tenth is lost too.
        for n in 0..3_000 {
            let lost = (0..40).filter(|_| one_in_ten()).count();
            let loss = (!one_in_ten()).then_some(lost as f32 / 40.0);
            let sample = LinkSample { loss, round_trip: Some(Duration::from_millis(120)) };
            estimator.handle(start + Duration::from_millis(200) * n, sample, &mut out);
        }
        assert_eq!(out.drain().count(), 0);
        // A third, which no link loses by nature, is found within a second.
        for n in 3_000..3_005 {
            let sample = LinkSample { loss: Some(0.33), round_trip: None };
            estimator.handle(start + Duration::from_millis(200) * n, sample, &mut out);
        }
        assert!(matches!(out.as_slice(), [LinkVerdict::Congested { .. }, ..]));
    }

    #[test]
    fn a_link_that_drops_what_it_cannot_carry_is_found_at_the_first_sample() {
        let mut estimator = LinkEstimator::new();
        let verdicts = told(&mut estimator, &[(0.0, 50), (0.88, 90), (0.0, 60), (0.0, 60)]);
        assert_eq!(verdicts.len(), 2, "{verdicts:?}");
        assert!(matches!(verdicts[0], (2, LinkVerdict::Congested { arrives, .. }) if arrives < 0.13));
        assert_eq!(verdicts[1], (3, LinkVerdict::Clear));
    }

    #[test]
    fn a_link_that_queues_what_it_cannot_carry_is_found_within_a_second() {
        let mut estimator = LinkEstimator::new();
        // 300 kb/s of 2.5 Mb/s: each half second is known 440 ms later than the one before.
        let verdicts = told(&mut estimator, &[(0.0, 50), (0.0, 50), (0.0, 490), (0.0, 930)]);
        assert!(
            matches!(verdicts[..], [(4, LinkVerdict::Congested { arrives, .. })] if arrives < 0.15),
            "{verdicts:?}"
        );
    }

    #[test]
    fn a_queue_that_grows_fast_is_found_before_it_is_long() {
        let (start, mut estimator, mut out) = (Instant::now(), LinkEstimator::new(), Outbox::new());
        // 300 kb/s of 2.5 Mb/s, looked at each 200 ms.
        for (n, ms) in [(0, 50), (1, 50), (2, 226), (3, 402), (4, 578)] {
            assert!(out.is_empty());
            let sample = LinkSample { loss: Some(0.0), round_trip: Some(Duration::from_millis(ms)) };
            estimator.handle(start + Duration::from_millis(200) * n, sample, &mut out);
        }
        let told: Vec<_> = out.drain().collect();
        assert!(matches!(told[..], [LinkVerdict::Congested { arrives, .. }] if arrives < 0.15), "{told:?}");
    }

    #[test]
    fn a_longer_way_is_no_queue_for_ever() {
        let mut estimator = LinkEstimator::new();
        let samples: Vec<(f32, u64)> = (0..60).map(|n| (0.0, if n < 5 { 50 } else { 450 })).collect();
        let verdicts = told(&mut estimator, &samples);
        assert!(verdicts.iter().any(|(_, verdict)| matches!(verdict, LinkVerdict::Congested { .. })));
        assert!(matches!(verdicts.last(), Some((n, LinkVerdict::Clear)) if *n < 20), "{verdicts:?}");
    }

    #[test]
    fn between_two_reports_the_first_holds() {
        let (start, mut estimator, mut out) = (Instant::now(), LinkEstimator::new(), Outbox::new());
        for (n, loss) in [(0, Some(0.5)), (1, None), (2, Some(0.5)), (3, None), (4, Some(0.0)), (5, None)] {
            let sample = LinkSample { loss, round_trip: None };
            estimator.handle(start + Duration::from_millis(500) * n, sample, &mut out);
        }
        let congested = LinkVerdict::Congested { arrives: 0.5, queue: Duration::ZERO };
        assert_eq!(out.drain().collect::<Vec<_>>(), [congested, congested, congested, congested, LinkVerdict::Clear]);
    }

    #[test]
    fn who_reports_nothing_is_clear() {
        let (mut estimator, mut out) = (LinkEstimator::new(), Outbox::new());
        for _ in 0..10 {
            estimator.handle(Instant::now(), LinkSample { loss: None, round_trip: None }, &mut out);
        }
        assert!(out.is_empty() && estimator.stats().samples == 10 && estimator.deadline().is_none());
    }
}
