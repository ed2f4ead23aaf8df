//! **The question:** which rung does one viewer get? The largest that their link carries: down at once when it does
//! not, up when it has been clear for a while, which is a trial; each one that fails makes the next wait twice as long.
//! Where what was sent stands in a queue on the way, no picture follows before that has drained: the smaller rung's
//! keyframe would wait at its end, or be what no place is left for.

use std::time::{Duration, Instant};

use crate::base::limits;
use crate::base::media::Outbox;
use crate::core::ladder::bandwidth::LinkVerdict;

/// What comes through of a smaller rung has to leave so much free.
const HEADROOM: f32 = 0.9;
/// After a change what is reported is still of before it: for so long it says nothing new.
const SETTLES: Duration = Duration::from_secs(1);
/// A larger rung that lasted so long was right.
const TRIAL: Duration = Duration::from_secs(5);
/// How long a link has to be clear before a larger rung is tried.
const PATIENCE: Duration = Duration::from_millis(2_500);
/// Where less than this comes through, what is watched stops before the smaller rung's keyframe is there.
const HALTS: f32 = 0.7;
/// A queue that even the smallest rung does not let drain.
const STANDING: Duration = Duration::from_millis(500);
/// A queue drains on for so long after it was seen to be short.
const DRAINS: Duration = Duration::from_millis(200);
/// Who tells of no queue's end gets pictures again after this.
const HOLDS: Duration = Duration::from_secs(2);

/// What a viewer's rung depends on.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum ViewerInput {
    /// Less comes through than is sent.
    Congested {
        /// The share of it that comes through, 0 to 1.
        arrives: f32,
        /// How long it waits on the way.
        queue: Duration,
    },
    /// All comes through again.
    Clear,
    /// The deadline came.
    Due,
}

impl From<LinkVerdict> for ViewerInput {
    fn from(verdict: LinkVerdict) -> Self {
        match verdict {
            LinkVerdict::Congested { arrives, queue } => Self::Congested { arrives, queue },
            LinkVerdict::Clear => Self::Clear,
        }
    }
}

/// What a viewer gets from now on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ViewerOutput {
    /// This rung, from its next keyframe on.
    Show {
        /// Its number, counted from the largest.
        at: usize,
        /// Nothing until then; otherwise the rung before.
        at_once: bool,
    },
    /// No picture, until a rung is shown again.
    Hold,
}

/// What happened so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ViewerStats {
    /// Changes to a smaller rung.
    pub downs: u64,
    /// Changes to a larger one.
    pub ups: u64,
    /// How often pictures waited for a queue to drain.
    pub holds: u64,
}

/// The choice of one viewer's rung, counted from the largest.
#[derive(Debug)]
pub struct ViewerRung {
    /// Bits a second of each rung, the largest first.
    bitrates: Vec<u32>,
    at: usize,
    /// Nothing is shown, until then at most.
    held: Option<Instant>,
    /// Until when reports are of the rung before.
    settles: Option<Instant>,
    /// When a larger one is tried.
    up: Option<Instant>,
    /// When the last one was tried, unless it failed.
    tried: Option<Instant>,
    patience: Duration,
    stats: ViewerStats,
}

impl ViewerRung {
    /// A viewer who begins with the first of rungs of so many bits a second, largest first.
    #[must_use]
    pub fn new(bitrates: Vec<u32>) -> Self {
        let (held, settles, up, tried) = (None, None, None, None);
        Self { bitrates, at: 0, held, settles, up, tried, patience: PATIENCE, stats: ViewerStats::default() }
    }

    /// Takes one input; pushes what they get from now on, if that changes.
    pub fn handle(&mut self, now: Instant, input: ViewerInput, out: &mut Outbox<ViewerOutput>) {
        match input {
            ViewerInput::Congested { arrives, queue } => self.congested(now, (arrives, queue), out),
            ViewerInput::Clear => {
                self.held = self.held.map(|until| until.min(now + DRAINS));
                self.wait(now);
            }
            ViewerInput::Due => {
                if self.held.is_some_and(|until| until <= now) {
                    self.held = None;
                    self.settles = Some(now + SETTLES);
                    out.push(ViewerOutput::Show { at: self.at, at_once: true });
                }
                if self.up.is_some_and(|at| at <= now) {
                    self.go_up(now, out);
                }
            }
        }
    }

