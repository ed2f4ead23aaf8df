//! **The question:** what does somebody who only watches get, as packets' heads tell it? Nothing is decoded: a picture
//! is there once all its packets are and those of all before it, back to a keyframe. Pure.

use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use super::gauge::Gauge;
use crate::base::limits;

/// What the viewers by WHEP got, all together.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct ViewersReport {
    /// Viewers asked for.
    pub asked: usize,
    /// Those whose connection came up.
    pub connected: usize,
    /// Those whose connection stood to the end.
    pub stayed: usize,
    /// Those who were shown a picture while it was measured.
    pub watched: usize,
    /// From asking to the first whole picture, milliseconds.
    pub first_picture_ms: FirstReport,
    /// Pictures a second, of the one who got fewest.
    pub fps: f64,
    /// Standstills of a picture over half a second.
    pub freezes: u64,
    /// The longest time without a new picture.
    pub longest_gap_ms: f64,
    /// The longest time without a packet of the mix, milliseconds; silence is told each 400.
    pub sound_gap_ms: f64,
    /// Times that one was sent off, and came again.
    #[serde(default)]
    pub returns: u64,
    /// The longest from the end of a connection to the first picture by the next, milliseconds.
    #[serde(default)]
    pub return_ms: f64,
    /// Bits a second of one, with all that is not media; of all of them the mean.
    pub bitrate: f64,
    /// Packets that came, of composite and mix.
    pub packets: u64,
    /// Packets that never came.
    pub lost: u64,
    /// Packets that came after those behind them: repaired, or overtaken.
    pub late: u64,
    /// Keyframes asked for.
    pub keyframes_asked: u64,
}

/// From asking to the first whole picture, milliseconds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct FirstReport {
    /// Median.
    pub p50: f64,
    /// 95th percentile.
    pub p95: f64,
    /// Longest.
    pub max: f64,
}

impl ViewersReport {
    /// Of these, whose connections came up, of so many asked for, who were watched for so long.
    pub(super) fn of(asked: usize, all: &[Reception], measured: Duration) -> Self {
        let mut first = Gauge::new();
        all.iter().filter_map(|one| one.first).for_each(|span| first.add(span));
        let sum = |of: fn(&Counts) -> u64| all.iter().map(|one| of(&one.counts)).sum::<u64>();
        let longest = |of: fn(&Counts) -> Duration| {
            all.iter().map(|one| of(&one.counts)).max().unwrap_or_default().as_secs_f64() * 1e3
        };
        let seconds = measured.as_secs_f64().max(f64::EPSILON);
        let fewest = all.iter().map(|one| one.counts.pictures).min().unwrap_or_default();
        Self {
            asked,
            connected: all.len(),
            stayed: all.iter().filter(|one| one.stayed).count(),
            watched: all.iter().filter(|one| one.counts.pictures > 0).count(),
            first_picture_ms: FirstReport {
                p50: first.percentile_ms(50),
                p95: first.percentile_ms(95),
                max: first.max_ms(),
            },
            fps: fewest as f64 / seconds,
            freezes: sum(|counts| counts.freezes),
            longest_gap_ms: longest(|counts| counts.longest_gap),
            sound_gap_ms: longest(|counts| counts.sound_gap),
            returns: sum(|counts| counts.returns),
            return_ms: longest(|counts| counts.longest_return),
            bitrate: sum(|counts| counts.bytes) as f64 * 8.0 / seconds / all.len().max(1) as f64,
            packets: sum(|counts| counts.received),
            lost: sum(|counts| counts.lost),
            late: sum(|counts| counts.late),
            keyframes_asked: sum(|counts| counts.keyframes_asked),
        }
    }

