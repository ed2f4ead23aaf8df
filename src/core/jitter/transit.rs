//! **The question:** when should a frame have come, and how long must it wait so that its followers are in time too?
//!
//! The time map's base is the fastest transit (arrival − RTP time) of the last seconds, so it follows the drift of the
//! sender's clock. The wish for delay is a high percentile of how much slower than that the recent frames came.

use std::time::{Duration, Instant};

use crate::base::limits;

/// A transit that differs from the base by more than this is a new timeline, not a slow network.
const RESET_NANOS: i64 = 3_000_000_000;
/// Span of one bucket of the windowed minimum.
const BUCKET_NANOS: i64 = 1_000_000_000;
/// Buckets: the base forgets a fast transit after ten seconds. 100 ppm of drift make 1 ms in that time.
const BUCKETS: usize = 10;
/// Recent excesses by which the percentile is taken, at most.
const EXCESSES: usize = 128;
/// And none that is older: what was while a hundred people joined says nothing of two seconds later, and at 15 frames a
/// second 128 of them were eight.
const EXCESS_SPAN_NANOS: i64 = 2_000_000_000;
/// How fast the wish shrinks: 100 ms a second, so that people move a tenth faster meanwhile, which nobody sees.
const DECAY_PER_SECOND: i64 = 100_000_000;

/// What one arrival told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Observed {
    /// The timeline began, or jumped: what was buffered before belongs to another one.
    pub restarted: bool,
    /// How much slower than the fastest of the last seconds this one came.
    pub excess: Duration,
}

/// The time map of one track: when its fastest packets would have come.
#[derive(Debug)]
pub(super) struct TimeMap {
    clock_rate: u32,
    anchor: Option<Anchor>,
    /// Fastest transit of each of the last seconds; `i64::MAX` where nothing came.
    buckets: [i64; BUCKETS],
    bucket_now: i64,
    base: i64,
}

/// The time map of one track and its own wish for delay.
#[derive(Debug)]
pub struct Transit {
    map: TimeMap,
    percent: usize,
    margin_nanos: i64,
    excesses: [Excess; EXCESSES],
    excess_count: usize,
    excess_at: usize,
    wish: i64,
    wish_at: i64,
}

/// How much slower than the fastest one a frame came, and when, nanoseconds of the timeline.
#[derive(Debug, Clone, Copy, Default)]
struct Excess {
    at: i64,
    nanos: i64,
}

#[derive(Debug, Clone, Copy)]
struct Anchor {
    instant: Instant,
    rtp_time: u64,
}

impl Transit {
    /// A map for RTP time of `clock_rate` Hz. `percent` of the frames shall be in time, with `margin` on top.
    #[must_use]
    pub fn new(clock_rate: u32, percent: usize, margin: Duration) -> Self {
        assert!(percent < 100, "a percentile below the maximum");
        Self {
            map: TimeMap::new(clock_rate),
            percent,
            margin_nanos: nanos(margin),
            excesses: [Excess::default(); EXCESSES],
            excess_count: 0,
            excess_at: 0,
            wish: 0,
            wish_at: 0,
        }
    }

    /// Learns from one arrival.
    pub fn observe(&mut self, rtp_time: u64, arrival: Instant) -> Observed {
        let observed = self.map.observe(rtp_time, arrival);
        if observed.restarted {
            self.excess_count = 0;
            self.excess_at = 0;
            self.wish_at = 0;
            self.wish = self.wish.max(self.margin_nanos);
        } else {
            let at = self.map.since_begin(arrival);
            self.note_excess(Excess { at, nanos: nanos(observed.excess) });
            self.update_wish(at);
        }
        observed
    }

    /// When a frame of `rtp_time` plays under `delay`; `None` before the first arrival.
    #[must_use]
    pub fn due(&self, rtp_time: u64, delay: Duration) -> Option<Instant> {
        self.map.due(rtp_time, delay)
    }

    /// How long this track wants to wait, at most `limits::PLAYOUT_DELAY_MAX`.
    #[must_use]
    pub fn wanted_delay(&self) -> Duration {
        Duration::from_nanos(self.wish.unsigned_abs())
    }

    fn note_excess(&mut self, excess: Excess) {
        self.excesses[self.excess_at] = excess;
        self.excess_at = (self.excess_at + 1) % EXCESSES;
        self.excess_count = (self.excess_count + 1).min(EXCESSES);
    }

