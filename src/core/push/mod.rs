//! **The question:** how does a push to another server stand, and when is it tried again? Floor 2: a call, a
//! connection, a loss, and pauses between tries that double up to a bound ([`Backoff`]).
//!
//! Doors: [`Push::handle`], [`Push::deadline`], [`Push::stats`].

use std::fmt;
use std::num::ParseIntError;
use std::str::FromStr;
use std::time::{Duration, Instant};

use crate::base::limits;
use crate::base::media::Outbox;
use crate::core::backoff::Backoff;

/// What a push is called, in its room and in no other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PushId(pub u64);

impl fmt::Display for PushId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for PushId {
    type Err = ParseIntError;

    fn from_str(text: &str) -> Result<Self, ParseIntError> {
        text.parse().map(Self)
    }
}

/// How a push stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PushState {
    /// The next try comes.
    Waiting,
    /// The other server is asked.
    Calling,
    /// It answered, and the connection comes up.
    Connecting,
    /// It is sent the room.
    Live,
}

impl PushState {
    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Calling => "calling",
            Self::Connecting => "connecting",
            Self::Live => "live",
        }
    }
}

/// What may happen to a push.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PushInput {
    /// The deadline may have come.
    Due,
    /// The other server answered.
    Answered,
    /// The connection stands.
    Connected,
    /// It did not come about, or is no more; says why.
    Failed(String),
}

/// What follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PushOutput {
    /// The other server is to be asked now.
    Call,
    /// What there is of a connection is to be let go.
    LetGo,
}

/// How a push stands, for whoever asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PushStats<'a> {
    /// What it does.
    pub state: PushState,
    /// Since when.
    pub since: Instant,
    /// How often the other server was asked.
    pub tries: u64,
    /// How often that failed, or what came of it ended.
    pub failures: u64,
    /// Why it did last.
    pub last_error: Option<&'a str>,
}

/// One push, from its beginning to its end.
#[derive(Debug)]
pub struct Push {
    state: PushState,
    since: Instant,
    /// When something is due: the next try, or the end of patience.
    due: Option<Instant>,
    tries: u64,
    failures: u64,
    last_error: Option<String>,
    /// Longer with each failure since it was last up for a while.
    backoff: Backoff,
}

impl Push {
    /// A push that is due at once; `seed` tells its pauses from those of others.
    #[must_use]
    pub const fn new(now: Instant, seed: u64) -> Self {
        let backoff = Backoff::new(limits::PUSH_RETRY_SPAN, limits::PUSH_RETRY_SPAN_MAX, seed);
        Self { state: PushState::Waiting, since: now, due: Some(now), tries: 0, failures: 0, last_error: None, backoff }
    }

    /// Takes one input and pushes what follows from it.
    pub fn handle(&mut self, now: Instant, input: PushInput, out: &mut Outbox<PushOutput>) {
        match (input, self.state) {
            (PushInput::Due, _) if self.due.is_none_or(|at| now < at) => {}
            (PushInput::Due, PushState::Waiting) => {
                self.tries += 1;
                self.enter(now, PushState::Calling, Some(limits::PUSH_CALL_SPAN + limits::PUSH_PATIENCE_SPAN));
                out.push(PushOutput::Call);
            }
            (PushInput::Due, _) => self.fail(now, "nothing came of it in time".into(), out),
            (PushInput::Answered, PushState::Calling) => {
                let patience = limits::CONNECT_SPAN + limits::PUSH_PATIENCE_SPAN;
                self.enter(now, PushState::Connecting, Some(patience));
            }
            (PushInput::Connected, PushState::Connecting) => self.enter(now, PushState::Live, None),
            (PushInput::Failed(_), PushState::Waiting) | (PushInput::Answered | PushInput::Connected, _) => {}
            (PushInput::Failed(why), _) => self.fail(now, why, out),
        }
    }

    /// When `handle` must be called at the latest.
    #[must_use]
    pub const fn deadline(&self) -> Option<Instant> {
        self.due
    }