    /// Its lines in a load's table.
    pub(super) fn rows(&self) -> [(&'static str, String); 3] {
        let Self { asked, connected, stayed, watched, first_picture_ms: FirstReport { p50, p95, max }, .. } = *self;
        let first = format!("first picture {p50:.0} ms median, {p95:.0} p95, {max:.0} at most");
        let left = format!("{} lost on the way", connected.saturating_sub(stayed));
        let gone = if stayed < connected { format!(", {left}") } else { String::new() };
        let blind = connected.saturating_sub(watched);
        let blind = if blind > 0 { format!(", {blind} saw nothing") } else { String::new() };
        let mut gaps = format!("longest gap {:.0} ms, of the sound {:.0}", self.longest_gap_ms, self.sound_gap_ms);
        if self.returns > 0 {
            gaps += &format!(", {} came again within {:.0}", self.returns, self.return_ms);
        }
        let (packets, lost, late) = (self.packets, self.lost, self.late);
        let rate = self.bitrate / 1e6;
        [
            ("viewers", format!("{asked} asked, {connected} connected{gone}{blind}; {first}")),
            ("  pictures", format!("{:.1} a second or more, {} freezes over 500 ms, {gaps}", self.fps, self.freezes)),
            ("  packets", format!("{packets} received, {lost} lost, {late} late; {rate:.2} Mb/s each")),
        ]
    }
}

/// What is counted while it is measured.
#[derive(Debug, Clone, Copy, Default)]
struct Counts {
    received: u64,
    lost: u64,
    late: u64,
    bytes: u64,
    pictures: u64,
    freezes: u64,
    keyframes_asked: u64,
    longest_gap: Duration,
    sound_gap: Duration,
    returns: u64,
    longest_return: Duration,
}

/// What one viewer gets.
#[derive(Debug, Clone)]
pub(super) struct Reception {
    asked: Instant,
    /// From asking to the first picture.
    first: Option<Duration>,
    /// Whether the connection stood to the end.
    stayed: bool,
    pictures: Order,
    sounds: Order,
    /// The packet that the newest keyframe began with, from which on there are pictures; none after a loss.
    keyframe: Option<u64>,
    /// Last packets of pictures that are not whole yet.
    ends: VecDeque<u64>,
    picture_at: Option<Instant>,
    /// When the connection ended, after which nothing was seen yet.
    ended_at: Option<Instant>,
    sound_at: Option<Instant>,
    /// When a keyframe may be asked for next.
    ask_at: Instant,
    counts: Counts,
}

impl Reception {
    /// Nothing came yet of what was asked for at `now`.
    pub fn new(now: Instant) -> Self {
        Self {
            asked: now,
            first: None,
            stayed: false,
            pictures: Order::default(),
            sounds: Order::default(),
            keyframe: None,
            ends: VecDeque::new(),
            picture_at: None,
            ended_at: None,
            sound_at: None,
            ask_at: now,
            counts: Counts::default(),
        }
    }

    /// The connection ended.
    pub fn ended(&mut self, now: Instant) {
        self.ended_at.get_or_insert(now);
    }

    /// The same viewer by another connection: what was counted goes on, and the gap until its first picture with it.
    pub fn anew(&self) -> Self {
        let (pictures, sounds) = (Order::default(), Order::default());
        Self { pictures, sounds, keyframe: None, ends: VecDeque::new(), ..self.clone() }
    }

    /// The connection stands.
    pub fn stands(&mut self, now: Instant) {
        self.ask_at = now + limits::LOAD_KEYFRAME_SPACING;
    }

    /// A datagram of so many bytes came.
    pub fn datagram(&mut self, len: usize) {
        self.counts.bytes += len as u64;
    }

    /// A packet of the composite came: the last one of a picture, the first one of a keyframe?
    pub fn picture(&mut self, now: Instant, sequence: u64, (is_last, is_keyframe): (bool, bool)) {
        let lost = self.counts.lost;
        if !self.pictures.take(now, sequence, &mut self.counts) {
            return;
        }
        if self.counts.lost > lost {
            self.lose(now);
        }
        if is_keyframe && self.keyframe.is_none() {
            self.keyframe = Some(sequence);
            self.ends.retain(|end| *end >= sequence);
        }
        if is_last {
            // They come in their order but for repairs, which are few.
            let at = self.ends.iter().rposition(|end| *end < sequence).map_or(0, |before| before + 1);
            self.ends.insert(at, sequence);
            if self.ends.len() > limits::LOAD_PICTURES_WAITING_MAX {
                self.ends.pop_front();
            }
        }
        self.show(now);
    }

    /// A packet of the mix came.
    pub fn sound(&mut self, now: Instant, sequence: u64) {
        self.sounds.take(now, sequence, &mut self.counts);
        if let Some(before) = self.sound_at.replace(now) {
            let gap = now.saturating_duration_since(before);
            self.counts.sound_gap = self.counts.sound_gap.max(gap);
        }
    }

