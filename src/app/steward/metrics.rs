//! **The question:** under which names do operators see what a steward counts?

use std::sync::{Arc, Mutex, PoisonError};

use crate::app::steward::seen::Known;
use crate::core::steward::Capacity;
use crate::io::fleet::FleetCounters;
use crate::io::steward::StewardCounters;
use crate::io::telemetry::metrics::{Kind, Metrics};

/// A number of the fleet, and what it is called.
type Number = (&'static str, &'static str, fn(&Capacity) -> Option<u64>);

const NUMBERS: [Number; 8] = [
    ("tessera_steward_free_room100_slots", "Rooms of a hundred people that would still begin", |all| {
        Some(all.free_room100_slots)
    }),
    ("tessera_steward_reserved_units", "Media units that rooms reserve", |all| Some(all.reserved)),
    ("tessera_steward_capacity_units", "Media units of nodes that begin rooms", |all| Some(all.capacity)),
    ("tessera_steward_nodes", "Nodes of the fleet whose pods do not end", |all| Some(all.nodes)),
    ("tessera_steward_nodes_draining", "Of those, such as drain", |all| Some(all.nodes_draining)),
    ("tessera_steward_rooms", "Rooms of the fleet", |all| Some(all.rooms)),
    ("tessera_steward_wanted_nodes", "Nodes with which enough is free", |all| all.wanted_nodes),
    ("tessera_steward_pods_unknown", "Pods of nodes without a node in the fleet", |all| {
        all.wanted_nodes.map(|_| all.pods_unknown)
    }),
];

/// What renders them at each scrape, all of one moment.
pub(super) fn rendering(
    known: Known,
    cluster: &StewardCounters,
    etcd: &FleetCounters,
) -> impl Fn() -> String + Send + Sync + use<> {
    let numbers = Numbers::default();
    let metrics = metrics(&numbers, cluster, etcd);
    move || {
        *numbers.lock().unwrap_or_else(PoisonError::into_inner) = known.numbers();
        metrics.render()
    }
}

/// The numbers of the page that is rendered, if they are known.
type Numbers = Arc<Mutex<Option<Capacity>>>;

/// The counters under the names of `docs/operating.md`. A number that is not known is left out: a gap in a chart says
/// so, a zero would lie.
fn metrics(numbers: &Numbers, cluster: &StewardCounters, etcd: &FleetCounters) -> Metrics {
    let metrics = Metrics::new();
    for (name, help, read) in NUMBERS {
        let numbers = numbers.clone();
        metrics.series(name, help, Kind::Gauge, &[], move |samples| {
            if let Some(number) = numbers.lock().unwrap_or_else(PoisonError::into_inner).as_ref().and_then(read) {
                samples.push(number as f64);
            }
        });
    }
    let reachable = [
        ("tessera_steward_etcd_reachable", "1 while etcd tells of the fleet", etcd.registered.clone()),
        (
            "tessera_steward_cluster_reachable",
            "1 while the cluster's API does what is asked",
            cluster.reachable.clone(),
        ),
        ("tessera_steward_pods", "Pods of nodes that the cluster lists", cluster.pods.clone()),
    ];
    for (name, help, level) in reachable {
        metrics.gauge(name, help, &[], move || level.get() as f64);
    }
    let help = "Requests to the cluster's API";
    metrics.counter("tessera_steward_requests_total", help, &[], &cluster.requests);
    metrics.counter("tessera_steward_marks_total", "Marks of pods that it took", &[], &cluster.marked);
    let causes = [
        ("gone", &cluster.gone),
        ("conflict", &cluster.conflicts),
        ("throttled", &cluster.throttled),
        ("unauthorized", &cluster.unauthorized),
        ("forbidden", &cluster.forbidden),
        ("failed", &cluster.failed),
    ];
    for (cause, counter) in causes {
        let help = "Requests to the cluster's API that did not do what was asked";
        metrics.counter("tessera_steward_refused_total", help, &[("cause", cause)], counter);
    }
    metrics
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::io::fleet::Observed;

    #[test]
    fn the_documented_metrics_are_those_that_a_steward_exports() {
        let document = include_str!("../../../docs/operating.md");
        let rows = document.lines().filter_map(|line| line.strip_prefix("| `")?.split_once("` | "));
        let documented: BTreeSet<(&str, &str)> = rows
            .filter(|(name, _)| name.starts_with("tessera_steward_"))
            .map(|(name, rest)| (name, rest.split(' ').next().expect("split yields one")))
            .collect();
        let known = Known::new(Observed::default(), "calls".into(), 1, std::time::Duration::from_secs(5));
        let text = rendering(known, &StewardCounters::default(), &FleetCounters::default())();
        let types = text.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split_once(' '));
        let exported: BTreeSet<(&str, &str)> = types.collect();
        assert_eq!(documented.difference(&exported).collect::<Vec<_>>(), [] as [&_; 0], "documented only");
        assert_eq!(exported.difference(&documented).collect::<Vec<_>>(), [] as [&_; 0], "exported only");
        assert!(!text.contains("\ntessera_steward_wanted_nodes"), "what is not known is no number: {text}");
    }
}
