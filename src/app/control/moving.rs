//! **The question:** which rooms go to other nodes, how far is each, and which come? A room that goes is in one of few
//! states, and none of them is left for ever: it is asked for, it is handed over, it went, or it stays and is tried
//! again.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crate::app::control::moves::{Move, Stage};
use crate::app::control::room::Input;
use crate::app::control::room::input::MovedTo;
use crate::app::control::thread::Control;
use crate::app::workers::event::Event;
use crate::base::limits;
use crate::base::media::RoomId;
use crate::core::fleet::Fence;
use crate::core::handover::Baggage;
use crate::io::api::{DrainShown, Refusal};
use crate::io::fleet::{Destination, MoveError};
use crate::io::telemetry::log::alias;

impl Control {
    /// Begins the moves that are due.
    pub(super) fn moves_due(&mut self, now: Instant) {
        let rooms = &self.rooms;
        self.moves.rooms.retain(|room, one| rooms.contains_key(room) || matches!(one.stage, Stage::Handing(_)));
        if !self.drain.is_moving() || self.is_stopping {
            // What was put off was put off for a drain that was.
            self.moves.rooms.retain(|_, one| !matches!(one.stage, Stage::Stays(_)));
            return;
        }
        let free = limits::MOVES_AT_ONCE.saturating_sub(self.moves.under_way());
        let is_due = |room: &&RoomId| match self.moves.rooms.get(*room).map(|one| &one.stage) {
            None => true,
            Some(Stage::Stays(until)) => *until <= now,
            Some(_) => false,
        };
        let due: Vec<RoomId> = self.rooms.keys().filter(is_due).take(free).cloned().collect();
        due.into_iter().for_each(|room| self.begin_move(room));
    }

    fn begin_move(&mut self, room: RoomId) {
        let revoked = Arc::new(AtomicBool::new(false));
        let one = self.moves.rooms.entry(room.clone()).or_insert(Move { stage: Stage::Gone, tries: 0 });
        one.tries += 1;
        one.stage = Stage::Asking(revoked.clone());
        let (reports, name) = (self.reports.clone(), room.clone());
        let then = move |outcome| reports.send(Event::MovePlaced { room: name, outcome });
        self.mover.place(room, revoked, then);
    }

    /// What became of asking for a room's place.
    pub(super) fn move_placed(&mut self, now: Instant, room: &RoomId, outcome: Result<Destination, MoveError>) {
        if !self.rooms.contains_key(room) {
            // It ended meanwhile. Nobody comes for it there, so it is given back.
            self.moves.rooms.remove(room);
            return;
        }
        // After silence etcd may have moved it all the same; then it goes on where it is by now.
        match outcome.or_else(|why| self.elsewhere(room).ok_or(why)) {
            Ok(to) => {
                let one = self.moves.rooms.entry(room.clone()).or_insert(Move { stage: Stage::Gone, tries: 1 });
                one.stage = Stage::Handing(to);
                self.input(room, Input::Pack);
            }
            Err(MoveError::Revoked) => drop(self.moves.rooms.remove(room)),
            Err(why) => self.move_failed(now, room, &why),
        }
    }

    /// Gives the room's new node what goes along.
    pub(super) fn hand_over(&mut self, room: &RoomId, baggage: Baggage) {
        let Some(Move { stage: Stage::Handing(to), .. }) = self.moves.rooms.get(room) else { return };
        let (reports, name) = (self.reports.clone(), room.clone());
        let then = move |outcome| reports.send(Event::MoveDone { room: name, outcome });
        self.mover.hand_over(to.clone(), baggage, then);
    }

    /// The new node has it, or it came back.
    pub(super) fn move_done(&mut self, now: Instant, room: &RoomId, outcome: Result<Destination, MoveError>) {
        match outcome {
            Ok(to) => {
                tracing::info!(room = %alias(room), node = %to.node, "a room goes on at another node");
                self.placement.counters().rooms_moved.add(1);
                self.moves.moved += 1;
                self.moves.linger_until = Some(now + limits::MOVE_LINGER_SPAN);
                if let Some(one) = self.moves.rooms.get_mut(room) {
                    one.stage = Stage::Gone;
                }
                let to = MovedTo { url: to.url, trust: self.mover.trust().cloned() };
                self.input(room, Input::Moved(Box::new(to)));
            }
            Err(MoveError::Lost) => {
                self.moves.rooms.remove(room);
                self.input(room, Input::Worker(Event::RoomTaken(room.clone())));
            }
            Err(why) => {
                self.move_failed(now, room, &why);
                self.input(room, Input::Stay);
            }
        }
    }

