//! **The question:** what does this node know of its fleet? Looked at by every door, written by the one task that
//! speaks with etcd; nobody holds it while they wait.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use schemars::JsonSchema;
use serde::Serialize;

use crate::base::limits;
use crate::base::media::RoomId;
use crate::core::fleet::{Fence, Fleet, Label, Member, MemberSetup, NodeRecord, Pod};

/// What is known, and what this node told.
#[derive(Debug)]
pub(super) struct State {
    pub(super) fleet: Fleet,
    pub(super) member: Member,
    /// Since when this node's records do not stand in etcd, as far as it knows; `None`: they do.
    pub(super) away_since: Option<Instant>,
    /// When rooms were last placed for each address.
    claims: HashMap<IpAddr, Vec<Instant>>,
}

/// The state, shared.
#[derive(Debug)]
pub(super) struct Shared(Mutex<State>);

impl Shared {
    /// Of a node that has not told anything yet.
    #[cfg_attr(not(feature = "fleet"), expect(dead_code, reason = "read by what speaks with etcd alone"))]
    pub(super) fn new(member: MemberSetup) -> Self {
        let (fleet, member) = (Fleet::default(), Member::new(member));
        Self(Mutex::new(State { fleet, member, away_since: Some(Instant::now()), claims: HashMap::new() }))
    }

    /// For a moment: whoever holds it waits for nothing.
    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        // What is known stays known, whoever panicked over it.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Whether one more new room may be asked for from there.
    pub(super) fn may_claim(&mut self, now: Instant, from: Option<IpAddr>) -> bool {
        let is_new = |at: &Instant| *at + limits::FLEET_CLAIM_SPAN > now;
        self.claims.retain(|_, times| {
            times.retain(is_new);
            !times.is_empty()
        });
        let times = from.and_then(|from| self.claims.get(&from));
        times.is_none_or(|times| times.len() < limits::FLEET_CLAIMS_PER_ADDRESS_MAX)
    }

    /// A new room was placed for somebody there.
    pub(super) fn claimed(&mut self, now: Instant, from: Option<IpAddr>) {
        if let Some(from) = from {
            self.claims.entry(from).or_default().push(now);
        }
    }

    /// For how long this node's records do not stand in etcd.
    pub(super) fn away(&self, now: Instant) -> Option<Duration> {
        self.away_since.map(|since| now.saturating_duration_since(since))
    }

    /// As it is told.
    pub(super) fn shown(&self, now: Instant) -> FleetShown {
        let nodes = self.fleet.nodes().map(|(id, known)| NodeShown::new(id.clone(), known.value.clone()));
        let room = |(room, known): (&RoomId, &crate::core::fleet::Known<crate::core::fleet::RoomRecord>)| RoomShown {
            room: room.clone(),
            owner: known.value.owner.clone(),
            units: known.value.units,
            fence: known.fence(),
        };
        let mut rooms: Vec<RoomShown> = self.fleet.rooms().map(room).collect();
        rooms.sort_by(|a, b| a.room.cmp(&b.room));
        let (state, away_s) = match self.away(now) {
            None => (FleetState::Registered, None),
            Some(away) => (FleetState::Away, Some(away.as_secs())),
        };
        FleetShown { node: Some(self.member.setup().id.clone()), state, away_s, nodes: nodes.collect(), rooms }
    }
}

/// Whether a node is one of several.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum FleetState {
    /// It is of no fleet.
    Alone,
    /// Its records stand in etcd.
    Registered,
    /// Etcd does not answer, so that no new room begins by this node.
    Away,
}

/// What a node knows of its fleet, as `GET /v1/fleet` tells it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct FleetShown {
    /// What the node that was asked is called.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub node: Option<Label>,
    /// Whether it is one of several.
    pub state: FleetState,
    /// For how many seconds etcd does not answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub away_s: Option<u64>,
    /// Every node, by its id.
    pub nodes: Vec<NodeShown>,
    /// Every room, by its name.
    pub rooms: Vec<RoomShown>,
}

/// One node of a fleet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct NodeShown {
    /// What it is called.
    pub node: Label,
    /// Where clients reach it, without a slash at its end.
    pub url: String,
    /// Where it stands.
    pub region: Option<Label>,
    /// Media units that its machine has.
    pub units: u64,
    /// Of those, what rooms reserve.
    pub reserved: u64,
    /// Rooms of a hundred people that fit beside them.
    pub free_room100_slots: u64,
    /// It begins no room: it is about to go down.
    pub draining: bool,
    /// It begins no room: what runs on it does not keep up, or it has as many as it may.
    pub full: bool,
    /// The lease under which keys of its rooms stand, in hexadecimal, as `etcdctl lease list` shows it: a number of 64
    /// bits, of which JavaScript and jq keep 53.
    pub lease: String,
    /// The pod that it runs in, where a cluster says so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pod: Option<Pod>,
}

impl NodeShown {
    fn new(node: Label, told: NodeRecord) -> Self {
        let NodeRecord { url, region, units, reserved, free_room100_slots, draining, full, lease, pod } = told;
        let lease = format!("{lease:016x}");
        Self { node, url, region, units, reserved, free_room100_slots, draining, full, lease, pod }
    }
}

/// One room of a fleet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct RoomShown {
    /// Its name.
    #[schemars(with = "String")]
    pub room: RoomId,
    /// The node that has it.
    pub owner: Label,
    /// Media units reserved for it.
    pub units: u64,
    /// By what its owner is told from any before.
    pub fence: Fence,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lease_is_told_as_etcdctl_shows_it_and_no_reader_rounds_it() {
        let stored = r#"{"url":"https://a","units":9,"reserved":0,"free_room100_slots":2,"lease":3632564581834418694}"#;
        let record = NodeRecord::read(stored.as_bytes()).unwrap();
        let told = serde_json::to_value(NodeShown::new("a".parse().unwrap(), record.clone())).unwrap();
        assert_eq!((&told["lease"], &told["url"]), (&"3269763db3e7ea06".into(), &"https://a".into()));
        assert_eq!(told.get("pod"), None);
        // In etcd it stays a number, which nodes of other versions read.
        assert_eq!(NodeRecord::read(&record.write()), Ok(record));
        let small = NodeRecord::read(stored.replace("3632564581834418694", "255").as_bytes()).unwrap();
        assert_eq!(NodeShown::new("a".parse().unwrap(), small).lease, "00000000000000ff");
    }

    #[test]
    fn an_address_that_has_many_rooms_placed_waits_until_some_are_over() {
        let (id, url) = ("a".parse().unwrap(), "https://a.example".into());
        let member = MemberSetup { id, url, region: None, pod: None };
        let shared = Shared::new(member);
        let (mut state, now) = (shared.lock(), Instant::now());
        let from = |text: &str| Some(text.parse::<IpAddr>().unwrap());
        for _ in 0..limits::FLEET_CLAIMS_PER_ADDRESS_MAX {
            assert!(state.may_claim(now, from("192.0.2.1")));
            state.claimed(now, from("192.0.2.1"));
        }
        assert!(!state.may_claim(now, from("192.0.2.1")));
        assert!(state.may_claim(now, from("192.0.2.2")) && state.may_claim(now, None));
        let later = now + limits::FLEET_CLAIM_SPAN;
        assert!(state.may_claim(later, from("192.0.2.1")));
        assert!(state.claims.is_empty(), "nobody is remembered for longer");
    }
}
