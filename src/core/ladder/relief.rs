//! **The question:** what is given up while a room's ticks or decoders do not keep up, and when does it come back? In
//! a declared order, one step at a time: quickly down, slowly up, and more slowly each time that going up was too
//! early.

use std::time::{Duration, Instant};

/// What is given up; each step holds what those before it gave up. Recordings and sound are not in it: they go last.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Relief {
    /// Nothing.
    #[default]
    None,
    /// Tiles of people who do not speak are renewed half as often.
    TileRate,
    /// Senders are asked for pictures of half their tile's sides.
    TileSize,
    /// Viewers get the second rung at most, unless they asked for another.
    Rungs,
    /// Every second tick is left out.
    OutputRate,
}

impl Relief {
    /// All, in the order in which they are given up.
    pub const ALL: [Self; 5] = [Self::None, Self::TileRate, Self::TileSize, Self::Rungs, Self::OutputRate];

    /// As operators and clients read it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::TileRate => "tile rate",
            Self::TileSize => "tile size",
            Self::Rungs => "rungs",
            Self::OutputRate => "output rate",
        }
    }

    fn next(self) -> Option<Self> {
        Self::ALL.get(self as usize + 1).copied()
    }

    fn before(self) -> Self {
        Self::ALL[(self as usize).saturating_sub(1)]
    }
}

/// What is looked at together.
const WINDOW: Duration = Duration::from_secs(1);
/// Of a window's ticks, or of the tracks, in hundredths: from here on something is given up, when it is so in several
/// windows on end.
const TOO_MANY: u32 = 8;
/// So many before the first thing is given up: fewer may be what many joining at once, or a program's start, cost.
const FIRST_WINDOWS: u32 = 4;
/// And before each further one.
const NEXT_WINDOWS: u32 = 2;
/// Fewer tracks whose decoder is behind are their senders' doing: they send more than they may, and nobody else gives
/// up anything for them.
const BEHIND_MIN: u32 = 3;
/// From here down a window counts as quiet.
const FEW: u32 = 1;
/// What was asked for must show before more is given up: senders follow within a second.
const SETTLES: Duration = Duration::from_secs(2);
/// How long it must be quiet before something comes back.
const QUIET: Duration = Duration::from_secs(6);
/// The longest that a room waits, after attempts that were too early.
const QUIET_LONGEST: Duration = Duration::from_secs(96);

/// Decides it for one room.
#[derive(Debug)]
pub struct ReliefCore {
    relief: Relief,
    /// The window that runs: since when, ticks, and those that were left out.
    window: Option<(Instant, u32, u32)>,
    /// When it last changed.
    changed: Option<Instant>,
    /// Windows on end in which there were too many.
    strained: u32,
    quiet_since: Option<Instant>,
    quiet_needed: Duration,
    /// It came back and has not been quiet since.
    on_trial: bool,
}

impl Default for ReliefCore {
    fn default() -> Self {
        Self {
            relief: Relief::None,
            window: None,
            changed: None,
            strained: 0,
            quiet_since: None,
            quiet_needed: QUIET,
            on_trial: false,
        }
    }
}

impl ReliefCore {
    /// What is given up now.
    #[must_use]
    pub fn relief(&self) -> Relief {
        self.relief
    }

    /// So many ticks were due at `now`, of which so many were left out. `behind` is asked once a second, and tells of
    /// how many tracks the decoders were behind since, and how many there are. What is given up from now on, if that
    /// changes.
    pub fn ticks(
        &mut self,
        now: Instant,
        due: u32,
        skipped: u32,
        behind: impl FnOnce() -> (u32, u32),
    ) -> Option<Relief> {
        let (since, ticks, left_out) = self.window.get_or_insert((now, 0, 0));
        (*ticks, *left_out) = (ticks.saturating_add(due), left_out.saturating_add(skipped));
        if now < *since + WINDOW {
            return None;
        }
        let share = left_out.saturating_mul(100) / (*ticks).max(1);
        self.window = None;
        let (behind, tracks) = behind();
        let behind = if behind < BEHIND_MIN { 0 } else { behind.saturating_mul(100) / tracks.max(1) };
        self.judge(now, share.max(behind))
    }