    fn move_failed(&mut self, now: Instant, room: &RoomId, why: &MoveError) {
        self.placement.counters().moves_failed.add(1);
        let told = why.to_string();
        let room_alias = alias(room);
        tracing::warn!(room = %room_alias, why = told, "a room was to go to another node and stays; it is tried again");
        self.moves.why = Some(told);
        if !self.drain.is_moving() {
            self.moves.rooms.remove(room);
        } else if let Some(one) = self.moves.rooms.get_mut(room) {
            let wait: Duration = limits::MOVE_RETRY_SPACING * 2_u32.saturating_pow(one.tries.min(5) - 1);
            one.stage = Stage::Stays(now + wait.min(limits::MOVE_RETRY_SPACING_MAX));
        }
    }

    /// Another node has a room of which it was not known here that it goes there.
    pub(super) fn room_taken(&mut self, room: RoomId) {
        let now = Instant::now();
        match self.moves.rooms.get(&room).map(|one| &one.stage) {
            // What was asked tells more, and is answered.
            Some(Stage::Asking(_) | Stage::Handing(_) | Stage::Gone) => {}
            // It was asked for, and the answer was lost on the way.
            Some(Stage::Stays(_)) => self.move_placed(now, &room, Err(MoveError::Lost)),
            None => self.input(&room, Input::Worker(Event::RoomTaken(room.clone()))),
        }
    }

    /// Where a room is, if another node has it.
    fn elsewhere(&self, room: &RoomId) -> Option<Destination> {
        let (node, url, fence) = self.placement.owner(room)?;
        Some(Destination { node, url, fence })
    }

    /// Rooms begin again: what is not decided yet is called off, what is goes on to its end.
    pub(super) fn revoke_moves(&mut self) {
        self.moves.rooms.retain(|_, one| match &one.stage {
            Stage::Asking(revoked) => {
                revoked.store(true, Ordering::Release);
                true
            }
            Stage::Handing(_) | Stage::Gone => true,
            Stage::Stays(_) => false,
        });
        (self.moves.moved, self.moves.why) = (0, None);
    }

    /// How the drain goes, as it is told.
    pub(super) fn drain_shown(&self, now: Instant) -> Option<DrainShown> {
        let left = |at: Instant| at.saturating_duration_since(now).as_secs();
        let since = self.drain.since()?;
        Some(DrainShown {
            since_s: now.saturating_duration_since(since).as_secs(),
            ends_in_s: self.drain.until().map(left),
            moves_in_s: self.drain.moves_at().map(left),
            moving: self.moves.under_way(),
            moved: self.moves.moved,
            stayed: self.moves.count(|stage| matches!(stage, Stage::Stays(_))),
            stayed_why: self.moves.why.clone(),
        })
    }

    /// Another node hands a room over.
    ///
    /// # Errors
    /// When none begins here.
    pub(super) fn take_up(&mut self, baggage: Box<Baggage>, fence: Fence) -> Result<(), Refusal> {
        let room = baggage.room.clone();
        if self.rooms.contains_key(&room) {
            // It was taken up, and the answer was lost on the way.
            return Ok(());
        }
        self.takes_room()?;
        // Before it begins: what is recorded of it says by which fence.
        if !self.placement.take_up(&room, fence) {
            return Err(Refusal::RoomNotFound);
        }
        self.begin_room(&room, Some(baggage)).map_err(|error| {
            tracing::error!(room = %alias(&room), %error, "a room could not begin");
            Refusal::NodeFull
        })?;
        self.placement.counters().rooms_taken_up.add(1);
        tracing::info!(room = %alias(&room), "it comes from another node");
        Ok(())
    }
}
