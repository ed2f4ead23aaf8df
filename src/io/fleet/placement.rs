//! **The question:** where is a room, and where does a new one go? A node alone has every room; one of several asks.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Instant;

use tokio::sync::{mpsc, oneshot, watch};

use crate::base::limits;
use crate::base::media::RoomId;
use crate::core::fleet::{Fence, Label, Load, MemberSetup, Need, Nowhere, Outcome, RelayNeed, RelaySeen, Shift, Stays};
use crate::io::fleet::counters::FleetCounters;
use crate::io::fleet::state::{FleetShown, FleetState, Shared};

/// Who says where rooms are; clones are the same.
#[derive(Debug, Clone)]
pub enum Placement {
    /// Every room is here.
    Alone(Alone),
    /// One of several nodes has it.
    Fleet(FleetHandle),
}

/// A node that is of no fleet.
#[derive(Debug, Clone, Default)]
pub struct Alone {
    /// Where it stands.
    pub region: Option<Label>,
}

/// The way to the task that speaks with etcd.
#[derive(Debug, Clone)]
pub struct FleetHandle {
    pub(super) shared: Arc<Shared>,
    pub(super) asks: mpsc::Sender<Ask>,
    pub(super) shifts: mpsc::Sender<ShiftAsk>,
    pub(super) load: Arc<watch::Sender<Load>>,
    pub(super) counters: FleetCounters,
}

/// A room that is to be placed, and who waits for that.
#[cfg_attr(not(feature = "fleet"), expect(dead_code, reason = "read by what speaks with etcd alone"))]
#[derive(Debug)]
pub(super) struct Ask {
    pub(super) need: Need,
    pub(super) reply: oneshot::Sender<Outcome>,
}

/// A room that is to move, and who waits for that.
#[cfg_attr(not(feature = "fleet"), expect(dead_code, reason = "read by what speaks with etcd alone"))]
#[derive(Debug)]
pub(super) struct ShiftAsk {
    pub(super) shift: Shift,
    pub(super) reply: oneshot::Sender<Result<Fence, Unmoved>>,
}

/// Why a room did not move.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unmoved {
    /// By what is known it cannot.
    Stays(Stays),
    /// Others were faster each time.
    Conflict,
    /// Etcd does not answer. It may have moved all the same: whoever watches will see.
    Away,
}

/// What somebody wants who asks for a room that may be new.
#[derive(Debug, Clone)]
pub struct Wish {
    /// The room, and what it needs if it is to begin. `prefers` is set here.
    pub need: Need,
    /// Whoever asks cannot go to another node with what they have.
    pub stays: bool,
    /// The address that asks, as far as the door knows it.
    pub from: Option<IpAddr>,
}

/// Where a room is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Placed {
    /// On this node.
    Here,
    /// On another; where that is reached, without a slash at its end.
    Elsewhere(String),
}

/// Where a room is, as far as it is known without asking.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Lookup {
    /// On this node, or nowhere that is known.
    Here,
    /// On another; where that is reached, without a slash at its end.
    Elsewhere(String),
}

/// Why a room that is new has no place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unplaced {
    /// No node takes it.
    Nowhere(Nowhere),
    /// It runs in another region than the one asked for.
    OtherRegion,
    /// Others were faster each time.
    Conflict,
    /// Etcd does not answer.
    Away,
    /// Too many new rooms are asked for from one address, to which nobody comes.
    Greedy,
}

impl Placement {
    /// Where a room is of which somebody asks that it is there already.
    #[must_use]
    pub fn locate(&self, room: &RoomId) -> Lookup {
        let Self::Fleet(fleet) = self else { return Lookup::Here };
        let state = fleet.shared.lock();
        if state.member.holds(room) {
            return Lookup::Here;
        }
        let own = &state.member.setup().id;
        let known = state.fleet.room(room).filter(|known| known.value.owner != *own);
        known.map_or(Lookup::Here, |known| Lookup::Elsewhere(known.value.url.clone()))
    }

    /// Where a room would begin if somebody asked for it now, or is; nothing is reserved.
    #[must_use]
    pub fn foresee(&self, need: &Need) -> Lookup {
        let Self::Fleet(fleet) = self else { return Lookup::Here };
        match self.locate(&need.room) {
            Lookup::Elsewhere(url) => return Lookup::Elsewhere(url),
            Lookup::Here => {}
        }
        let state = fleet.shared.lock();
        let is_here = state.away_since.is_some() || state.member.holds(&need.room);
        let chosen = state.fleet.choose(need).ok().filter(|_| !is_here);
        let other = chosen.filter(|chosen| chosen.node != state.member.setup().id);
        let url = other.and_then(|other| state.fleet.node(&other.node)).map(|known| known.value.url.clone());
        url.map_or(Lookup::Here, Lookup::Elsewhere)
    }

    /// Finds a room's node, or gives it one. A room that is known costs nothing; another one a transaction, for which
    /// it is waited at most `limits::FLEET_PATIENCE`.
    ///
    /// # Errors
    /// When it has none and gets none; says why.
    pub async fn place(&self, wish: Wish) -> Result<Placed, Unplaced> {
        match self {
            Self::Alone(alone) => match &wish.need.region {
                Some(region) if alone.region.as_ref() != Some(region) => Err(Unplaced::Nowhere(Nowhere::Region)),
                _ => Ok(Placed::Here),
            },
            Self::Fleet(fleet) => fleet.place(wish).await,
        }
    }