    fn update_wish(&mut self, at: i64) {
        let (mut recent, mut count) = ([0; EXCESSES], 0);
        for excess in &self.excesses[..self.excess_count] {
            // The one that was noted just now is among them.
            if at - excess.at < EXCESS_SPAN_NANOS {
                recent[count] = excess.nanos;
                count += 1;
            }
        }
        let rank = (count * self.percent / 100).min(count - 1);
        let (_, percentile, _) = recent[..count].select_nth_unstable(rank);
        let target = *percentile + self.margin_nanos;
        let passed = (at - self.wish_at).max(0);
        self.wish_at = self.wish_at.max(at);
        let decayed = self.wish - (passed / 1000) * (DECAY_PER_SECOND / 1000) / 1000;
        self.wish = decayed.max(target).min(nanos(limits::PLAYOUT_DELAY_MAX));
    }
}

impl TimeMap {
    /// A map for RTP time of `clock_rate` Hz that has seen nothing.
    pub(super) fn new(clock_rate: u32) -> Self {
        Self { clock_rate, anchor: None, buckets: [i64::MAX; BUCKETS], bucket_now: 0, base: 0 }
    }

    /// Learns from one arrival.
    pub(super) fn observe(&mut self, rtp_time: u64, arrival: Instant) -> Observed {
        let Some(anchor) = self.anchor else {
            self.restart(rtp_time, arrival);
            return Observed { restarted: true, excess: Duration::ZERO };
        };
        let at = elapsed(anchor.instant, arrival);
        let transit = at - self.rtp_nanos(anchor, rtp_time);
        if (transit - self.base).abs() > RESET_NANOS {
            self.restart(rtp_time, arrival);
            return Observed { restarted: true, excess: Duration::ZERO };
        }
        self.note_transit(at, transit);
        let excess = (transit - self.base).max(0);
        Observed { restarted: false, excess: Duration::from_nanos(excess.unsigned_abs()) }
    }

    /// Forgets the timeline; the next arrival begins a new one.
    pub(super) fn forget(&mut self) {
        self.anchor = None;
    }

    /// When a frame of `rtp_time` plays under `delay`; `None` before the first arrival.
    pub(super) fn due(&self, rtp_time: u64, delay: Duration) -> Option<Instant> {
        let anchor = self.anchor?;
        let offset = self.base + self.rtp_nanos(anchor, rtp_time) + nanos(delay);
        Some(match u64::try_from(offset) {
            Ok(after) => anchor.instant + Duration::from_nanos(after),
            // An instant before the anchor may not exist on a machine that has just started.
            Err(_) => anchor.instant.checked_sub(Duration::from_nanos(offset.unsigned_abs())).unwrap_or(anchor.instant),
        })
    }

    /// Nanoseconds by which `now` is after the moment that `rtp_time` is due under `delay`; `None` before the first
    /// arrival.
    pub(super) fn lateness(&self, now: Instant, rtp_time: u64, delay: Duration) -> Option<i64> {
        let anchor = self.anchor?;
        Some(elapsed(anchor.instant, now) - (self.base + self.rtp_nanos(anchor, rtp_time) + nanos(delay)))
    }

    /// Nanoseconds from the timeline's first arrival to `arrival`.
    fn since_begin(&self, arrival: Instant) -> i64 {
        self.anchor.map_or(0, |anchor| elapsed(anchor.instant, arrival))
    }

    fn restart(&mut self, rtp_time: u64, arrival: Instant) {
        self.anchor = Some(Anchor { instant: arrival, rtp_time });
        self.buckets = [i64::MAX; BUCKETS];
        self.buckets[0] = 0;
        self.bucket_now = 0;
        self.base = 0;
    }

    // Timestamps are compared by wrapping difference, so that no jump of the sender's can overflow.
    fn rtp_nanos(&self, anchor: Anchor, rtp_time: u64) -> i64 {
        let units = i128::from(rtp_time.wrapping_sub(anchor.rtp_time).cast_signed());
        let span = units * 1_000_000_000 / i128::from(self.clock_rate);
        // Ten years either way: beyond any timeline, and sums of a few of them stay within 64 bits.
        let bound = i128::from(i64::MAX / 32);
        i64::try_from(span.clamp(-bound, bound)).expect("clamped to 64 bits")
    }

    fn note_transit(&mut self, at: i64, transit: i64) {
        let bucket = (at / BUCKET_NANOS).max(self.bucket_now);
        let passed = usize::try_from(bucket - self.bucket_now).unwrap_or(BUCKETS).min(BUCKETS);
        for step in 0..passed {
            let index = usize::try_from(bucket).unwrap_or_default().wrapping_sub(step) % BUCKETS;
            self.buckets[index] = i64::MAX;
        }
        self.bucket_now = bucket;
        let slot = &mut self.buckets[usize::try_from(bucket).unwrap_or_default() % BUCKETS];
        *slot = transit.min(*slot);
        self.base = *self.buckets.iter().min().expect("there are buckets");
    }
}

fn elapsed(from: Instant, to: Instant) -> i64 {
    match to.checked_duration_since(from) {
        Some(after) => nanos(after),
        None => -nanos(from.duration_since(to)),
    }
}