    /// When `handle` must be called again at the latest.
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        [self.held, self.up].into_iter().flatten().min()
    }

    /// The rung they get.
    #[must_use]
    pub fn at(&self) -> usize {
        self.at
    }

    /// Whether they get nothing now.
    #[must_use]
    pub fn is_held(&self) -> bool {
        self.held.is_some()
    }

    /// What happened so far.
    #[must_use]
    pub fn stats(&self) -> ViewerStats {
        self.stats
    }

    fn congested(&mut self, now: Instant, (arrives, queue): (f32, Duration), out: &mut Outbox<ViewerOutput>) {
        self.up = None;
        if self.held.is_some() || self.settles.is_some_and(|until| now < until) {
            return;
        }
        let is_smallest = self.at + 1 >= self.bitrates.len();
        let holds = if is_smallest { queue > STANDING } else { arrives < HALTS && queue > Duration::ZERO };
        if is_smallest && !holds {
            return;
        }
        if self.tried.take().is_some_and(|tried| now < tried + TRIAL) {
            self.patience = (self.patience * 2).min(limits::RUNG_PATIENCE_MAX);
        }
        if !is_smallest {
            self.at = self.carried(arrives);
            self.stats.downs += 1;
        }
        self.settles = Some(now + SETTLES);
        if holds {
            self.held = Some(now + HOLDS);
            self.stats.holds += 1;
            out.push(ViewerOutput::Hold);
        } else {
            out.push(ViewerOutput::Show { at: self.at, at_once: arrives < HALTS });
        }
    }

    /// The largest smaller rung of which as much fits as comes through of this one.
    fn carried(&self, arrives: f32) -> usize {
        let carries = self.bitrates[self.at] as f32 * arrives * HEADROOM;
        let mut smaller = self.bitrates.iter().enumerate().skip(self.at + 1);
        let fits = smaller.find(|(_, bitrate)| **bitrate as f32 <= carries);
        fits.map_or(self.bitrates.len() - 1, |(at, _)| at)
    }

    fn go_up(&mut self, now: Instant, out: &mut Outbox<ViewerOutput>) {
        if self.tried.is_some_and(|tried| now >= tried + PATIENCE) {
            // The one before lasted.
            self.patience = PATIENCE;
        }
        self.at -= 1;
        self.tried = Some(now);
        self.stats.ups += 1;
        out.push(ViewerOutput::Show { at: self.at, at_once: false });
        self.wait(now);
    }

    fn wait(&mut self, now: Instant) {
        self.up = (self.at > 0).then(|| now + self.patience);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const BITRATES: [u32; 3] = [2_500_000, 750_000, 200_000];

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    fn lost(arrives: f32) -> ViewerInput {
        ViewerInput::Congested { arrives, queue: Duration::ZERO }
    }

    fn show(at: usize, at_once: bool) -> ViewerOutput {
        ViewerOutput::Show { at, at_once }
    }

    /// A link of so many bits a second at each half second, and the rung at each.
    fn follow(viewer: &mut ViewerRung, start: Instant, (from, links): (u64, &[u32])) -> Vec<usize> {
        let (mut out, mut congested, mut rungs) = (Outbox::new(), false, Vec::new());
        for (n, link) in (from..).zip(links) {
            let now = start + ms(n * 500);
            let sent = BITRATES[viewer.at()];
            let arrives = (*link as f32 / sent as f32).min(1.0);
            if arrives < 0.88 {
                viewer.handle(now, ViewerInput::Congested { arrives, queue: Duration::ZERO }, &mut out);
                congested = true;
            } else if std::mem::take(&mut congested) {
                viewer.handle(now, ViewerInput::Clear, &mut out);
            }
            viewer.handle(now, ViewerInput::Due, &mut out);
            rungs.push(viewer.at());
        }
        rungs
    }

    #[test]
    fn a_link_that_falls_and_comes_back_is_followed() {
        let start = Instant::now();
        let mut viewer = ViewerRung::new(BITRATES.to_vec());
        assert_eq!(follow(&mut viewer, start, (0, &[3_000_000; 20])), [0; 20]);
        assert_eq!(follow(&mut viewer, start, (20, &[300_000; 4]))[0], 2, "at the first report, over the one between");
        let back = follow(&mut viewer, start, (24, &[3_000_000; 14]));
        assert!(back.iter().position(|rung| *rung == 1).unwrap() <= 6, "within 3 s: {back:?}");
        assert_eq!(back.last(), Some(&0), "{back:?}");
        assert_eq!(viewer.stats(), ViewerStats { downs: 1, ups: 2, holds: 0 });
    }

    #[test]
    fn trials_that_fail_become_rare_and_one_that_lasts_makes_them_frequent_again() {
        let start = Instant::now();
        let mut viewer = ViewerRung::new(BITRATES.to_vec());
        follow(&mut viewer, start, (0, &[300_000; 240]));
        let first = viewer.stats();
        assert!((4..12).contains(&first.ups) && first.downs == first.ups + u64::from(viewer.at() == 2), "{first:?}");
        follow(&mut viewer, start, (240, &[3_000_000; 120]));
        assert_eq!((viewer.at(), viewer.deadline()), (0, None));
    }

    #[test]
    fn a_loss_that_a_smaller_rung_would_halve_goes_down_by_one() {
        let (mut viewer, mut out, now) = (ViewerRung::new(BITRATES.to_vec()), Outbox::new(), Instant::now());
        viewer.handle(now, lost(0.6), &mut out);
        viewer.handle(now + ms(500), lost(0.6), &mut out);
        assert_eq!(out.drain().collect::<Vec<_>>(), [show(1, true)], "what comes next is still of before");
        viewer.handle(now + ms(1_500), lost(0.9), &mut out);
        assert_eq!(out.drain().collect::<Vec<_>>(), [show(2, false)]);
        viewer.handle(now + ms(5_000), lost(0.1), &mut out);
        assert!(out.is_empty() && viewer.deadline().is_none(), "there is no smaller one");
    }

    #[test]
    fn what_stands_in_a_queue_is_let_drain_before_the_next_picture_and_for_two_seconds_at_most() {
        let (mut viewer, mut out, now) = (ViewerRung::new(BITRATES.to_vec()), Outbox::new(), Instant::now());
        let queued = |arrives, queue| ViewerInput::Congested { arrives, queue: ms(queue) };
        let mut said = |viewer: &mut ViewerRung, at, input| {
            viewer.handle(now + ms(at), input, &mut out);
            out.drain().collect::<Vec<_>>()
        };
        assert_eq!(said(&mut viewer, 0, queued(0.12, 700)), [ViewerOutput::Hold]);
        assert_eq!(said(&mut viewer, 1_200, queued(0.12, 700)), [], "it drains");
        assert_eq!(said(&mut viewer, 1_300, ViewerInput::Clear), []);
        assert_eq!(viewer.deadline(), Some(now + ms(1_500)), "and a little on");
        assert_eq!(said(&mut viewer, 1_500, ViewerInput::Due), [show(2, true)]);
        // What even the smallest fills is emptied again, soon and not at once; loss alone would not go away.
        assert_eq!(said(&mut viewer, 2_000, queued(0.9, 700)), [], "it is of before");
        assert_eq!(said(&mut viewer, 4_000, queued(0.9, 400)), []);
        assert_eq!(said(&mut viewer, 4_000, lost(0.4)), []);
        assert_eq!(said(&mut viewer, 4_200, queued(0.9, 700)), [ViewerOutput::Hold]);
        assert_eq!(viewer.deadline(), Some(now + ms(6_200)), "nothing more may be told");
        assert_eq!(said(&mut viewer, 6_200, ViewerInput::Due), [show(2, true)]);
        assert_eq!(viewer.stats(), ViewerStats { downs: 1, ups: 0, holds: 2 });
        assert_eq!(viewer.deadline(), None);
    }

    proptest! {
        #[test]
        fn whatever_a_link_does_changes_are_a_second_apart_and_the_rung_is_one(
            links in prop::collection::vec(50_000_u32..4_000_000, 1..400), count in 1_usize..4
        ) {
            let start = Instant::now();
            let mut viewer = ViewerRung::new(BITRATES[..count].to_vec());
            let rungs = follow(&mut viewer, start, (0, &links));
            let downs: Vec<usize> = (1..rungs.len()).filter(|n| rungs[*n] > rungs[n - 1]).collect();
            prop_assert!(downs.windows(2).all(|pair| pair[1] - pair[0] >= 2));
            prop_assert!(rungs.iter().all(|rung| *rung < count));
            prop_assert!(viewer.deadline().is_none_or(|at| at > start));
        }
    }
}
