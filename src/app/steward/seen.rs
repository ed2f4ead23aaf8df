//! **The question:** what does a steward know, since when, and what does it say of that? What is too old is told as
//! such, and never as how it is.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::base::limits;
use crate::core::fleet::Fleet;
use crate::core::steward::{Capacity, Change, Marks, PodSeen, capacity};
use crate::io::fleet::Observed;
use crate::io::http::Told;

/// What is known; clones know the same.
#[derive(Debug, Clone)]
pub(super) struct Known(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    observed: Observed,
    namespace: String,
    headroom: u64,
    /// How often a round begins.
    every: Duration,
    rounds: Mutex<Rounds>,
}

#[derive(Debug)]
struct Rounds {
    /// The pods that were listed last, and when.
    pods: Option<(Arc<[PodSeen]>, Instant)>,
    /// When the last round began.
    begun: Instant,
}

impl Known {
    /// Nothing so far.
    pub(super) fn new(observed: Observed, namespace: String, headroom: u64, every: Duration) -> Self {
        let rounds = Mutex::new(Rounds { pods: None, begun: Instant::now() });
        Self(Arc::new(Shared { observed, namespace, headroom, every, rounds }))
    }

    /// How often a round begins.
    pub(super) fn every(&self) -> Duration {
        self.0.every
    }

    fn is_fresh(&self, age: Duration) -> bool {
        age < self.0.every * limits::STEWARD_STALE_ROUNDS
    }

    fn rounds(&self) -> MutexGuard<'_, Rounds> {
        // What is known stays known, whoever panicked over it.
        self.0.rounds.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The namespace of the pods.
    pub(super) fn namespace(&self) -> &str {
        &self.0.namespace
    }

    /// A round begins.
    pub(super) fn begin(&self) {
        self.rounds().begun = Instant::now();
    }

    /// The cluster listed its pods.
    pub(super) fn list(&self, pods: Arc<[PodSeen]>) {
        self.rounds().pods = Some((pods, Instant::now()));
    }

    /// A pod is marked so by now, or may be.
    pub(super) fn mark(&self, change: &Change) {
        let mut rounds = self.rounds();
        let Some((pods, _)) = &mut rounds.pods else { return };
        let marked = |pod: &PodSeen| {
            let Marks { deletion_cost, safe_to_evict } = if pod.uid == change.uid { change.marks } else { pod.marks };
            let deletion_cost = deletion_cost.or(pod.marks.deletion_cost);
            let marks = Marks { deletion_cost, safe_to_evict: safe_to_evict.or(pod.marks.safe_to_evict) };
            PodSeen { marks, ..pod.clone() }
        };
        *pods = pods.iter().map(marked).collect();
    }

    /// The pods that were listed last, as they are marked since.
    pub(super) fn listed(&self) -> Arc<[PodSeen]> {
        self.rounds().pods.as_ref().map_or_else(|| [].into(), |(pods, _)| pods.clone())
    }

    /// Whether it still goes round.
    pub(super) fn is_alive(&self) -> bool {
        self.rounds().begun.elapsed() < limits::STEWARD_HUNG_SPAN
    }

    /// All nodes and rooms, if that is how it is.
    pub(super) fn fleet(&self) -> Option<Arc<Fleet>> {
        self.0.observed.look().filter(|(_, age)| self.is_fresh(*age)).map(|(fleet, _)| fleet)
    }

    /// The numbers of all nodes, if that is how it is.
    pub(super) fn numbers(&self) -> Option<Capacity> {
        let fleet = self.fleet()?;
        let pods = self.rounds().pods.clone().filter(|(_, at)| self.is_fresh(at.elapsed()));
        let pods = pods.as_ref().map(|(pods, _)| &pods[..]);
        capacity(&fleet, &self.0.namespace, pods, None, self.0.headroom)
    }

    /// What is answered to who asks how much is free.
    pub(super) fn told(&self, pool: Option<&str>) -> Told {
        let pods = self.rounds().pods.clone().map(|(pods, at)| (pods, at.elapsed()));
        self.tell(self.0.observed.look(), pods, pool)
    }