    /// Gives up on what was missing for too long; whether a keyframe is to be asked for, without which there is no
    /// picture any more.
    pub fn look(&mut self, now: Instant) -> bool {
        self.sounds.give_up(now, &mut self.counts);
        let given_up = self.pictures.give_up(now, &mut self.counts);
        if given_up.is_some_and(|newest| self.keyframe.is_some_and(|keyframe| newest >= keyframe)) {
            self.lose(now);
        }
        let asks = self.keyframe.is_none() && now >= self.ask_at && self.pictures.newest.is_some();
        if asks {
            self.ask_at = now + limits::LOAD_KEYFRAME_SPACING;
            self.counts.keyframes_asked += 1;
        }
        asks
    }

    /// Forgets what was counted; the measured span begins at `now`.
    pub fn begin(&mut self, now: Instant) {
        self.counts = Counts::default();
        (self.picture_at, self.sound_at) = (Some(now), self.sound_at.map(|_| now));
    }

    /// What came of the measured span, which ends at `now`, of a connection that `stayed` until then.
    pub fn end(&self, now: Instant, stayed: bool) -> Self {
        let mut whole = Self { stayed, ..self.clone() };
        if let Some(at) = whole.picture_at {
            whole.gap(now.saturating_duration_since(at));
        }
        whole
    }

    /// What follows builds on what will never come.
    fn lose(&mut self, now: Instant) {
        (self.keyframe, self.ask_at) = (None, self.ask_at.min(now));
        self.ends.clear();
    }

    fn show(&mut self, now: Instant) {
        let Some(keyframe) = self.keyframe else { return };
        while let Some(end) = self.ends.front().copied()
            && self.pictures.missing.range(keyframe..=end).next().is_none()
        {
            self.ends.pop_front();
            self.counts.pictures += 1;
            self.first.get_or_insert(now.saturating_duration_since(self.asked));
            if let Some(ended) = self.ended_at.take() {
                self.counts.returns += 1;
                let span = now.saturating_duration_since(ended);
                self.counts.longest_return = self.counts.longest_return.max(span);
            }
            if let Some(before) = self.picture_at.replace(now) {
                self.gap(now.saturating_duration_since(before));
            }
        }
    }

    fn gap(&mut self, gap: Duration) {
        self.counts.longest_gap = self.counts.longest_gap.max(gap);
        self.counts.freezes += u64::from(gap > limits::LOAD_FREEZE_AFTER);
    }
}

/// The packets of one track by their extended numbers.
#[derive(Debug, Clone, Default)]
struct Order {
    newest: Option<u64>,
    /// Those that did not come yet, and since when that is known.
    missing: BTreeMap<u64, Instant>,
}

impl Order {
    /// Notes a packet; false if it was there already, or was given up.
    fn take(&mut self, now: Instant, sequence: u64, counts: &mut Counts) -> bool {
        if self.newest.is_none_or(|newest| sequence > newest) {
            let next = self.newest.map_or(sequence, |newest| newest + 1);
            if sequence - next > limits::LOAD_MISSING_MAX {
                counts.lost += sequence - next;
            } else {
                self.missing.extend((next..sequence).map(|missing| (missing, now)));
            }
            self.newest = Some(sequence);
            counts.received += 1;
            return true;
        }
        // What came before the first one is the sender's past.
        let was_missing = self.missing.remove(&sequence).is_some();
        counts.received += u64::from(was_missing);
        counts.late += u64::from(was_missing);
        was_missing
    }

