//! **The question:** how does a node come to be without rooms, and how is that taken back? A node that drains begins no
//! room and lets those that run end by themselves, for as long as they were given. Pure: the caller says what time it
//! is and how many rooms there are.

use std::time::{Duration, Instant};

use crate::base::limits;

/// Whether a node drains, and until when its rooms may run.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Drain {
    state: Option<State>,
    /// Rooms that are left when their time is over go to other nodes, and do not end.
    moves: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct State {
    since: Instant,
    /// When the rooms that are left end; `None`: they may run on.
    until: Option<Instant>,
    /// From when on they go to other nodes; `None`: they do not, or may run on.
    moves_at: Option<Instant>,
    /// That this was said.
    is_moving: bool,
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
    /// The time is over: the rooms that are left go to other nodes.
    Moves,
    /// The time is over: the rooms that are left end.
    Over,
    /// No room is left, and the process was asked to end.
    Left,
}

/// Nothing takes it back: the process was asked to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Leaving;

impl Drain {
    /// Of a node whose rooms can go to others.
    #[must_use]
    pub const fn moving() -> Self {
        Self { state: None, moves: true }
    }

    /// No room begins from now on. Those that still run after `span` end then, or go to other nodes; without one they
    /// may run on. Said again, the newer span holds, but once the process was asked to end only a shorter one does.
    /// Without one, what was said before stands, and no time begins anew.
    pub fn begin(&mut self, now: Instant, span: Option<Duration>) {
        let until = span.map(|span| now + span);
        let state = self.state.get_or_insert(State::new(now));
        let place = if self.moves { &mut state.moves_at } else { &mut state.until };
        *place = match (state.is_leaving, until, *place) {
            (true, Some(until), Some(before)) => Some(until.min(before)),
            (_, until, before) => until.or(before),
        };
        state.is_moving &= state.moves_at.is_some_and(|at| at <= now);
    }

    /// The process was asked to end: it does with its last room, and after `span` in any case; where rooms go to other
    /// nodes, they do then, and it ends `limits::MOVE_SPAN` later in any case.
    pub fn leave(&mut self, now: Instant, span: Duration) {
        let state = self.state.get_or_insert(State::new(now));
        state.is_leaving = true;
        let sooner = |before: Option<Instant>, at: Instant| Some(before.map_or(at, |before| before.min(at)));
        let at = now + span;
        if self.moves {
            state.moves_at = sooner(state.moves_at, at);
            state.until = sooner(state.until, at + limits::MOVE_SPAN);
        } else {
            state.until = sooner(state.until, at);
        }
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
        self.state = None;
        Ok(())
    }

    /// Whether no room begins.
    #[must_use]
    pub fn is_on(&self) -> bool {
        self.state.is_some()
    }

    /// Whether the process was asked to end.
    #[must_use]
    pub fn is_leaving(&self) -> bool {
        self.state.is_some_and(|state| state.is_leaving)
    }

    /// Since when it drains.
    #[must_use]
    pub fn since(&self) -> Option<Instant> {
        self.state.map(|state| state.since)
    }

    /// From when on the rooms that are left go to other nodes.
    #[must_use]
    pub fn moves_at(&self) -> Option<Instant> {
        self.state.and_then(|state| state.moves_at)
    }

    /// Whether they do now.
    #[must_use]
    pub fn is_moving(&self) -> bool {
        self.state.is_some_and(|state| state.is_moving)
    }

    /// When the rooms that are left end.
    #[must_use]
    pub fn until(&self) -> Option<Instant> {
        self.state.and_then(|state| state.until)
    }

    /// What is due at `now`, of a node with so many rooms that run or still finish.
    pub fn due(&mut self, now: Instant, rooms: usize) -> Option<DrainDue> {
        let state = self.state.as_mut()?;
        if state.is_leaving && rooms == 0 {
            return Some(DrainDue::Left);
        }
        if state.until.is_some_and(|until| until <= now) {
            // Whoever leaves goes with this; another node stays, without rooms.
            state.until = None;
            return Some(DrainDue::Over);
        }
        if !state.is_moving && state.moves_at.is_some_and(|at| at <= now) {
            state.is_moving = true;
            return Some(DrainDue::Moves);
        }
        if now < state.next_word {
            return None;
        }
        state.next_word = now + limits::DRAIN_WORD_SPACING;
        let left = |until: Instant| until.saturating_duration_since(now);
        (rooms > 0).then(|| DrainDue::Word(state.moves_at.or(state.until).map(left)))
    }

    /// When `due` must be asked again at the latest.
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        let state = self.state?;
        let moves_at = state.moves_at.filter(|_| !state.is_moving);
        [state.until, moves_at].into_iter().flatten().chain([state.next_word]).min()
    }
}

impl State {
    fn new(now: Instant) -> Self {
        let next_word = now + limits::DRAIN_WORD_SPACING;
        Self { since: now, until: None, moves_at: None, is_moving: false, is_leaving: false, next_word }
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
        drain.begin(now + MINUTE, None);
        assert_eq!(drain.until(), Some(now + MINUTE * 2), "nothing new was said");
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

    #[test]
    fn where_rooms_go_to_other_nodes_none_ends_until_the_process_has_to() {
        let (mut drain, now) = (Drain::moving(), Instant::now());
        drain.begin(now, Some(MINUTE * 8));
        assert_eq!((drain.until(), drain.moves_at()), (None, Some(now + MINUTE * 8)));
        assert_eq!((drain.due(now + MINUTE * 7, 2), drain.is_moving()), (Some(DrainDue::Word(Some(MINUTE))), false));
        assert_eq!((drain.due(now + MINUTE * 8, 2), drain.is_moving()), (Some(DrainDue::Moves), true));
        assert_ne!(drain.due(now + MINUTE * 8, 2), Some(DrainDue::Moves), "once");
        drain.begin(now + MINUTE * 8, None);
        assert_eq!((drain.moves_at(), drain.is_moving()), (Some(now + MINUTE * 8), true), "asked again, they go on");
        drain.begin(now + MINUTE * 8, Some(MINUTE));
        assert!(!drain.is_moving(), "the newer word holds");
        assert_eq!(drain.due(now + MINUTE * 9, 2), Some(DrainDue::Moves));
        drain.leave(now + MINUTE * 9, MINUTE * 8);
        assert!(drain.is_moving() && drain.until() == Some(now + MINUTE * 17 + limits::MOVE_SPAN));
        assert_eq!(drain.due(now + MINUTE * 9, 0), Some(DrainDue::Left));
        assert_eq!(drain.due(now + MINUTE * 18, 1), Some(DrainDue::Over), "those that no node took");
    }
}
