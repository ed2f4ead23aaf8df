//! **The question:** how long must packets wait so that nearly all of them are in time? A histogram of how much slower
//! than the fastest recent packet each one came, which slowly forgets, and a memory of peaks that come again and again.
//! This is the design known from WebRTC's NetEq, written anew.

use std::time::{Duration, Instant};

use crate::base::limits;

/// Width of a bar: fine enough for a clean network, where the wish is a few milliseconds.
const BAR: Duration = Duration::from_micros(2_500);
/// Bars up to `limits::PLAYOUT_DELAY_MAX`, and one for everything beyond.
const BARS: usize = 81;
/// Share of packets that shall be in time: a late one is heard as a gap.
const IN_TIME: f32 = 0.97;
/// What a packet leaves of its predecessors' weight: half of it after 69 packets, 1.4 s.
const FORGET: f32 = 0.99;
/// And in calm: half after 23 packets, 0.5 s. Packets come late while a hundred people join; once they don't, such a
/// span is less than the share that may be late two seconds later, not seven. (NetEq always forgets half in 40
/// packets.)
const FORGET_IN_CALM: f32 = 0.97;
/// So many packets in a row, a second's, that came in half of the wish are calm.
const CALM_PACKETS: u32 = 50;
/// Below this wish there is nothing to gain.
const CALM_ABOVE: Duration = Duration::from_millis(20);
/// What the wish adds to the percentile: the tick's own unrest.
const MARGIN: Duration = Duration::from_millis(3);
/// A packet so much slower than the wish is a peak.
const PEAK_ABOVE: Duration = Duration::from_millis(40);
/// Peaks less than this apart are one.
const PEAK_APART: Duration = Duration::from_millis(250);
/// So many peaks within their memory are a pattern.
const PEAKS_MIN: usize = 3;
/// Peaks remembered.
const PEAKS: usize = 8;
/// How long a peak is remembered.
const PEAK_MEMORY: Duration = Duration::from_secs(20);
/// A pattern is over once nothing came for so many times the usual pause between two of its peaks: what came each half
/// second while others joined need not be waited for twenty seconds, nor again because of one hiccup ten seconds later.
const PAUSES: u32 = 2;

const _: () = assert!(BAR.as_micros() * (BARS as u128 - 1) == limits::PLAYOUT_DELAY_MAX.as_micros());

/// The arrival statistics of one voice.
#[derive(Debug)]
pub(super) struct Arrivals {
    /// Weight of each bar; they sum up to one once a packet came.
    bars: [f32; BARS],
    packets: u32,
    /// Packets in a row that came within half of the wish.
    calm: u32,
    peaks: [Option<Peak>; PEAKS],
    wish: Duration,
}

#[derive(Debug, Clone, Copy)]
struct Peak {
    at: Instant,
    excess: Duration,
}

impl Arrivals {
    /// Statistics of nothing.
    pub(super) fn new() -> Self {
        Self { bars: [0.0; BARS], packets: 0, calm: 0, peaks: [None; PEAKS], wish: MARGIN }
    }

    /// A packet came `excess` later than the fastest one would have.
    pub(super) fn note(&mut self, now: Instant, excess: Duration) {
        // The first packets count alike: what is left of the past is n parts of n + 1.
        self.calm = if excess * 2 <= self.wish { self.calm.saturating_add(1) } else { 0 };
        let in_calm = self.calm >= CALM_PACKETS && self.wish > CALM_ABOVE;
        let left = if in_calm { FORGET_IN_CALM } else { FORGET }.min(self.packets as f32 / (self.packets as f32 + 1.0));
        self.packets = self.packets.saturating_add(1);
        self.bars.iter_mut().for_each(|bar| *bar *= left);
        self.bars[bar_of(excess)] += 1.0 - left;
        if excess > self.wish + PEAK_ABOVE {
            self.note_peak(Peak { at: now, excess });
        }
        let percentile = self.percentile() + MARGIN;
        self.wish = percentile.max(self.peak_height(now)).min(limits::PLAYOUT_DELAY_MAX);
    }

    /// How long packets should wait, at most `limits::PLAYOUT_DELAY_MAX`.
    pub(super) fn wish(&self) -> Duration {
        self.wish
    }

    fn percentile(&self) -> Duration {
        let mut beyond = 1.0;
        let bars = self.bars.iter().position(|bar| {
            beyond -= bar;
            beyond <= 1.0 - IN_TIME
        });
        // A bar's packets came anywhere within it; the lowest one's at its begin, as far as anybody hears.
        BAR * u32::try_from(bars.map_or(BARS - 1, |bar| if bar == 0 { 0 } else { bar + 1 })).expect("few bars")
    }

    fn note_peak(&mut self, peak: Peak) {
        let latest = self.peaks.iter_mut().flatten().max_by_key(|known| known.at);
        if let Some(latest) = latest
            && peak.at.saturating_duration_since(latest.at) < PEAK_APART
        {
            latest.excess = latest.excess.max(peak.excess);
            return;
        }
        let oldest = self.peaks.iter_mut().min_by_key(|slot| slot.map(|known| known.at));
        *oldest.expect("there are slots") = Some(peak);
    }

