//! **The question:** how much is free, and how many nodes are wanted for that to be enough?

use std::cmp::Reverse;
use std::collections::BTreeMap;

use serde::Serialize;

use crate::core::fleet::{Fleet, Label, NodeRecord};
use crate::core::steward::PodSeen;
use crate::core::steward::marks::standings;

/// The numbers that machines are added and taken away by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Capacity {
    /// Rooms of a hundred people that would still begin.
    pub free_room100_slots: u64,
    /// Media units that rooms reserve.
    pub reserved: u64,
    /// Media units of all nodes that begin rooms.
    pub capacity: u64,
    /// Nodes, without those whose pods end already.
    pub nodes: u64,
    /// Of those, such as drain.
    pub nodes_draining: u64,
    /// Rooms.
    pub rooms: u64,
    /// Pods of nodes without a node in the fleet: they start, or have lost etcd.
    pub pods_unknown: u64,
    /// Nodes with which as much is free as should be; not known while the cluster does not answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub wanted_nodes: Option<u64>,
}

/// A node, and what its pod says of it.
struct Placed<'a> {
    record: &'a NodeRecord,
    pod: Option<&'a PodSeen>,
    is_busy: bool,
}

impl Placed<'_> {
    fn free(&self) -> u64 {
        if self.record.draining || self.record.full { 0 } else { self.record.free_room100_slots }
    }
}

/// What is free in the fleet, or in one pool of it, and how many nodes keep `headroom` rooms of a hundred free. Pods
/// are `None` while the cluster does not answer; then nothing can be said of a pool: `None`.
#[must_use]
pub fn capacity(
    fleet: &Fleet,
    namespace: &str,
    pods: Option<&[PodSeen]>,
    pool: Option<&str>,
    headroom: u64,
) -> Option<Capacity> {
    if pool.is_some() && pods.is_none() {
        return None;
    }
    let listed = pods.unwrap_or_default();
    let by_name: BTreeMap<&str, &PodSeen> = listed.iter().map(|pod| (pod.name.as_str(), pod)).collect();
    let is_of_pool =
        |pod: Option<&PodSeen>| pool.is_none_or(|pool| pod.is_some_and(|p| p.pool.as_deref() == Some(pool)));
    let standings = standings(fleet, namespace);
    let mut by_owner: BTreeMap<&Label, u64> = BTreeMap::new();
    for (_, known) in fleet.rooms() {
        *by_owner.entry(&known.value.owner).or_default() += 1;
    }
    let (mut nodes, mut rooms) = (Vec::new(), 0);
    for (id, known) in fleet.nodes() {
        let record = &known.value;
        let own = record.pod.as_ref().filter(|pod| pod.namespace() == namespace);
        let pod = own.and_then(|pod| by_name.get(pod.name()).copied());
        if !is_of_pool(pod) || pod.is_some_and(|pod| pod.is_ending) {
            continue;
        }
        let count = by_owner.get(id).copied().unwrap_or(0);
        let is_shared_busy = own.and_then(|pod| standings.get(pod.name())).is_some_and(|standing| standing.is_busy);
        rooms += count;
        nodes.push(Placed { record, pod, is_busy: is_shared_busy || count > 0 || record.reserved > 0 });
    }
    let is_unknown = |pod: &&PodSeen| !pod.is_ending && !standings.contains_key(pod.name.as_str());
    let unknown: Vec<&PodSeen> = listed.iter().filter(is_unknown).filter(|pod| is_of_pool(Some(pod))).collect();
    let sum = |number: fn(&Placed<'_>) -> u64| nodes.iter().map(number).fold(0, u64::saturating_add);
    Some(Capacity {
        free_room100_slots: sum(|node| node.free()),
        reserved: sum(|node| node.record.reserved),
        capacity: sum(|node| if node.record.draining { 0 } else { node.record.units }),
        nodes: nodes.len() as u64,
        nodes_draining: nodes.iter().filter(|node| node.record.draining).count() as u64,
        rooms,
        pods_unknown: unknown.len() as u64,
        wanted_nodes: pods.map(|_| wanted(&nodes, &unknown, headroom)),
    })
}

/// More nodes where too little is free: as many as empty ones would make up for it. Fewer where so much is free that
/// those which would be taken away first, one after the other, are empty and not needed. A pod without a node starts,
/// or has calls and lost etcd: it counts as one that is there, brings nothing, and stays. At least one.
fn wanted(nodes: &[Placed<'_>], unknown: &[&PodSeen], headroom: u64) -> u64 {
    let all = (nodes.len() + unknown.len()) as u64;
    let free = nodes.iter().map(Placed::free).fold(0, u64::saturating_add);
    if free < headroom {
        let each = nodes.iter().filter(|node| !node.is_busy).map(Placed::free).max().unwrap_or(1).max(1);
        return all.max((nodes.len() as u64).saturating_add((headroom - free).div_ceil(each)));
    }
    let known = nodes.iter().map(|node| (node.pod, Some(node)));
    let mut order: Vec<_> = known.chain(unknown.iter().map(|pod| (Some(*pod), None))).collect();
    // A StatefulSet takes its highest number away, whatever is in it; others the cheapest.
    order.sort_by_key(|(pod, node)| {
        let cost = node.map(|node: &Placed<'_>| (node.is_busy, node.record.reserved));
        (Reverse(pod.and_then(|pod| pod.ordinal)), cost)
    });
    let (mut left, mut spare) = (free, 0);
    for (pod, node) in order {
        let Some(node) = node.filter(|node| !node.is_busy && pod.is_some()) else { break };
        if left.saturating_sub(node.free()) < headroom {
            break;
        }
        left -= node.free();
        spare += 1;
    }
    (all - spare).max(1)
}
