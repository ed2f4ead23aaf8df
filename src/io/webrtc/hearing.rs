//! **The question:** how much of what one client says is taken? So many messages a second; of those that come faster
//! the newest of each type waits for its turn, so that what somebody wants last is what holds.

use std::time::{Duration, Instant};

use crate::base::limits;
use crate::core::signal::FromClient;

/// What becomes of a message.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Heard {
    /// It is taken now.
    Now(String),
    /// It waits, and nothing was lost by it.
    Waits,
    /// It waits in the place of an older one, or is lost: the client says too much. True the first time since it
    /// stopped.
    TooMuch(bool),
}

/// One client's budget of words.
#[derive(Debug)]
pub(super) struct Hearing {
    /// Messages that may be taken at once.
    left: f64,
    /// When that was so.
    at: Instant,
    /// The newest of each type that waits, oldest first.
    held: Vec<(&'static str, String)>,
    /// The client was told that it says too much.
    told: bool,
}

impl Hearing {
    /// The whole budget.
    pub(super) fn new(now: Instant) -> Self {
        Self { left: f64::from(limits::SIGNALS_BURST), at: now, held: Vec::new(), told: false }
    }

    /// A message came.
    pub(super) fn take(&mut self, now: Instant, text: String) -> Heard {
        self.fill(now);
        if self.held.is_empty() && self.pay(&text) {
            return Heard::Now(text);
        }
        let kind = FromClient::type_of(&text).filter(|_| text.len() <= limits::SIGNAL_HELD_LEN_MAX);
        let Some(kind) = kind else { return self.too_much() };
        let before = self.held.iter().position(|(held, _)| *held == kind);
        before.into_iter().for_each(|at| drop(self.held.remove(at)));
        self.held.push((kind, text));
        if before.is_some() { self.too_much() } else { Heard::Waits }
    }

    /// What waited and is taken now.
    pub(super) fn due(&mut self, now: Instant) -> Option<String> {
        self.fill(now);
        let (_, text) = self.held.first()?;
        let cost = cost(text);
        if self.left < cost {
            return None;
        }
        self.left -= cost;
        Some(self.held.remove(0).1)
    }

    /// What could not be handed on waits again, unless something newer does.
    pub(super) fn hold(&mut self, text: String) {
        if let Some(kind) = FromClient::type_of(&text).filter(|kind| self.held.iter().all(|(held, _)| held != kind)) {
            self.held.insert(0, (kind, text));
        }
    }

    /// When the next one that waits may be taken.
    pub(super) fn deadline(&self) -> Option<Instant> {
        let (_, text) = self.held.first()?;
        let missing = (cost(text) - self.left).max(0.0) / f64::from(limits::SIGNALS_PER_SECOND);
        Some(self.at + Duration::from_secs_f64(missing) + limits::TIMER_GRAIN)
    }

    fn fill(&mut self, now: Instant) {
        let since = now.saturating_duration_since(self.at).as_secs_f64();
        let most = f64::from(limits::SIGNALS_BURST);
        self.left = (self.left + since * f64::from(limits::SIGNALS_PER_SECOND)).min(most);
        self.at = self.at.max(now);
        self.told &= self.left < most;
    }

    fn pay(&mut self, text: &str) -> bool {
        let paid = cost(text) <= self.left;
        if paid {
            self.left -= cost(text);
        }
        paid
    }

    fn too_much(&mut self) -> Heard {
        Heard::TooMuch(!std::mem::replace(&mut self.told, true))
    }
}

/// What a message costs: long ones as much as several. None costs more than the whole budget.
fn cost(text: &str) -> f64 {
    (1 + text.len() / limits::SIGNAL_UNIT_LEN) as f64
}

const _: () = assert!(limits::SIGNAL_LEN_MAX / limits::SIGNAL_UNIT_LEN < limits::SIGNALS_BURST as usize);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seven_thousand_hands_a_second_are_a_hundred_and_the_last_one_holds() {
        let (start, mut taken, mut told) = (Instant::now(), Vec::new(), 0);
        let mut hearing = Hearing::new(start);
        let hand = |raised: bool| format!(r#"{{"v":1,"type":"hand","raised":{raised}}}"#);
        for n in 0..7_000_u64 {
            let now = start + Duration::from_micros(n * 1_000_000 / 7_000);
            match hearing.take(now, hand(n % 2 == 0)) {
                Heard::Now(text) => taken.push(text),
                Heard::Waits => {}
                Heard::TooMuch(first) => told += u32::from(first),
            }
            taken.extend(hearing.due(now));
        }
        let most = (limits::SIGNALS_BURST + limits::SIGNALS_PER_SECOND) as usize;
        assert!(taken.len() <= most + 1 && taken.len() > most - 3, "{}", taken.len());
        assert_eq!(told, 1, "told once");
        // Another kind does not push it out, and what is said last is what holds.
        hearing.take(start + Duration::from_secs(1), r#"{"v":1,"type":"recordable","recordable":false}"#.into());
        let (mut at, mut last) = (start, Vec::new());
        while let Some(deadline) = hearing.deadline() {
            at = at.max(deadline);
            last.extend(hearing.due(at));
        }
        assert_eq!(last[0], hand(false));
        assert!(last[1].contains("recordable") && last.len() == 2);
        assert!(at < start + Duration::from_secs(2));
    }

    #[test]
    fn long_messages_cost_more_and_nonsense_does_not_wait() {
        let now = Instant::now();
        let mut hearing = Hearing::new(now);
        let long = format!(r#"{{"v":1,"type":"offer","sdp":"{}"}}"#, "x".repeat(60_000));
        assert!(matches!(hearing.take(now, long.clone()), Heard::Now(_)));
        assert!(matches!(hearing.take(now, long.clone()), Heard::Now(_)));
        assert_eq!(hearing.take(now, long), Heard::TooMuch(true), "too long to wait");
        while matches!(hearing.take(now, "{}".into()), Heard::Now(_)) {}
        assert_eq!(hearing.take(now, "nonsense".into()), Heard::TooMuch(false));
        assert_eq!(hearing.deadline(), None);
    }
}
