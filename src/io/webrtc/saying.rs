//! **The question:** what is said next on one client's data channel? Of each thing that has a state the newest, ten
//! times a second at most, a long one less often, and never nothing: what finds no room now is said later.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::base::limits;
use crate::core::signal::WordKind;

/// What became of a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Put {
    /// It waits for its turn.
    Waits,
    /// It took the place of an older one.
    Superseded,
    /// No more of its kind may wait.
    Discarded,
}

/// What waits to be said to one client.
#[derive(Debug, Default)]
pub(super) struct Saying {
    /// In the order in which it is said.
    waiting: Vec<(WordKind, Arc<str>)>,
    /// From when on each state may be told again.
    told: Vec<(WordKind, Instant)>,
    /// The client was told who it is, or is about to be.
    is_welcome: bool,
    /// When the first of what waits is tried; the channel takes nothing before.
    again: Option<Instant>,
}

impl Saying {
    /// Takes a text to be said.
    pub(super) fn put(&mut self, now: Instant, kind: WordKind, text: Arc<str>) -> Put {
        self.again.get_or_insert(now);
        if kind == WordKind::Welcome {
            // It is followed by all there is to know but what the client is asked to send.
            self.waiting.retain(|(waiting, _)| !waiting.is_state() || matches!(waiting, WordKind::Send(_)));
            self.waiting.insert(0, (kind, text));
            self.is_welcome = true;
            return Put::Waits;
        }
        let same = self.waiting.iter_mut().find(|(waiting, _)| *waiting == kind && kind.is_state());
        if let Some((_, older)) = same {
            *older = text;
            return Put::Superseded;
        }
        let alike = self.waiting.iter().filter(|(waiting, _)| *waiting == kind).count();
        if !kind.is_state() && alike >= kind.waiting_max() {
            return Put::Discarded;
        }
        self.waiting.push((kind, text));
        Put::Waits
    }

    /// What may be said now.
    pub(super) fn next(&self, now: Instant) -> Option<Arc<str>> {
        let due = self.waiting.iter().find(|(kind, _)| self.due(*kind).is_none_or(|at| at <= now));
        due.filter(|_| self.is_welcome && self.again.is_none_or(|at| at <= now)).map(|(_, text)| text.clone())
    }

    /// What [`next`](Self::next) gave was said.
    pub(super) fn said(&mut self, now: Instant) {
        let due = self.waiting.iter().position(|(kind, _)| self.due(*kind).is_none_or(|at| at <= now));
        let Some(at) = due else { return };
        let (kind, text) = self.waiting.remove(at);
        self.again = self.again.filter(|_| !self.waiting.is_empty());
        if kind.is_state() {
            // What may be told again needs not be remembered.
            self.told.retain(|(told, at)| *told != kind && *at > now);
            self.told.push((kind, now + spacing(text.len())));
        }
    }

    /// The channel took nothing: it is tried again a little later.
    pub(super) fn hold(&mut self, now: Instant) {
        self.again = Some(now + limits::SIGNAL_SPACING);
    }

    /// When something may be said, if anything waits.
    pub(super) fn deadline(&self) -> Option<Instant> {
        let first = self.waiting.iter().map(|(kind, _)| self.due(*kind)).min()?;
        first.max(self.again).filter(|_| self.is_welcome)
    }

    /// From when on a kind may be told again; `None`: at once.
    fn due(&self, kind: WordKind) -> Option<Instant> {
        self.told.iter().find(|(told, _)| *told == kind).map(|(_, at)| *at)
    }
}