    /// What was missing for too long is lost; the newest of that.
    fn give_up(&mut self, now: Instant, counts: &mut Counts) -> Option<u64> {
        let mut newest = None;
        while let Some(first) = self.missing.first_entry()
            && now >= *first.get() + limits::LOAD_MISSING_SPAN
        {
            newest = Some(*first.key());
            first.remove();
            counts.lost += 1;
        }
        newest
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DELTA: (bool, bool) = (false, false);
    const LAST: (bool, bool) = (true, false);
    const KEY: (bool, bool) = (false, true);

    /// A reception, and the clock by which it was asked for at 0 ms.
    fn reception() -> (Reception, impl Fn(u64) -> Instant) {
        let start = Instant::now();
        (Reception::new(start), move |ms| start + Duration::from_millis(ms))
    }

    #[test]
    fn a_picture_is_there_once_it_is_whole_back_to_a_keyframe() {
        let (mut got, at) = reception();
        got.stands(at(50));
        // The end of a picture whose beginning nobody has, and a delta that builds on it.
        got.picture(at(60), 9, LAST);
        got.picture(at(70), 10, LAST);
        assert_eq!((got.counts.pictures, got.first), (0, None), "there is nothing to decode yet");
        got.picture(at(80), 11, KEY);
        got.picture(at(100), 13, LAST);
        assert_eq!(got.counts.pictures, 0, "12 is missing");
        got.picture(at(130), 14, LAST);
        got.picture(at(140), 12, DELTA);
        assert_eq!((got.counts.pictures, got.first), (2, Some(Duration::from_millis(140))), "both at once");
        assert_eq!((got.counts.received, got.counts.late, got.counts.lost), (6, 1, 0));
        got.picture(at(150), 12, DELTA);
        assert_eq!(got.counts.received, 6, "what comes twice counts once");
    }

    #[test]
    fn what_never_comes_ends_the_picture_until_the_next_keyframe() {
        let (mut got, at) = reception();
        (1..=3).for_each(|sequence| got.picture(at(sequence), sequence, (true, sequence == 1)));
        got.begin(at(10));
        got.picture(at(40), 5, LAST);
        let given_up = 40 + u64::try_from(limits::LOAD_MISSING_SPAN.as_millis()).unwrap();
        assert!(!got.look(at(given_up - 1)));
        assert!(got.look(at(given_up)), "4 is lost: a keyframe is needed");
        got.picture(at(given_up + 10), 6, LAST);
        assert!(!got.look(at(given_up + 20)), "not so soon again");
        assert_eq!((got.counts.pictures, got.counts.lost), (0, 1));
        got.picture(at(given_up + 30), 7, (true, true));
        got.picture(at(given_up + 60), 8, LAST);
        let whole = got.end(at(given_up + 70), true);
        assert_eq!((whole.counts.pictures, whole.counts.keyframes_asked, whole.counts.freezes), (2, 1, 1));
        assert_eq!(whole.counts.longest_gap, Duration::from_millis(given_up + 20));
    }

    #[test]
    fn who_waits_for_a_keyframe_asks_once_a_span_and_who_got_nothing_does_not() {
        let (mut got, at) = reception();
        got.stands(at(0));
        let spacing = u64::try_from(limits::LOAD_KEYFRAME_SPACING.as_millis()).unwrap();
        assert!(!got.look(at(spacing * 3)), "nobody is known to be asked");
        got.picture(at(spacing * 3), 1, LAST);
        assert!(got.look(at(spacing * 3)) && !got.look(at(spacing * 4 - 1)) && got.look(at(spacing * 4)));
    }

    #[test]
    fn the_measured_span_is_counted_with_its_standstill_at_either_end() {
        let (mut got, at) = reception();
        got.picture(at(0), 1, (true, true));
        got.sound(at(0), 1);
        got.begin(at(1_000));
        (0..10).for_each(|step| got.picture(at(1_700 + step * 33), 2 + step, LAST));
        (0..4).for_each(|step| got.sound(at(1_400 + step * 400), 2 + step));
        got.datagram(1_000);
        let whole = got.end(at(3_000), true);
        assert_eq!((whole.counts.pictures, whole.counts.freezes), (10, 2));
        assert_eq!(whole.counts.longest_gap, Duration::from_millis(3_000 - 1_997));
        let mut other = Reception::new(at(0));
        other.begin(at(1_000));
        let report = ViewersReport::of(3, &[whole, other.end(at(3_000), false)], Duration::from_secs(2));
        assert_eq!((report.asked, report.connected, report.stayed, report.watched), (3, 2, 1, 1));
        assert_eq!((report.packets, report.lost, report.freezes), (14, 0, 3));
        assert!(report.fps.abs() < 1e-9 && (report.longest_gap_ms - 2_000.0).abs() < 1e-9, "of who saw nothing");
        assert!((report.bitrate - 2_000.0).abs() < 1e-9 && (report.sound_gap_ms - 400.0).abs() < 1e-9);
        assert!(report.first_picture_ms.max.abs() < 1.0);
        let [viewers, _, packets] = report.rows();
        assert!(viewers.1.starts_with("3 asked, 2 connected, 1 lost on the way, 1 saw nothing; "), "{viewers:?}");
        assert_eq!(packets.1, "14 received, 0 lost, 0 late; 0.00 Mb/s each");
    }

    #[test]
    fn a_sender_that_goes_on_far_ahead_loses_what_lies_between_at_once() {
        let (mut got, at) = reception();
        got.picture(at(0), 1, (true, true));
        got.picture(at(1), 5_000, LAST);
        assert_eq!((got.counts.lost, got.pictures.missing.len(), got.counts.pictures), (4_998, 0, 1));
        assert!(got.look(at(1)), "a keyframe is needed");
    }
}