    /// The node that would take a room which runs here, and where that is reached; in this node's region, if any.
    ///
    /// # Errors
    /// When there is none.
    pub fn successor(&self, room: &RoomId) -> Result<(Label, String), Nowhere> {
        let Self::Fleet(fleet) = self else { return Err(Nowhere::Empty) };
        let state = fleet.shared.lock();
        let MemberSetup { id, region, .. } = state.member.setup().clone();
        let units = state.fleet.room(room).map_or(0, |known| known.value.units);
        let need = Need { room: room.clone(), units, region, prefers: None };
        let reserve = state.fleet.choose_but(&need, &id)?;
        let url = state.fleet.node(&reserve.node).map(|known| known.value.url.clone()).ok_or(Nowhere::Empty)?;
        Ok((reserve.node, url))
    }

    /// Has etcd give a room to another node; `from` is the one that has it, this one where it is not said.
    ///
    /// # Errors
    /// When it stays where it is; after [`Unmoved::Away`] it may have moved all the same.
    pub async fn shift(&self, room: &RoomId, from: Option<&Label>, to: &Label) -> Result<Fence, Unmoved> {
        let Self::Fleet(fleet) = self else { return Err(Unmoved::Stays(Stays::Lost)) };
        let own = fleet.shared.lock().member.setup().id.clone();
        let (is_return, from) = (from.is_some(), from.cloned().unwrap_or(own));
        let shift = Shift { room: room.clone(), from, to: to.clone(), is_return };
        let (reply, answer) = oneshot::channel();
        let asked = async {
            fleet.shifts.send(ShiftAsk { shift, reply }).await.ok()?;
            answer.await.ok()
        };
        let answered = tokio::time::timeout(limits::FLEET_PATIENCE, asked).await;
        answered.ok().flatten().unwrap_or(Err(Unmoved::Away))
    }

    /// Has etcd give a room back to this node that another one was given and did not take.
    ///
    /// # Errors
    /// As [`Self::shift`].
    pub async fn take_back(&self, room: &RoomId, from: &Label) -> Result<Fence, Unmoved> {
        let Self::Fleet(fleet) = self else { return Err(Unmoved::Stays(Stays::Lost)) };
        let own = fleet.shared.lock().member.setup().id.clone();
        self.shift(room, Some(from), &own).await
    }

    /// A room was handed over to this node by its fence: it is here, also where etcd's word of that is yet to come.
    /// Whether it is: not where somebody has it by a newer one, for whoever handed it over waited no longer.
    pub fn take_up(&self, room: &RoomId, fence: Fence) -> bool {
        let Self::Fleet(fleet) = self else { return true };
        let state = &mut *fleet.shared.lock();
        let is_stale = state.fleet.room(room).is_some_and(|known| known.fence() > fence);
        if !is_stale {
            state.member.take_up(Instant::now(), room, fence);
        }
        !is_stale
    }

    /// Whether a room went to another node, and some of its people are still here.
    #[must_use]
    pub fn is_gone(&self, room: &RoomId) -> bool {
        let Self::Fleet(fleet) = self else { return false };
        fleet.shared.lock().member.is_gone(room)
    }

    /// The fence by which a room is here.
    #[must_use]
    pub fn fence(&self, room: &RoomId) -> Option<Fence> {
        let Self::Fleet(fleet) = self else { return None };
        fleet.shared.lock().member.fence(room)
    }

    /// Where a room's owner is reached and what it is called, if that is another node than this one.
    #[must_use]
    pub fn owner(&self, room: &RoomId) -> Option<(Label, String, Fence)> {
        let Self::Fleet(fleet) = self else { return None };
        let state = fleet.shared.lock();
        let known = state.fleet.room(room).filter(|known| known.value.owner != state.member.setup().id)?;
        Some((known.value.owner.clone(), known.value.url.clone(), known.fence()))
    }

    /// What this node is called, where it is of a fleet.
    #[must_use]
    pub fn own_id(&self) -> Option<Label> {
        let Self::Fleet(fleet) = self else { return None };
        Some(fleet.shared.lock().member.setup().id.clone())
    }

    /// The node that is to show a room of this one to one viewer more, and where that is reached. `regions`: where it
    /// has to stand; `known`: those that show it already.
    ///
    /// # Errors
    /// When there is none; says why.
    pub fn relay(&self, regions: &[Label], known: &[RelaySeen]) -> Result<(Label, String), Nowhere> {
        let Self::Fleet(fleet) = self else { return Err(Nowhere::Empty) };
        let state = fleet.shared.lock();
        let MemberSetup { id, region, .. } = state.member.setup();
        let node = state.fleet.relay(&RelayNeed { owner: id, regions, near: region.as_ref(), known })?;
        let url = state.fleet.node(&node).map(|known| known.value.url.clone()).ok_or(Nowhere::Empty)?;
        Ok((node, url))
    }

