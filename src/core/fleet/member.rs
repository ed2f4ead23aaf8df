//! **The question:** is what a node told of itself and its rooms still true, and what does it have to tell? Rooms that
//! it has keep their key, those that are over give it back, and a key that somebody newer has ends the room here.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use crate::base::limits;
use crate::base::media::RoomId;
use crate::core::fleet::{Fence, Fleet, Label, NodeRecord, NodeWrite, Pod, RoomRecord, RoomWrite, Transaction};

/// Who this node is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MemberSetup {
    /// What it is called.
    pub id: Label,
    /// Where clients reach it, without a slash at its end.
    pub url: String,
    /// Where it stands.
    pub region: Option<Label>,
    /// The pod that it runs in, where a cluster says so.
    pub pod: Option<Pod>,
}

/// How the node stands.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Load {
    /// Media units that its machine has.
    pub units: u64,
    /// Rooms of a hundred people that fit beside those that run.
    pub free_room100_slots: u64,
    /// It begins no room: it goes down.
    pub draining: bool,
    /// It begins no room: it cannot carry one more.
    pub full: bool,
    /// What each room takes that runs.
    pub rooms: BTreeMap<RoomId, u64>,
    /// Rooms that somebody is on the way to.
    pub coming: BTreeSet<RoomId>,
}

/// A room that is this node's, as far as it knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Held {
    fence: Fence,
    /// What was reserved at first: it may fill up to that again at any time. Not known before its record was seen.
    least: Option<u64>,
    /// When somebody was last told that it is here.
    asked: Instant,
    has_run: bool,
}

/// What a node has told, and has to.
#[derive(Debug)]
pub struct Member {
    setup: MemberSetup,
    load: Load,
    held: BTreeMap<RoomId, Held>,
    /// Rooms that another node has, and whose people have not all left here.
    gone: BTreeSet<RoomId>,
    /// Under which it tells; none yet, or none any more.
    lease: Option<i64>,
    /// When it last told how full it is.
    told: Option<Instant>,
    /// What is known was read at one moment, so that what is reserved here follows from the rooms alone.
    is_whole: bool,
}

impl Member {
    /// A node that has told nothing.
    #[must_use]
    pub fn new(setup: MemberSetup) -> Self {
        Self {
            setup,
            load: Load::default(),
            held: BTreeMap::new(),
            gone: BTreeSet::new(),
            lease: None,
            told: None,
            is_whole: false,
        }
    }

    /// Who it is.
    #[must_use]
    pub const fn setup(&self) -> &MemberSetup {
        &self.setup
    }

    /// From now on its keys stand under this lease; without one it has none.
    pub fn set_lease(&mut self, lease: Option<i64>) {
        self.lease = lease;
    }

    /// How it stands now. What runs here is its own, whoever was asked.
    pub fn set_load(&mut self, now: Instant, mut load: Load) {
        self.gone.retain(|room| load.rooms.contains_key(room) || load.coming.contains(room));
        load.rooms.retain(|room, _| !self.gone.contains(room));
        load.coming.retain(|room| !self.gone.contains(room));
        for room in load.rooms.keys().chain(&load.coming) {
            let has_run = load.rooms.contains_key(room);
            let unknown = Held { fence: Fence(0), least: None, asked: now, has_run };
            let held = self.held.entry(room.clone()).or_insert(unknown);
            held.has_run |= has_run;
            held.asked = now;
        }
        self.load = load;
    }

    /// Whether somebody who asks for a room is told that it is here. It is kept for them from now on.
    pub fn is_asked_for(&mut self, now: Instant, room: &RoomId) -> bool {
        let held = self.held.get_mut(room);
        held.map(|held| held.asked = now).is_some()
    }

    /// A room was handed over to this node, which need not have read so yet.
    pub fn take_up(&mut self, now: Instant, room: &RoomId, fence: Fence) {
        self.gone.remove(room);
        let new = Held { fence, least: None, asked: now, has_run: false };
        let held = self.held.entry(room.clone()).or_insert(new);
        held.fence = held.fence.max(fence);
        held.asked = now;
    }

    /// Whether a room went to another node, and not all of its people left here.
    #[must_use]
    pub fn is_gone(&self, room: &RoomId) -> bool {
        self.gone.contains(room)
    }

    /// The fence by which a room is here; `None`: it is not, or nobody said so.
    #[must_use]
    pub fn fence(&self, room: &RoomId) -> Option<Fence> {
        self.held.get(room).map(|held| held.fence).filter(|fence| fence.0 > 0)
    }

    /// Whether a room is here; nobody comes for it.
    #[must_use]
    pub fn holds(&self, room: &RoomId) -> bool {
        self.held.contains_key(room)
    }

    /// All that is known was read at one moment.
    pub fn set_whole(&mut self) {
        self.is_whole = true;
    }

    /// Compares with all that is known. The rooms that end here, because another node has them by a newer fence.
    pub fn see(&mut self, now: Instant, fleet: &Fleet) -> Vec<RoomId> {
        let known = fleet.rooms().map(|(room, _)| room);
        known.filter(|room| self.see_room(now, fleet, room)).cloned().collect()
    }

