//! **The question:** what is known of all nodes and rooms, and which node would take a room?

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap};

use crate::base::media::RoomId;
use crate::core::fleet::{Answer, Known, Label, Need, NodeRecord, NodeWrite, RoomRecord, RoomWrite, Transaction};

/// Why no node takes a room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Nowhere {
    /// Those that there are have no place for it.
    Full,
    /// Those that there are go down.
    Draining,
    /// None stands in the region that was asked for.
    Region,
    /// No node is registered.
    Empty,
}

/// What a room reserves, and on which node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reserve {
    /// The node.
    pub node: Label,
    /// Media units.
    pub units: u64,
}

/// All nodes and all rooms, as they were last seen. What is older than what is known changes nothing.
#[derive(Debug, Clone, Default)]
pub struct Fleet {
    nodes: BTreeMap<Label, Known<NodeRecord>>,
    rooms: HashMap<RoomId, Known<RoomRecord>>,
}

impl Fleet {
    /// A fleet of which everything is known at once.
    #[must_use]
    pub fn new(
        nodes: impl IntoIterator<Item = (Label, Known<NodeRecord>)>,
        rooms: impl IntoIterator<Item = (RoomId, Known<RoomRecord>)>,
    ) -> Self {
        Self { nodes: nodes.into_iter().collect(), rooms: rooms.into_iter().collect() }
    }

    /// Every node, by its id.
    pub fn nodes(&self) -> impl Iterator<Item = (&Label, &Known<NodeRecord>)> {
        self.nodes.iter()
    }

    /// Every room, in no order.
    pub fn rooms(&self) -> impl Iterator<Item = (&RoomId, &Known<RoomRecord>)> {
        self.rooms.iter()
    }

    /// How many nodes there are, and how many rooms.
    #[must_use]
    pub fn counts(&self) -> (usize, usize) {
        (self.nodes.len(), self.rooms.len())
    }

    /// One node.
    #[must_use]
    pub fn node(&self, id: &Label) -> Option<&Known<NodeRecord>> {
        self.nodes.get(id)
    }

    /// One room.
    #[must_use]
    pub fn room(&self, name: &RoomId) -> Option<&Known<RoomRecord>> {
        self.rooms.get(name)
    }

    /// A node's record was seen.
    pub fn see_node(&mut self, id: Label, record: Known<NodeRecord>) {
        if self.nodes.get(&id).is_none_or(|known| known.changed < record.changed) {
            self.nodes.insert(id, record);
        }
    }

    /// A node's record was seen to be gone at a revision.
    pub fn miss_node(&mut self, id: &Label, at: i64) {
        if self.nodes.get(id).is_some_and(|known| known.changed <= at) {
            self.nodes.remove(id);
        }
    }

    /// A room's record was seen.
    pub fn see_room(&mut self, name: RoomId, record: Known<RoomRecord>) {
        if self.rooms.get(&name).is_none_or(|known| known.changed < record.changed) {
            self.rooms.insert(name, record);
        }
    }

    /// A room's record was seen to be gone at a revision.
    pub fn miss_room(&mut self, name: &RoomId, at: i64) {
        if self.rooms.get(name).is_some_and(|known| known.changed <= at) {
            self.rooms.remove(name);
        }
    }

    /// What follows from a transaction that was answered.
    pub fn hear(&mut self, asked: &Transaction, answer: &Answer) {
        match answer {
            Answer::Done(revision) => {
                for NodeWrite { id, record, .. } in &asked.nodes {
                    let created = self.nodes.get(id).map_or(*revision, |known| known.created);
                    self.see_node(id.clone(), Known { value: record.clone(), created, changed: *revision });
                }
                for RoomWrite { room, seen, record } in &asked.rooms {
                    let Some((record, _)) = record else {
                        self.miss_room(room, *revision);
                        continue;
                    };
                    let before = self.rooms.get(room).filter(|_| seen.is_some());
                    let created = before.map_or(*revision, |known| known.created);
                    self.see_room(room.clone(), Known { value: record.clone(), created, changed: *revision });
                }
            }
            Answer::Changed { revision, nodes, rooms } => {
                for (id, known) in nodes {
                    match known {
                        Some(known) => self.see_node(id.clone(), known.clone()),
                        None => self.miss_node(id, *revision),
                    }
                }
                for (room, known) in rooms {
                    match known {
                        Some(known) => self.see_room(room.clone(), known.clone()),
                        None => self.miss_room(room, *revision),
                    }
                }
            }
        }
    }