    /// Where another node stands, as far as it says; `None`: there is no such node.
    #[must_use]
    pub fn region_of(&self, node: &Label) -> Option<Option<Label>> {
        let Self::Fleet(fleet) = self else { return None };
        let state = fleet.shared.lock();
        state.fleet.node(node).map(|known| known.value.region.clone())
    }

    /// What is counted, of a node that is of a fleet.
    #[must_use]
    pub fn counters(&self) -> FleetCounters {
        match self {
            Self::Alone(_) => FleetCounters::default(),
            Self::Fleet(fleet) => fleet.counters.clone(),
        }
    }

    /// How this node stands, for whoever places rooms.
    pub fn tell(&self, load: Load) {
        if let Self::Fleet(fleet) = self {
            fleet.load.send_if_modified(|told| {
                let is_new = *told != load;
                *told = load;
                is_new
            });
        }
    }

    /// Whether there is anybody to tell.
    #[must_use]
    pub const fn is_alone(&self) -> bool {
        matches!(self, Self::Alone(_))
    }

    /// Whether a new room could be placed at all.
    ///
    /// # Errors
    /// While etcd does not answer.
    pub fn admits(&self) -> Result<(), Unplaced> {
        let Self::Fleet(fleet) = self else { return Ok(()) };
        if fleet.shared.lock().away_since.is_some() { Err(Unplaced::Away) } else { Ok(()) }
    }

    /// Where nodes are reached, this one too, each without a slash at its end.
    #[must_use]
    pub fn urls(&self) -> Vec<String> {
        let Self::Fleet(fleet) = self else { return Vec::new() };
        let state = fleet.shared.lock();
        state.fleet.nodes().map(|(_, known)| known.value.url.clone()).collect()
    }

    /// Somebody was sent on.
    pub fn note_redirect(&self) {
        if let Self::Fleet(fleet) = self {
            fleet.counters.redirects.add(1);
        }
    }

    /// What is known of the fleet.
    #[must_use]
    pub fn shown(&self) -> FleetShown {
        match self {
            Self::Alone(_) => {
                let (nodes, rooms) = (Vec::new(), Vec::new());
                FleetShown { node: None, state: FleetState::Alone, away_s: None, nodes, rooms }
            }
            Self::Fleet(fleet) => fleet.shared.lock().shown(Instant::now()),
        }
    }
}

impl Default for Placement {
    fn default() -> Self {
        Self::Alone(Alone::default())
    }
}

impl FleetHandle {
    async fn place(&self, Wish { mut need, stays, from }: Wish) -> Result<Placed, Unplaced> {
        {
            let (mut state, now) = (self.shared.lock(), Instant::now());
            let MemberSetup { id, region, .. } = state.member.setup().clone();
            let is_there = |of: &Option<Label>| need.region.is_none() || need.region == *of;
            if state.member.is_asked_for(now, &need.room) {
                return if is_there(&region) { Ok(Placed::Here) } else { Err(Unplaced::OtherRegion) };
            }
            if let Some(known) = state.fleet.room(&need.room).filter(|known| known.value.owner != id) {
                let there = Ok(Placed::Elsewhere(known.value.url.clone()));
                return if is_there(&known.value.region) { there } else { Err(Unplaced::OtherRegion) };
            }
            if state.away(now).is_some_and(|away| away >= limits::FLEET_PATIENCE) {
                self.counters.away.add(1);
                return Err(Unplaced::Away);
            }
            if !state.may_claim(now, from) {
                return Err(Unplaced::Greedy);
            }
            need.prefers = stays.then_some(id);
        }
        let (reply, answer) = oneshot::channel();
        let asked = async {
            self.asks.send(Ask { need, reply }).await.ok()?;
            answer.await.ok()
        };
        let outcome = tokio::time::timeout(limits::FLEET_PATIENCE, asked).await.ok().flatten();
        if let Some(Outcome::Lives { is_new: true, .. }) = &outcome {
            self.shared.lock().claimed(Instant::now(), from);
        }
        self.follow(outcome)
    }

    /// What an outcome means for who asked.
    fn follow(&self, outcome: Option<Outcome>) -> Result<Placed, Unplaced> {
        let counters = &self.counters;
        match outcome {
            Some(Outcome::Lives { record, is_new, .. }) => {
                let is_here = record.owner == self.shared.lock().member.setup().id;
                let counted = match (is_new, is_here) {
                    (false, _) => &counters.found,
                    (true, true) => &counters.placed_here,
                    (true, false) => &counters.placed_elsewhere,
                };
                counted.add(1);
                Ok(if is_here { Placed::Here } else { Placed::Elsewhere(record.url) })
            }
            Some(Outcome::OtherRegion) => Err(Unplaced::OtherRegion),
            Some(Outcome::Nowhere(why)) => {
                counters.nowhere.add(1);
                Err(Unplaced::Nowhere(why))
            }
            Some(Outcome::Conflict) => {
                counters.conflicts.add(1);
                Err(Unplaced::Conflict)
            }
            None => {
                counters.away.add(1);
                Err(Unplaced::Away)
            }
        }
    }
}