fn nanos(span: Duration) -> i64 {
    i64::try_from(span.as_nanos()).expect("spans of one call stay below 292 years")
}

#[cfg(test)]
mod tests {
    use super::*;

    const CLOCK: u32 = 90_000;

    fn ms(n: u64) -> Duration {
        Duration::from_millis(n)
    }

    #[test]
    fn a_clean_network_wants_next_to_nothing() {
        let start = Instant::now();
        let mut transit = Transit::new(CLOCK, 95, ms(2));
        for n in 0..300 {
            transit.observe(n * 3000, start + ms(n * 1000 / 30));
        }
        assert!(transit.wanted_delay() <= ms(4), "{:?}", transit.wanted_delay());
    }

    #[test]
    fn jitter_raises_the_wish_within_half_a_second_and_calm_lowers_it_slowly() {
        let start = Instant::now();
        let mut transit = Transit::new(CLOCK, 95, ms(2));
        let arrival = |n: u64, slow: u64| start + ms(n * 100 / 3 + slow);
        for n in 0..60 {
            transit.observe(n * 3000, arrival(n, 0));
        }
        for n in 60..75 {
            transit.observe(n * 3000, arrival(n, if n % 2 == 0 { 50 } else { 0 }));
        }
        assert!(transit.wanted_delay() >= ms(50), "{:?}", transit.wanted_delay());
        let high = transit.wanted_delay();
        for n in 75..105 {
            transit.observe(n * 3000, arrival(n, 0));
        }
        assert!(transit.wanted_delay() >= high, "a second of calm may be a pause");
        for n in 105..180 {
            let before = transit.wanted_delay();
            transit.observe(n * 3000, arrival(n, 0));
            assert!(transit.wanted_delay() + ms(4) >= before, "a tenth of the time that passes");
        }
        assert!(transit.wanted_delay() <= ms(4), "{:?}", transit.wanted_delay());
    }

    #[test]
    fn what_was_two_seconds_ago_says_nothing_however_few_frames_came_since() {
        let start = Instant::now();
        let mut transit = Transit::new(CLOCK, 95, ms(2));
        // 15 frames a second: two seconds of a storm, then calm.
        let slow = |n: u64| if (15..45).contains(&n) { n * 67 % 200 } else { 0 };
        let mut wishes = Vec::new();
        for n in 0..120 {
            transit.observe(n * 6000, start + ms(n * 1000 / 15 + slow(n)));
            wishes.push(transit.wanted_delay());
        }
        assert!(wishes[44] > ms(130), "{:?}", wishes[44]);
        assert!(wishes[45 + 15 * 4] <= ms(4), "four seconds later: {:?}", wishes[45 + 15 * 4]);
    }

    #[test]
    fn the_base_follows_a_slow_clock() {
        let start = Instant::now();
        let mut transit = Transit::new(CLOCK, 95, ms(2));
        // The sender's clock runs 200 ppm slow: each second of its RTP time takes 200 µs more than a second.
        let mut arrival = start;
        for n in 0..30_u64 * 120 {
            arrival = start + Duration::from_nanos(n * 1_000_200_000 / 30);
            assert!(!transit.observe(n * 3000, arrival).restarted || n == 0);
        }
        let due = transit.due((30 * 120 - 1) * 3000, Duration::ZERO).unwrap();
        assert!(arrival.duration_since(due) < ms(3), "24 ms of drift, all but the last ten seconds' forgotten");
        assert!(transit.wanted_delay() <= ms(6));
    }

    #[test]
    fn a_jump_of_the_timestamp_restarts_the_map_even_around_the_wrap() {
        let start = Instant::now();
        let mut transit = Transit::new(CLOCK, 95, ms(2));
        assert!(transit.observe(u64::MAX - 2999, start).restarted);
        assert!(!transit.observe(0, start + ms(33)).restarted);
        assert!(transit.observe(1 << 62, start + ms(66)).restarted);
        assert!(transit.observe(3000, start + ms(99)).restarted);
        assert_eq!(transit.due(3000, ms(5)), Some(start + ms(104)));
    }

    #[test]
    fn a_frame_is_never_due_later_than_its_arrival_and_the_delay() {
        let start = Instant::now();
        let mut transit = Transit::new(CLOCK, 95, ms(2));
        let mut seed = 7_u64;
        for n in 0..2000_u64 {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let arrival = start + ms(n * 33 + (seed >> 57));
            transit.observe(n * 2970, arrival);
            assert!(transit.due(n * 2970, ms(40)).unwrap() <= arrival + ms(40));
            assert!(transit.wanted_delay() <= limits::PLAYOUT_DELAY_MAX);
        }
    }
}