    fn tell(
        &self,
        sight: Option<(Arc<Fleet>, Duration)>,
        pods: Option<(Arc<[PodSeen]>, Duration)>,
        pool: Option<&str>,
    ) -> Told {
        let Shared { namespace, headroom, every, .. } = &*self.0;
        let again_s = every.as_secs();
        let Some((fleet, age)) = sight else {
            let says = json!({ "stale": true, "why": "etcd has not answered since the start" });
            return Told { is_fresh: false, says, again_s };
        };
        let of = |pods: Option<&[PodSeen]>| capacity(&fleet, namespace, pods, pool, *headroom);
        let last = pods.as_ref().map(|(pods, _)| &pods[..]);
        let fresh = pods.as_ref().filter(|(_, age)| self.is_fresh(*age)).map(|(pods, _)| &pods[..]);
        match of(fresh).filter(|_| self.is_fresh(age)) {
            Some(numbers) => Told { is_fresh: true, says: with(numbers, "age_ms", age.as_millis() as u64), again_s },
            None => {
                let is_etcds = !self.is_fresh(age);
                let why = if is_etcds { "etcd does not answer" } else { "the cluster's API does not answer" };
                let age = if is_etcds { Some(age) } else { pods.as_ref().map(|(_, age)| *age) };
                let says =
                    json!({ "stale": true, "why": why, "age_s": age.map(|age| age.as_secs()), "last": of(last) });
                Told { is_fresh: false, says, again_s }
            }
        }
    }
}

fn with(numbers: Capacity, key: &str, value: u64) -> Value {
    let mut says = json!(numbers);
    says[key] = value.into();
    says
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::fleet::NodeRecord;

    #[test]
    fn what_is_old_is_told_as_old_and_by_another_name() {
        let known = Known::new(Observed::default(), "calls".into(), 1, Duration::from_secs(5));
        let nothing = known.told(None);
        assert!(!nothing.is_fresh && nothing.says["free_room100_slots"].is_null() && known.numbers().is_none());
        let text = r#"{"url":"https://a","units":300,"reserved":0,"free_room100_slots":2,"lease":1,"pod":"calls/a-0"}"#;
        let record = NodeRecord::read(text.as_bytes()).unwrap();
        let node = crate::core::fleet::Known { value: record, created: 1, changed: 1 };
        let fleet = Arc::new(Fleet::new([("a".parse().unwrap(), node)], []));
        let pod = PodSeen { name: "a-0".into(), uid: "u".into(), pool: Some("cpu".into()), ..PodSeen::default() };
        let pods: Arc<[PodSeen]> = [pod].into();
        let (now, old) = (Duration::from_millis(40), Duration::from_secs(15));
        let tell = |age, pods_age, pool| known.tell(Some((fleet.clone(), age)), Some((pods.clone(), pods_age)), pool);

        let told = tell(now, now, Some("cpu"));
        assert!(told.is_fresh);
        assert_eq!((&told.says["free_room100_slots"], &told.says["wanted_nodes"]), (&json!(2), &json!(1)));
        assert_eq!(told.says["age_ms"], 40);
        known.list(pods.clone());
        let marks = Marks { deletion_cost: None, safe_to_evict: Some(true) };
        known.mark(&Change { pod: "a-0".into(), uid: "u".into(), marks });
        known.mark(&Change { pod: "a-0".into(), uid: "another".into(), marks: Marks::default() });
        assert_eq!(known.listed()[0].marks, marks, "who ends takes back what was said since the list");
        let without_cluster = tell(now, old, None);
        assert!(without_cluster.is_fresh && without_cluster.says.get("wanted_nodes").is_none());
        let of_pool = tell(now, old, Some("cpu"));
        assert_eq!(
            (of_pool.is_fresh, of_pool.says["why"].as_str()),
            (false, Some("the cluster's API does not answer"))
        );
        let without_etcd = tell(old, now, None);
        assert!(!without_etcd.is_fresh && without_etcd.says["free_room100_slots"].is_null(), "{}", without_etcd.says);
        let last = &without_etcd.says["last"];
        assert_eq!((&last["free_room100_slots"], &without_etcd.says["age_s"]), (&json!(2), &json!(old.as_secs())));
    }
}