/// How long after a state of this length the next one is told. While a hundred people come, each hears of all the
/// others again and again: by its length it costs them and the node, and nobody reads it ten times a second.
fn spacing(length: usize) -> Duration {
    let units = u32::try_from(length / limits::SIGNAL_UNIT_LEN).unwrap_or(u32::MAX);
    limits::SIGNAL_SPACING.saturating_mul(units.max(1)).min(limits::SIGNAL_SPACING_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(saying: &mut Saying, now: Instant) -> Vec<String> {
        let mut all = Vec::new();
        while let Some(text) = saying.next(now) {
            all.push(text.to_string());
            saying.said(now);
        }
        all
    }

    #[test]
    fn the_newest_state_is_told_ten_times_a_second_and_the_last_one_always() {
        let (mut saying, start) = (Saying::default(), Instant::now());
        saying.put(start, WordKind::Welcome, "welcome".into());
        let mut told = Vec::new();
        for n in 0..7_000_u64 {
            let now = start + Duration::from_micros(n * 1_000_000 / 7_000);
            saying.put(now, WordKind::Room, format!("room {n}").into());
            told.extend(said(&mut saying, now));
        }
        assert!((10..=12).contains(&told.len()), "{}", told.len());
        let last = saying.deadline().expect("the last one waits");
        assert_eq!(said(&mut saying, last), ["room 6999"]);
        assert_eq!(saying.deadline(), None);
    }

    #[test]
    fn a_long_state_is_told_less_often_and_its_last_one_always() {
        let (mut saying, start) = (Saying::default(), Instant::now());
        saying.put(start, WordKind::Welcome, "welcome".into());
        let roster = |n: u64| format!("{n} {}", "x".repeat(4 * limits::SIGNAL_UNIT_LEN)).into();
        let mut told = Vec::new();
        for n in 0..100 {
            let now = start + limits::SIGNAL_SPACING * u32::try_from(n).expect("few");
            saying.put(now, WordKind::Room, roster(n));
            told.extend(said(&mut saying, now));
        }
        assert_eq!(told.len(), 1 + 25, "the welcome, and one state in four");
        let last = saying.deadline().expect("the last one waits");
        assert!(said(&mut saying, last)[0].starts_with("99 "));
        saying.put(last, WordKind::Scene, "short".into());
        assert_eq!(said(&mut saying, last), ["short"], "others do not wait for it");
        let huge: Arc<str> = "x".repeat(limits::SIGNAL_LEN_MAX).into();
        saying.put(last, WordKind::Layout, huge.clone());
        assert_eq!(said(&mut saying, last).len(), 1);
        saying.put(last, WordKind::Layout, huge);
        assert_eq!(saying.deadline(), Some(last + limits::SIGNAL_SPACING_MAX));
    }

    #[test]
    fn the_welcome_comes_first_and_what_came_before_it_is_not_lost() {
        let (mut saying, now) = (Saying::default(), Instant::now());
        saying.put(now, WordKind::Room, "old".into());
        saying.put(now, WordKind::Send(crate::core::signal::VideoTrack::Camera), "send".into());
        assert_eq!((saying.next(now), saying.deadline()), (None, None), "nothing before the welcome");
        saying.put(now, WordKind::Welcome, "welcome".into());
        saying.put(now, WordKind::Room, "room".into());
        assert_eq!(said(&mut saying, now), ["welcome", "send", "room"]);
    }

    #[test]
    fn a_full_channel_is_tried_again_and_answers_are_kept_in_order() {
        let (mut saying, now) = (Saying::default(), Instant::now());
        saying.put(now, WordKind::Welcome, "welcome".into());
        for n in 0..limits::PROBLEMS_WAITING_MAX {
            assert_eq!(saying.put(now, WordKind::Problem, n.to_string().into()), Put::Waits);
        }
        assert_eq!(saying.put(now, WordKind::Problem, "more".into()), Put::Discarded);
        assert_eq!(saying.put(now, WordKind::Scene, "one".into()), Put::Waits);
        assert_eq!(saying.put(now, WordKind::Scene, "two".into()), Put::Superseded);
        saying.hold(now);
        assert_eq!((saying.next(now), saying.deadline()), (None, Some(now + limits::SIGNAL_SPACING)));
        let told = said(&mut saying, now + limits::SIGNAL_SPACING);
        assert_eq!((told.len(), &*told[1], &*told[9]), (limits::PROBLEMS_WAITING_MAX + 2, "0", "two"));
    }
}
