//! **The question:** does a process of decoders that says nothing stand still, compute, or wait for a core? What the
//! kernel tells of it (proc(5)); on a machine that is full nobody is blamed for waiting.

use std::fs;
use std::time::{Duration, Instant};

use crate::base::limits;
use crate::io::telemetry::threads::Stat;

/// What a process does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// It runs, or would if there were a core or what it reads of the disk.
    Runs,
    /// It waits for something else.
    Sleeps,
    /// Somebody stopped it.
    Stopped,
}

/// How a process stood at an instant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pulse {
    at: Instant,
    state: State,
    /// Processor time so far.
    spent: Duration,
}

impl Pulse {
    /// Of process `pid` now; `None` where the kernel does not tell.
    #[must_use]
    pub fn of(pid: u32, now: Instant) -> Option<Self> {
        Self::parse(&fs::read_to_string(format!("/proc/{pid}/stat")).ok()?, now)
    }

    fn parse(line: &str, at: Instant) -> Option<Self> {
        let stat = Stat::parse(line)?;
        let state = match stat.state {
            "R" | "D" => State::Runs,
            "T" | "t" => State::Stopped,
            _ => State::Sleeps,
        };
        Some(Self { at, state, spent: Duration::from_secs_f64(stat.seconds) })
    }

    /// Whether it will not go on by itself.
    #[must_use]
    pub fn is_stopped(&self) -> bool {
        self.state == State::Stopped
    }

    /// Whether it only waits for its turn, as far as can be told: it would run, and did not have the processor for
    /// half of the time since `before`, if it was looked at shortly before.
    #[must_use]
    pub fn waits(&self, before: Option<Self>) -> bool {
        let recent = limits::DECODER_LOOK_SPAN * 2 + limits::DECODER_LATE_SPAN;
        let before = before.filter(|before| self.at.saturating_duration_since(before.at) <= recent);
        let computes = before.is_some_and(|before| {
            self.spent.saturating_sub(before.spent) * 2 >= self.at.saturating_duration_since(before.at)
        });
        self.state == State::Runs && !computes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pulse(at: Instant, state: &str, ticks: u32) -> Pulse {
        let line = format!("41 (a) R (b) {state} 1 41 41 0 -1 4194560 90 0 0 0 {ticks} 5 7 8 20 0 5 0 1 2 3");
        Pulse::parse(&line, at).unwrap()
    }

    #[test]
    fn who_waits_for_a_core_is_told_from_who_computes_and_who_stands_still() {
        let start = Instant::now();
        let later = start + limits::DECODER_LOOK_SPAN;
        let first = pulse(start, "R", 10);
        assert_eq!(first.spent, Duration::from_millis(150));
        assert!(first.waits(None), "it is looked at for the first time");
        assert!(pulse(later, "R", 13).waits(Some(first)) && !pulse(later, "R", 16).waits(Some(first)));
        assert!(pulse(later, "D", 10).waits(Some(first)), "of the disk it waits too");
        for (state, stopped) in [("T", true), ("S", false), ("Z", false), ("t", true)] {
            let pulse = pulse(later, state, 10);
            assert!(!pulse.waits(Some(first)) && pulse.is_stopped() == stopped, "{state}");
        }
        let long_ago = start + Duration::from_secs(9);
        assert!(pulse(long_ago, "R", 900).waits(Some(first)), "of another silence");
        assert_eq!(Pulse::parse("nonsense", start), None);
        assert_eq!(Pulse::parse("1 (x) R 1 2", start), None);
    }

    #[test]
    fn the_kernel_tells_of_a_process_that_is_there() {
        let pid = std::process::id();
        assert!(Pulse::of(pid, Instant::now()).is_some_and(|pulse| !pulse.is_stopped()));
        assert_eq!(Pulse::of(u32::MAX, Instant::now()), None);
    }
}