    /// Compares with what is known of one room: takes it on, if somebody placed it here. Whether it ends here, because
    /// another node has it by a newer fence.
    pub fn see_room(&mut self, now: Instant, fleet: &Fleet, room: &RoomId) -> bool {
        let Some(known) = fleet.room(room) else { return false };
        if known.value.owner == self.setup.id {
            self.gone.remove(room);
            let (fence, least) = (known.fence(), known.value.units);
            let new = Held { fence, least: None, asked: now, has_run: false };
            let held = self.held.entry(room.clone()).or_insert(new);
            if held.fence <= fence {
                held.fence = fence;
                held.least.get_or_insert(least);
            }
            return false;
        }
        let is_lost = self.held.get(room).is_some_and(|held| held.fence < known.fence());
        if is_lost {
            self.held.remove(room);
            let (has_run, is_wanted) = (self.load.rooms.remove(room).is_some(), self.load.coming.remove(room));
            if has_run || is_wanted {
                self.gone.insert(room.clone());
            }
        }
        is_lost
    }

    /// What it has to tell now, by what is known; nothing without a lease.
    pub fn tell(&mut self, now: Instant, fleet: &Fleet) -> Option<Transaction> {
        let lease = self.lease?;
        let seen = fleet.node(&self.setup.id);
        let is_new = seen.is_none_or(|known| known.value.lease != lease);
        let over = self.over(now);
        let (mut rooms, mut reserved) = (Vec::new(), self.reserved_before(seen.map(|known| &known.value), fleet));
        let mut is_urgent = is_new;
        for (room, held) in &self.held {
            let known = fleet.room(room);
            if rooms.len() >= limits::FLEET_TOLD_LEN_MAX
                || known.is_some_and(|known| known.value.owner != self.setup.id)
            {
                continue;
            }
            let (units, stood) = (self.units(room, held), known.map_or(0, |known| known.value.units));
            let is_over = over.contains(room);
            match (is_over, known) {
                (true, None) => continue,
                (false, Some(_)) if units == stood && !is_new => continue,
                (false, Some(_)) => {}
                (true, Some(_)) | (false, None) => is_urgent = true,
            }
            // Made for those alone that change: all are looked at whenever anything is heard of any node.
            let record = (!is_over).then(|| (self.record_of(units, known.and_then(|known| known.value.fence)), lease));
            reserved = (reserved + record.as_ref().map_or(0, |_| units)).saturating_sub(stood);
            rooms.push(RoomWrite { room: room.clone(), seen: known.map(|known| known.changed), record });
        }
        self.held.retain(|room, _| !over.contains(room) || fleet.room(room).is_some());
        let record = self.record(lease, reserved);
        is_urgent |= seen.is_none_or(|known| is_told_at_once(&known.value, &record));
        let is_same = rooms.is_empty() && seen.is_some_and(|known| known.value == record);
        if is_same || !is_urgent && self.told.is_some_and(|told| now < told + limits::FLEET_UPDATE_SPACING) {
            return None;
        }
        self.told = Some(now);
        self.is_whole = false;
        let seen = seen.map(|known| known.changed);
        Some(Transaction { nodes: vec![NodeWrite { id: self.setup.id.clone(), seen, record }], rooms })
    }

    /// The lease under which it tells.
    #[must_use]
    pub const fn lease(&self) -> Option<i64> {
        self.lease
    }

    /// What is reserved here before it tells: what its rooms say where all of them are known, else what its record
    /// says, to which others may have added rooms that were not seen yet.
    fn reserved_before(&self, seen: Option<&NodeRecord>, fleet: &Fleet) -> u64 {
        match seen.filter(|record| Some(record.lease) == self.lease && !self.is_whole) {
            Some(record) => record.reserved,
            None => {
                fleet.rooms().filter(|(_, room)| room.value.owner == self.setup.id).map(|(_, r)| r.value.units).sum()
            }
        }
    }

    /// Rooms that are over, or for which nobody came.
    fn over(&self, now: Instant) -> BTreeSet<RoomId> {
        let is_over = |(room, held): &(&RoomId, &Held)| {
            let patience = if held.has_run { limits::FLEET_UPDATE_SPACING } else { limits::FLEET_CLAIM_SPAN };
            let is_wanted = self.load.rooms.contains_key(*room) || self.load.coming.contains(*room);
            !is_wanted && held.asked + patience <= now
        };
        self.held.iter().filter(is_over).map(|(room, _)| room.clone()).collect()
    }

    fn units(&self, room: &RoomId, held: &Held) -> u64 {
        self.load.rooms.get(room).copied().unwrap_or(0).max(held.least.unwrap_or(0))
    }

    fn record_of(&self, units: u64, fence: Option<i64>) -> RoomRecord {
        let MemberSetup { id, url, region, .. } = self.setup.clone();
        RoomRecord { owner: id, url, region, units, fence }
    }

    fn record(&self, lease: i64, reserved: u64) -> NodeRecord {
        let MemberSetup { url, region, pod, .. } = self.setup.clone();
        let Load { units, free_room100_slots, draining, full, .. } = self.load;
        NodeRecord { url, region, units, reserved, free_room100_slots, draining, full, lease, pod }
    }
}

/// Whether it is to be told without delay: whether rooms begin there.
fn is_told_at_once(before: &NodeRecord, now: &NodeRecord) -> bool {
    (before.draining, before.full, before.units, &before.url, &before.region)
        != (now.draining, now.full, now.units, &now.url, &now.region)
}
