//! **The question:** which pods have to be marked otherwise than they are?

use std::collections::{BTreeMap, BTreeSet};

use crate::base::limits;
use crate::core::fleet::{Fleet, Label};
use crate::core::steward::{Marks, PodSeen};

/// A pod that is to be marked anew.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// Its name.
    pub pod: String,
    /// Which one of that name it was.
    pub uid: String,
    /// What changes; what is `None` stays as it is.
    pub marks: Marks,
}

/// What runs in a pod, as its node says.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Standing {
    /// Media units that its rooms reserve.
    pub(super) reserved: u64,
    /// Whether it has a room.
    pub(super) is_busy: bool,
}

/// What runs in each pod of a namespace. Where two nodes say that they are in one pod, as one that has another name now
/// does until its old lease is over, both count.
pub(super) fn standings<'a>(fleet: &'a Fleet, namespace: &str) -> BTreeMap<&'a str, Standing> {
    let owners: BTreeSet<&Label> = fleet.rooms().map(|(_, known)| &known.value.owner).collect();
    let mut standings: BTreeMap<&str, Standing> = BTreeMap::new();
    for (id, known) in fleet.nodes() {
        let Some(pod) = known.value.pod.as_ref().filter(|pod| pod.namespace() == namespace) else { continue };
        let standing = standings.entry(pod.name()).or_default();
        standing.reserved = standing.reserved.saturating_add(known.value.reserved);
        standing.is_busy |= known.value.reserved > 0 || owners.contains(id);
    }
    standings
}

/// The marks that have to change, those first that keep a pod with rooms from being taken away. Without a fleet
/// nothing is known of any pod. A pod of which nothing is known may have rooms: it is safe to evict no more, and what
/// its deletion costs stays as it was. Whoever writes to the fleet's store can mark no other pods: only those are
/// marked that the cluster listed.
#[must_use]
pub fn plan(fleet: Option<&Fleet>, namespace: &str, pods: &[PodSeen]) -> Vec<Change> {
    let standings = fleet.map(|fleet| standings(fleet, namespace)).unwrap_or_default();
    let staying = pods.iter().filter(|pod| !pod.is_ending);
    let mut changes: Vec<Change> =
        staying.filter_map(|pod| change(pod, standings.get(pod.name.as_str()).copied())).collect();
    changes.sort_by_key(|change| change.marks.safe_to_evict != Some(false));
    changes
}

fn change(pod: &PodSeen, standing: Option<Standing>) -> Option<Change> {
    let Marks { deletion_cost, safe_to_evict } = pod.marks;
    let marks = match standing {
        Some(standing) => Marks {
            deletion_cost: Some(cost(standing, deletion_cost)).filter(|cost| deletion_cost != Some(*cost)),
            safe_to_evict: Some(!standing.is_busy).filter(|is_safe| safe_to_evict != Some(*is_safe)),
        },
        None => Marks { deletion_cost: None, safe_to_evict: safe_to_evict.filter(|is_safe| *is_safe).map(|_| false) },
    };
    (marks != Marks::default()).then(|| Change { pod: pod.name.clone(), uid: pod.uid.clone(), marks })
}

/// Nothing for one without rooms, else the more the more its rooms reserve. What stands stays while it is off by one:
/// each write goes to every controller of the cluster, so Kubernetes' own advice is to change it seldom.
fn cost(standing: Standing, stands: Option<i32>) -> i32 {
    if !standing.is_busy {
        return 0;
    }
    let exact = i32::try_from(standing.reserved / limits::STEWARD_COST_UNITS).unwrap_or(i32::MAX - 1) + 1;
    stands.filter(|stands| *stands > 0 && stands.abs_diff(exact) <= 1).unwrap_or(exact)
}