    /// The node that takes a room, and what it reserves there: the fullest that has room for it, so that others stay
    /// free for a large one or for going down; of equally full ones each room has its own, whoever asks. Never one that
    /// drains, is full, or stands in another region.
    ///
    /// # Errors
    /// When none does; says why.
    pub fn choose(&self, need: &Need) -> Result<Reserve, Nowhere> {
        Plan::new(self).choose(need)
    }

    /// The same, but never that node.
    ///
    /// # Errors
    /// When no other does; says why.
    pub fn choose_but(&self, need: &Need, node: &Label) -> Result<Reserve, Nowhere> {
        Plan { without: Some(node), ..Plan::new(self) }.choose(need)
    }
}

/// What is known, and what is about to be reserved beside it. It copies nothing: of a thousand nodes few change.
pub(super) struct Plan<'a> {
    fleet: &'a Fleet,
    /// The node that is none of those to choose from.
    without: Option<&'a Label>,
    more: BTreeMap<Label, u64>,
}

impl<'a> Plan<'a> {
    fn nodes(&self) -> impl Iterator<Item = (&'a Label, &'a Known<NodeRecord>)> {
        self.fleet.nodes.iter().filter(|(id, _)| Some(*id) != self.without)
    }

    fn why_nowhere(&self, need: &Need) -> Nowhere {
        let of_region = |node: &&Known<NodeRecord>| need.region.is_none() || need.region == node.value.region;
        let there: Vec<_> = self.nodes().map(|(_, node)| node).filter(of_region).collect();
        match there.as_slice() {
            [] if self.nodes().next().is_none() => Nowhere::Empty,
            [] => Nowhere::Region,
            there if there.iter().all(|node| node.value.draining) => Nowhere::Draining,
            _ => Nowhere::Full,
        }
    }

    /// Nothing is reserved so far.
    pub(super) const fn new(fleet: &'a Fleet) -> Self {
        Self { fleet, without: None, more: BTreeMap::new() }
    }

    /// As [`Fleet::choose`], with what was reserved here.
    pub(super) fn choose(&self, need: &Need) -> Result<Reserve, Nowhere> {
        let free = |node: &NodeRecord, more: u64| node.units.saturating_sub(node.reserved.saturating_add(more));
        self.choose_by(need, |node, more, id| (free(node, more), Reverse(spread(&need.room, id))))
    }

    /// As `choose`, but each room has its own among all that take it: where many are placed at once by many, so that
    /// they do not all change one node's record.
    pub(super) fn choose_apart(&self, need: &Need) -> Result<Reserve, Nowhere> {
        self.choose_by(need, |_, _, id| Reverse(spread(&need.room, id)))
    }

    /// The one that is preferred, or the one with the least `key` of those that take it.
    fn choose_by<K: Ord>(&self, need: &Need, key: impl Fn(&NodeRecord, u64, &Label) -> K) -> Result<Reserve, Nowhere> {
        let more = |id: &Label| self.more.get(id).copied().unwrap_or(0);
        let takes = |id: &Label, known: &Known<NodeRecord>| known.value.takes(need, more(id));
        let known = |id| self.fleet.nodes.get(id).filter(|_| Some(id) != self.without);
        let preferred = need.prefers.as_ref().and_then(|id| Some((id, takes(id, known(id)?)?)));
        if let Some((id, units)) = preferred {
            return Ok(Reserve { node: id.clone(), units });
        }
        // In the order of their ids, the first of which wins where keys are the same.
        let all = self.nodes().filter_map(|(id, known)| Some((id, known, takes(id, known)?)));
        let best = all.min_by_key(|(id, known, _)| key(&known.value, more(id), id));
        best.map(|(id, _, units)| Reserve { node: id.clone(), units }).ok_or_else(|| self.why_nowhere(need))
    }

    /// Reserves on a node; what it says then.
    pub(super) fn reserve(&mut self, reserve: &Reserve) -> Option<NodeRecord> {
        let known = self.fleet.nodes.get(&reserve.node)?;
        let more = self.more.entry(reserve.node.clone()).or_default();
        *more = more.saturating_add(reserve.units);
        Some(NodeRecord { reserved: known.value.reserved.saturating_add(*more), ..known.value.clone() })
    }
}

/// A number for a room on a node, the same wherever it is asked for (FNV-1a, 64 bits).
fn spread(room: &RoomId, node: &Label) -> u64 {
    let bytes = room.as_str().bytes().chain([b'/']).chain(node.as_str().bytes());
    bytes.fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}