    fn judge(&mut self, now: Instant, share: u32) -> Option<Relief> {
        if share > FEW {
            self.quiet_since = None;
        }
        self.strained = if share >= TOO_MANY { self.strained + 1 } else { 0 };
        if share >= TOO_MANY {
            let is_first = self.relief == Relief::None && !self.on_trial;
            if self.strained < if is_first { FIRST_WINDOWS } else { NEXT_WINDOWS } {
                return None;
            }
            if self.changed.is_some_and(|changed| now < changed + SETTLES) && !self.on_trial {
                return None;
            }
            if std::mem::take(&mut self.on_trial) {
                self.quiet_needed = (self.quiet_needed * 2).min(QUIET_LONGEST);
            }
            return self.relief.next().map(|next| self.change(now, next));
        }
        if share > FEW || self.relief == Relief::None && !self.on_trial {
            return None;
        }
        let since = *self.quiet_since.get_or_insert(now);
        if now < since + self.quiet_needed {
            return None;
        }
        // It held for as long as it had to: what comes next is judged anew.
        if std::mem::take(&mut self.on_trial) {
            self.quiet_needed = QUIET;
        }
        self.quiet_since = None;
        if self.relief == Relief::None {
            return None;
        }
        self.on_trial = true;
        Some(self.change(now, self.relief.before()))
    }

    fn change(&mut self, now: Instant, relief: Relief) -> Relief {
        (self.relief, self.changed) = (relief, Some(now));
        relief
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Seconds of 30 ticks each, of which `skipped` are left out; every change with its second.
    fn run(core: &mut ReliefCore, start: Instant, seconds: std::ops::Range<u64>, skipped: u32) -> Vec<(u64, Relief)> {
        let mut changes = Vec::new();
        for second in seconds {
            for tick in 0..30 {
                let now = start + Duration::from_secs(second) + Duration::from_millis(tick * 34);
                let left_out = u32::from(tick < u64::from(skipped));
                changes.extend(core.ticks(now, 1, left_out, || (0, 25)).map(|relief| (second, relief)));
            }
        }
        changes
    }

    #[test]
    fn decoders_that_are_behind_count_as_ticks_do_unless_it_is_one_or_two_who_send_too_much() {
        let start = Instant::now();
        let first = |behind: u32, tracks: u32| {
            let mut core = ReliefCore::default();
            let at = |tenth| start + Duration::from_millis(tenth * 100);
            (0..600).find(|tenth| core.ticks(at(*tenth), 3, 0, || (behind, tracks)).is_some())
        };
        assert_eq!([(2, 2), (2, 25), (3, 100), (0, 0)].map(|(behind, tracks)| first(behind, tracks)), [None; 4]);
        let after = u64::from(FIRST_WINDOWS) * 10;
        for (behind, tracks) in [(3, 3), (3, 25), (9, 100)] {
            let tenth = first(behind, tracks).expect("they are too many");
            assert!((after..after + 10).contains(&tenth), "{behind} of {tracks}: {tenth}");
        }
    }

    #[test]
    fn it_gives_up_one_thing_after_the_other_in_the_declared_order() {
        let (mut core, start) = (ReliefCore::default(), Instant::now());
        let told: Vec<Relief> = run(&mut core, start, 0..24, 15).into_iter().map(|(_, relief)| relief).collect();
        assert_eq!(told, Relief::ALL[1..]);
        assert_eq!(core.relief(), Relief::OutputRate, "there is no more to give up");
    }

    #[test]
    fn a_tick_here_and_there_changes_nothing() {
        let (mut core, start) = (ReliefCore::default(), Instant::now());
        assert_eq!(run(&mut core, start, 0..60, 1), []);
        assert_eq!(run(&mut core, start, 60..120, 0), []);
    }

    #[test]
    fn everything_comes_back_once_it_is_quiet() {
        let (mut core, start) = (ReliefCore::default(), Instant::now());
        run(&mut core, start, 0..24, 15);
        let back: Vec<Relief> = run(&mut core, start, 24..84, 0).into_iter().map(|(_, relief)| relief).collect();
        assert_eq!(back, [Relief::Rungs, Relief::TileSize, Relief::TileRate, Relief::None]);
    }

    #[test]
    fn what_comes_back_too_early_comes_back_later_each_time() {
        let (mut core, start) = (ReliefCore::default(), Instant::now());
        // Only what is given up helps: without it every second tick is left out.
        let (mut second, mut spans, mut since) = (0, Vec::new(), 0);
        while second < 400 {
            let skipped = if core.relief() >= Relief::TileRate { 0 } else { 15 };
            for (at, relief) in run(&mut core, start, second..second + 1, skipped) {
                if relief == Relief::None {
                    spans.push(at - since);
                } else {
                    since = at;
                }
            }
            second += 1;
        }
        assert!(spans.len() >= 5 && spans[..5].is_sorted(), "{spans:?}");
        assert!(spans.windows(2).any(|pair| pair[1] >= pair[0] * 3 / 2), "{spans:?}");
        assert!(spans.iter().all(|span| *span <= QUIET_LONGEST.as_secs() + 5), "{spans:?}");
    }
}