    /// How it stands.
    #[must_use]
    pub fn stats(&self) -> PushStats<'_> {
        let Self { state, since, tries, failures, .. } = *self;
        PushStats { state, since, tries, failures, last_error: self.last_error.as_deref() }
    }

    fn enter(&mut self, now: Instant, state: PushState, within: Option<Duration>) {
        (self.state, self.since, self.due) = (state, now, within.map(|span| now + span));
    }

    fn fail(&mut self, now: Instant, why: String, out: &mut Outbox<PushOutput>) {
        if self.state == PushState::Live && now >= self.since + limits::PUSH_STEADY_SPAN {
            self.backoff.reset();
        }
        self.failures += 1;
        self.last_error = Some(why);
        let pause = self.backoff.pause();
        self.enter(now, PushState::Waiting, Some(pause));
        out.push(PushOutput::LetGo);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(push: &mut Push, now: Instant, input: PushInput) -> Vec<PushOutput> {
        let mut out = Outbox::new();
        push.handle(now, input, &mut out);
        out.drain().collect()
    }

    fn failed() -> PushInput {
        PushInput::Failed("it answers 503".into())
    }

    /// The pauses of one that fails ever again.
    fn pauses(seed: u64, count: usize) -> Vec<Duration> {
        let (mut now, mut pauses) = (Instant::now(), Vec::new());
        let mut push = Push::new(now, seed);
        for _ in 0..count {
            assert_eq!(after(&mut push, now, PushInput::Due), [PushOutput::Call]);
            assert_eq!(after(&mut push, now, failed()), [PushOutput::LetGo]);
            let due = push.deadline().expect("another try comes");
            assert_eq!(after(&mut push, due - Duration::from_nanos(1), PushInput::Due), [], "not before");
            pauses.push(due - now);
            now = due;
        }
        pauses
    }

    #[test]
    fn pauses_double_up_to_a_bound_and_no_two_pushes_wait_alike() {
        let of_one = pauses(1, 12);
        for (n, pause) in of_one.iter().enumerate() {
            let whole = (limits::PUSH_RETRY_SPAN * (1 << n)).min(limits::PUSH_RETRY_SPAN_MAX);
            assert!(*pause >= whole / 2 && *pause <= whole, "{pause:?} of {whole:?}");
        }
        assert_ne!(of_one, pauses(2, 12));
        assert_eq!(of_one, pauses(1, 12));
        assert!(of_one[8..].windows(2).any(|two| two[0] != two[1]), "nor twice in a row");
    }

    #[test]
    fn what_was_up_for_a_while_begins_anew_and_what_breaks_at_once_does_not() {
        for (up, soon) in [(limits::PUSH_STEADY_SPAN, true), (Duration::from_secs(1), false)] {
            let mut now = Instant::now();
            let mut push = Push::new(now, 7);
            for _ in 0..8 {
                assert_eq!(after(&mut push, now, PushInput::Due), [PushOutput::Call]);
                after(&mut push, now, failed());
                now = push.deadline().unwrap();
            }
            after(&mut push, now, PushInput::Due);
            assert_eq!(after(&mut push, now, PushInput::Answered), []);
            assert_eq!(after(&mut push, now, PushInput::Connected), []);
            assert_eq!((push.stats().state, push.deadline()), (PushState::Live, None));
            now += up;
            assert_eq!(after(&mut push, now, failed()), [PushOutput::LetGo]);
            let pause = push.deadline().unwrap() - now;
            assert_eq!(pause <= limits::PUSH_RETRY_SPAN, soon, "{pause:?}");
            let stats = push.stats();
            assert_eq!((stats.tries, stats.failures, stats.last_error), (9, 9, Some("it answers 503")));
        }
    }

    #[test]
    fn nobody_is_waited_for_without_end_and_late_words_change_nothing() {
        let now = Instant::now();
        let mut push = Push::new(now, 7);
        assert_eq!(after(&mut push, now, PushInput::Connected), []);
        assert_eq!(push.stats().state, PushState::Waiting);
        after(&mut push, now, PushInput::Due);
        let due = push.deadline().unwrap();
        assert_eq!(after(&mut push, due, PushInput::Due), [PushOutput::LetGo]);
        assert_eq!(after(&mut push, due, PushInput::Answered), []);
        assert_eq!(after(&mut push, due, failed()), []);
        assert_eq!((push.stats().state, push.stats().failures), (PushState::Waiting, 1));
        let again = push.deadline().unwrap();
        after(&mut push, again, PushInput::Due);
        after(&mut push, again, PushInput::Answered);
        let due = push.deadline().unwrap();
        assert_eq!(after(&mut push, due, PushInput::Due), [PushOutput::LetGo]);
    }
}
