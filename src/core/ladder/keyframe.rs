//! **The question:** when is a keyframe due, on a rung or from a source? Any number of requests are one a
//! `limits::KEYFRAME_SPACING`; while a recorder or HLS reads a rung, one comes every `limits::KEYFRAME_INTERVAL` by
//! itself, on lines of the room's clock, so that all rungs have theirs at once.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use crate::base::limits;
use crate::base::media::{Outbox, Pts};

/// What a pacer hears of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyframeInput {
    /// Somebody needs a keyframe.
    Request,
    /// A keyframe came by itself (a source's own): anyone who waited has it.
    Seen,
    /// A frame of this room time comes, and a recorder or HLS reads; `None`: neither does.
    Recorded(Option<Pts>),
    /// The deadline came.
    Due,
}

/// What a pacer wants done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyframeOutput {
    /// Make one (a rung), or ask for one (a source).
    Keyframe,
}

/// What happened so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PacerStats {
    /// Requests that came.
    pub requests: u64,
    /// Keyframes made or asked for.
    pub keyframes: u64,
    /// Requests that were answered together with another.
    pub coalesced: u64,
}

/// Paces the keyframes of one rung, or the requests to one source.
#[derive(Debug, Default)]
pub struct KeyframePacer {
    last: Option<Instant>,
    pending: bool,
    /// Which of the room clock's intervals the last frame lies in that a recorder or HLS reads.
    interval: Option<u64>,
    stats: PacerStats,
}

impl KeyframePacer {
    /// No keyframe yet; the first request is answered at once.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes one input; pushes a keyframe if one is due at `now`.
    pub fn handle(&mut self, now: Instant, input: KeyframeInput, out: &mut Outbox<KeyframeOutput>) {
        let mut is_due = false;
        match input {
            KeyframeInput::Request => {
                self.stats.requests += 1;
                self.stats.coalesced += u64::from(self.pending);
                self.pending = true;
            }
            KeyframeInput::Seen => {
                self.pending = false;
                self.last = Some(now);
            }
            KeyframeInput::Recorded(at) => {
                let before = std::mem::replace(&mut self.interval, at.map(interval));
                // A recording begins with a keyframe.
                self.pending |= self.interval.is_some() && before.is_none();
                is_due = before.is_some() && self.interval.is_some() && before != self.interval;
            }
            KeyframeInput::Due => {}
        }
        if is_due || self.deadline_from(now).is_some_and(|at| at <= now) {
            self.pending = false;
            self.last = Some(now);
            self.stats.keyframes += 1;
            out.push(KeyframeOutput::Keyframe);
        }
    }

    /// When `handle` must be called again at the latest; in the past never, for what is due is pushed at once.
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        let last = self.last?;
        self.pending.then_some(last + limits::KEYFRAME_SPACING)
    }

    /// What happened so far.
    #[must_use]
    pub fn stats(&self) -> PacerStats {
        self.stats
    }

    fn deadline_from(&self, now: Instant) -> Option<Instant> {
        if self.last.is_none() { self.pending.then_some(now) } else { self.deadline() }
    }
}

/// Counted from the room's epoch.
const fn interval(pts: Pts) -> u64 {
    pts.0 / limits::KEYFRAME_INTERVAL.as_nanos() as u64
}

/// How many keyframe requests one viewer has left: `limits::KEYFRAME_REQUESTS_PER_MINUTE`, and one each
/// `limits::KEYFRAME_REQUEST_SPAN` beyond.
#[derive(Debug, Default)]
pub struct RequestBudget {
    granted: VecDeque<Instant>,
}

impl RequestBudget {
    /// A full budget.
    #[must_use]
    pub fn new() -> Self {
        Self { granted: VecDeque::with_capacity(limits::KEYFRAME_REQUESTS_PER_MINUTE) }
    }

    /// Whether a request at `now` is granted; if so, it is spent.
    pub fn grant(&mut self, now: Instant) -> bool {
        let minute = Duration::from_secs(60);
        while self.granted.front().is_some_and(|at| now.saturating_duration_since(*at) >= minute) {
            self.granted.pop_front();
        }
        let is_long_ago =
            self.granted.back().is_none_or(|at| now.saturating_duration_since(*at) >= limits::KEYFRAME_REQUEST_SPAN);
        let granted = is_long_ago || self.granted.len() < limits::KEYFRAME_REQUESTS_PER_MINUTE;
        if granted {
            self.granted.push_back(now);
        }
        granted
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(n: u64) -> Duration {
        Duration::from_millis(n)
    }

    #[test]
    fn a_storm_of_requests_is_one_keyframe_a_second_and_the_last_is_answered() {
        let start = Instant::now();
        let (mut pacer, mut out) = (KeyframePacer::new(), Outbox::new());
        let mut made = Vec::new();
        for n in 0..250 {
            let now = start + ms(n * 10);
            pacer.handle(now, KeyframeInput::Request, &mut out);
            made.extend(out.drain().map(|_| n * 10));
        }
        assert_eq!(made, [0, 1000, 2000]);
        let due = pacer.deadline().unwrap();
        assert_eq!(due, start + ms(3000));
        pacer.handle(due, KeyframeInput::Due, &mut out);
        assert_eq!(out.drain().count(), 1);
        assert_eq!(pacer.deadline(), None);
        let stats = pacer.stats();
        assert_eq!(stats.requests, stats.keyframes + stats.coalesced);
    }

    #[test]
    fn a_recorded_rung_has_a_keyframe_at_every_line_of_four_seconds() {
        let start = Instant::now();
        let (mut pacer, mut out, mut made) = (KeyframePacer::new(), Outbox::new(), Vec::new());
        // Its clock stands at 2.5 s when somebody begins to read; a viewer asks at 7.7 s, just before a line.
        for n in 25..170_u64 {
            let now = start + ms(n * 100);
            pacer.handle(now, KeyframeInput::Recorded(Some(Pts(n * 100_000_000))), &mut out);
            pacer.handle(now, if n == 77 { KeyframeInput::Request } else { KeyframeInput::Due }, &mut out);
            made.extend(out.drain().map(|_| n));
        }
        assert_eq!(made, [25, 40, 77, 80, 120, 160]);
        pacer.handle(start + ms(17_000), KeyframeInput::Recorded(None), &mut out);
        pacer.handle(start + ms(21_000), KeyframeInput::Recorded(None), &mut out);
        assert!(out.is_empty() && pacer.deadline().is_none());
    }

    #[test]
    fn a_keyframe_that_comes_by_itself_answers_who_waited() {
        let start = Instant::now();
        let (mut pacer, mut out) = (KeyframePacer::new(), Outbox::new());
        pacer.handle(start, KeyframeInput::Request, &mut out);
        pacer.handle(start + ms(100), KeyframeInput::Request, &mut out);
        pacer.handle(start + ms(200), KeyframeInput::Seen, &mut out);
        assert_eq!(pacer.deadline(), None);
        assert_eq!(out.drain().count(), 1);
    }

    #[test]
    fn a_viewer_has_six_requests_a_minute_and_never_waits_for_more_than_five_seconds() {
        let start = Instant::now();
        let mut budget = RequestBudget::new();
        let granted: Vec<u64> = (0..30).filter(|n| budget.grant(start + Duration::from_secs(*n))).collect();
        assert_eq!(granted, [0, 1, 2, 3, 4, 5, 10, 15, 20, 25]);
        let later = start + Duration::from_secs(120);
        let granted = (0..60).filter(|n| budget.grant(later + ms(n * 100))).count();
        assert_eq!(granted, limits::KEYFRAME_REQUESTS_PER_MINUTE + 1);
    }
}