    /// The height of peaks that come again and again; zero when they don't, or no longer do. The highest one is left
    /// out: it may be a freak.
    fn peak_height(&mut self, now: Instant) -> Duration {
        for slot in &mut self.peaks {
            if slot.is_some_and(|peak| now.saturating_duration_since(peak.at) > PEAK_MEMORY) {
                *slot = None;
            }
        }
        let (mut highest, mut second, mut count) = (Duration::ZERO, Duration::ZERO, 0);
        for peak in self.peaks.iter().flatten() {
            count += 1;
            second = second.max(peak.excess.min(highest));
            highest = highest.max(peak.excess);
        }
        if count >= PEAKS_MIN && self.goes_on(now) { second } else { Duration::ZERO }
    }

    /// Whether the remembered peaks still come: the last one is not much longer ago than they usually lie apart.
    fn goes_on(&self, now: Instant) -> bool {
        let mut at = self.peaks.map(|peak| peak.map(|peak| peak.at));
        // Empty slots come first.
        at.sort_unstable();
        let (mut pauses, mut count, mut last) = ([Duration::ZERO; PEAKS], 0, None);
        for next in at.into_iter().flatten() {
            if let Some(last) = last {
                pauses[count] = next.saturating_duration_since(last);
                count += 1;
            }
            last = Some(next);
        }
        let Some(last) = last.filter(|_| count > 0) else { return false };
        let (_, usual, _) = pauses[..count].select_nth_unstable((count - 1) / 2);
        now.saturating_duration_since(last) <= *usual * PAUSES
    }
}

fn bar_of(excess: Duration) -> usize {
    usize::try_from(excess.as_micros() / BAR.as_micros()).unwrap_or(BARS).min(BARS - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(n: u64) -> Duration {
        Duration::from_millis(n)
    }

    /// Feeds one packet each 20 ms, as slow as `excess` says of its number.
    fn fed(packets: u64, excess: impl Fn(u64) -> u64) -> (Arrivals, Vec<Duration>) {
        let (start, mut arrivals) = (Instant::now(), Arrivals::new());
        let mut wishes = Vec::new();
        for n in 0..packets {
            arrivals.note(start + ms(n * 20), ms(excess(n)));
            wishes.push(arrivals.wish());
        }
        (arrivals, wishes)
    }

    #[test]
    fn a_clean_network_wants_the_margin_alone() {
        assert_eq!(fed(500, |n| n % 2).0.wish(), MARGIN);
    }

    #[test]
    fn the_wish_is_the_percentile_of_even_jitter() {
        let (arrivals, _) = fed(3000, |n| n * 37 % 40);
        let bars: f32 = arrivals.bars.iter().sum();
        assert!((bars - 1.0).abs() < 1e-3, "{bars}");
        assert!((ms(39)..ms(46)).contains(&arrivals.wish()), "{:?}", arrivals.wish());
    }

    #[test]
    fn jitter_raises_the_wish_within_a_second_and_calm_lowers_it_in_four() {
        let jitter = |n: u64| if (1000..3000).contains(&n) { n * 37 % 80 } else { 0 };
        let (_, wishes) = fed(6000, jitter);
        assert_eq!(wishes[999], MARGIN);
        assert!(wishes[1050] > ms(60), "{:?}", wishes[1050]);
        assert!(wishes[3060] > ms(60), "patience: {:?}", wishes[3060]);
        assert!(wishes[3200] <= ms(10), "{:?}", wishes[3200]);
    }

    #[test]
    fn one_peak_is_an_accident_and_three_are_a_pattern() {
        let (_, wishes) = fed(4000, |n| if n % 250 == 200 && n < 1000 { 120 } else { 1 });
        assert_eq!(wishes[449], MARGIN, "too rare for the percentile, too few for a pattern");
        assert!(wishes[700] >= ms(120), "{:?}", wishes[700]);
        assert!(wishes[1150] >= ms(120), "{:?}: for two of its pauses", wishes[1150]);
        assert_eq!(wishes[1250], MARGIN);
        assert_eq!(wishes[3999], MARGIN, "forgotten");
    }

    #[test]
    fn a_pattern_ends_when_its_peaks_no_longer_come() {
        // Each half second for five seconds, as while others join.
        let (_, wishes) = fed(1000, |n| if n < 250 && n % 25 == 20 { 150 } else { 1 });
        assert!(wishes[245] >= ms(140), "{:?}", wishes[245]);
        assert!(wishes[250 + 200] <= ms(10), "four seconds later: {:?}", wishes[450]);
    }

    #[test]
    fn a_hiccup_long_after_a_storm_is_no_pattern() {
        let storm = |n: u64| n < 250 && n % 25 == 20;
        let (_, wishes) = fed(1500, |n| if storm(n) || n == 750 { 180 } else { 1 });
        assert!(wishes[245] >= ms(170), "{:?}", wishes[245]);
        assert!(wishes[749] <= ms(10), "{:?}", wishes[749]);
        assert!(wishes[750 + 100] <= ms(10), "two seconds later: {:?}", wishes[850]);
    }

    #[test]
    fn nothing_raises_the_wish_beyond_its_bound() {
        assert_eq!(fed(100, |_| 60_000).0.wish(), limits::PLAYOUT_DELAY_MAX);
    }
}
