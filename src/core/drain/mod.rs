//! **The question:** how does a node come to be without rooms, and how is that taken back? A node that drains begins no
//! room and lets those that run end by themselves, for as long as they were given. Pure: the caller says what time it
//! is and how many rooms there are.

use std::time::{Duration, Instant};

use crate::base::limits;

/// Whether a node drains, and until when its rooms may run.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Drain(Option<State>);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct State {
    since: Instant,
    /// When the rooms that are left end; `None`: they may run on.
    until: Option<Instant>,
    /// The process was asked to end: it does with the last room, and nothing takes that back.
    is_leaving: bool,
    /// When it is said next how many are waited for.
    next_word: Instant,
}

/// What is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DrainDue {
    /// To say how many rooms are waited for, and for how long at most.
    Word(Option<Duration>),
    /// The time is over: the rooms that are left end.
    Over,
    /// No room is left, and the process was asked to end.
    Left,
}

/// Nothing takes it back: the process was asked to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Leaving;

impl Drain {
    /// No room begins from now on. Those that still run after `span` end then; without one they may run on. Said again,
    /// the newer span holds, but once the process was asked to end only a shorter one does.
    pub fn begin(&mut self, now: Instant, span: Option<Duration>) {
        let until = span.map(|span| now + span);
        let state = self.0.get_or_insert(State::new(now));
        state.until = match (state.is_leaving, until, state.until) {
            (true, Some(until), Some(before)) => Some(until.min(before)),
            (true, until, before) => before.or(until),
            (false, until, _) => until,
        };
    }

    /// The process was asked to end: it does with its last room, and after `span` in any case.
    pub fn leave(&mut self, now: Instant, span: Duration) {
        let state = self.0.get_or_insert(State::new(now));
        state.is_leaving = true;
        let until = now + span;
        state.until = Some(state.until.map_or(until, |before| before.min(until)));
        state.next_word = now + limits::DRAIN_WORD_SPACING;
    }

    /// Rooms begin again.
    ///
    /// # Errors
    /// Once the process was asked to end.
    pub fn revoke(&mut self) -> Result<(), Leaving> {
        if self.is_leaving() {
            return Err(Leaving);
        }
        self.0 = None;
        Ok(())
    }

    /// Whether no room begins.
    #[must_use]
    pub fn is_on(&self) -> bool {
        self.0.is_some()
    }

    /// Whether the process was asked to end.
    #[must_use]
    pub fn is_leaving(&self) -> bool {
        self.0.is_some_and(|state| state.is_leaving)
    }

    /// Since when it drains.
    #[must_use]
    pub fn since(&self) -> Option<Instant> {
        self.0.map(|state| state.since)
    }

    /// When the rooms that are left end.
    #[must_use]
    pub fn until(&self) -> Option<Instant> {
        self.0.and_then(|state| state.until)
    }

    /// What is due at `now`, of a node with so many rooms that run or still finish.
    pub fn due(&mut self, now: Instant, rooms: usize) -> Option<DrainDue> {
        let state = self.0.as_mut()?;
        if state.is_leaving && rooms == 0 {
            return Some(DrainDue::Left);
        }
        if state.until.is_some_and(|until| until <= now) {
            // Whoever leaves goes with this; another node stays, without rooms.
            state.until = None;
            return Some(DrainDue::Over);
        }
        if now < state.next_word {
            return None;
        }
        state.next_word = now + limits::DRAIN_WORD_SPACING;
        (rooms > 0).then(|| DrainDue::Word(state.until.map(|until| until - now)))
    }

    /// When `due` must be asked again at the latest.
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        self.0.map(|state| state.until.map_or(state.next_word, |until| until.min(state.next_word)))
    }
}

impl State {
    fn new(now: Instant) -> Self {
        Self { since: now, until: None, is_leaving: false, next_word: now + limits::DRAIN_WORD_SPACING }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    #[test]
    fn rooms_may_run_on_until_the_drain_is_revoked() {
        let (mut drain, now) = (Drain::default(), Instant::now());
        assert_eq!((drain.is_on(), drain.deadline(), drain.due(now, 3)), (false, None, None));
        drain.begin(now, None);
        assert_eq!((drain.is_on(), drain.is_leaving(), drain.until()), (true, false, None));
        assert_eq!(drain.due(now + MINUTE * 600, 3), Some(DrainDue::Word(None)), "nothing ends them");
        assert_eq!(drain.due(now + MINUTE * 601, 0), None, "nobody asked the process to end");
        assert!(drain.deadline().is_some_and(|at| at > now + MINUTE * 601), "nobody is woken for nothing");
        assert_eq!((drain.revoke(), drain.is_on()), (Ok(()), false));
    }

    #[test]
    fn those_that_are_left_end_once_after_their_time_and_the_node_stays_closed() {
        let (mut drain, now) = (Drain::default(), Instant::now());
        drain.begin(now, Some(MINUTE * 8));
        assert_eq!(drain.due(now + MINUTE, 2), Some(DrainDue::Word(Some(MINUTE * 7))));
        assert_eq!(drain.due(now + MINUTE, 2), None, "once a minute");
        assert!(drain.deadline().is_some_and(|at| at == now + MINUTE * 2));
        drain.begin(now + MINUTE, Some(MINUTE));
        assert_eq!(drain.until(), Some(now + MINUTE * 2), "the newer word holds");
        assert_eq!(drain.due(now + MINUTE * 2, 2), Some(DrainDue::Over));
        assert_eq!(drain.due(now + MINUTE * 2, 0), None);
        assert!(drain.is_on() && drain.until().is_none());
    }

    #[test]
    fn who_was_asked_to_end_ends_with_the_last_room_and_cannot_be_called_back() {
        let (mut drain, now) = (Drain::default(), Instant::now());
        drain.leave(now, MINUTE * 8);
        assert_eq!((drain.revoke(), drain.due(now, 1)), (Err(Leaving), None));
        drain.begin(now, Some(MINUTE * 20));
        assert_eq!(drain.until(), Some(now + MINUTE * 8), "no later than it was asked to");
        drain.begin(now, None);
        assert_eq!(drain.until(), Some(now + MINUTE * 8));
        drain.begin(now, Some(MINUTE * 2));
        assert_eq!(drain.until(), Some(now + MINUTE * 2), "but sooner");
        assert_eq!(drain.due(now + MINUTE, 0), Some(DrainDue::Left));
        assert_eq!(drain.due(now + MINUTE * 2, 1), Some(DrainDue::Over));
    }

    #[test]
    fn a_node_without_rooms_ends_at_once_and_a_drain_before_shortens_the_wait() {
        let (mut drain, now) = (Drain::default(), Instant::now());
        drain.begin(now, Some(MINUTE));
        drain.leave(now, MINUTE * 8);
        assert_eq!(drain.until(), Some(now + MINUTE));
        assert_eq!(drain.due(now, 0), Some(DrainDue::Left));
    }
}
