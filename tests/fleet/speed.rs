//! **The question:** how many rooms a second are placed, and how long does one wait? Run by hand; it prints.

use std::time::{Duration, Instant};

use tessera::core::fleet::{Load, MemberSetup, Need};
use tessera::io::fleet::{FleetCounters, FleetSetup, Membership, Placement, Wish};
use tokio::sync::watch;

use super::etcd::Etcd;

const SECONDS: u64 = 5;
/// Who asks each node at once.
const ASKERS: usize = 8;

async fn join(etcd: &Etcd, n: usize) -> (Placement, watch::Sender<bool>) {
    let url = format!("https://node-{n}.example");
    let setup = FleetSetup {
        endpoints: etcd.endpoints(),
        user: None,
        tls: None,
        prefix: "/speed".into(),
        member: MemberSetup { id: format!("node-{n}").parse().unwrap(), url, region: None, pod: None },
    };
    let (membership, placement) = Membership::new(setup, FleetCounters::default(), |_| ()).await.unwrap();
    let (stop, stopped) = watch::channel(false);
    tokio::spawn(membership.run(stopped));
    placement.tell(Load { units: 1_000_000_000, ..Load::default() });
    let until = Instant::now() + Duration::from_secs(30);
    while placement.admits().is_err() || placement.urls().len() <= n {
        assert!(Instant::now() < until, "never registered");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    (placement, stop)
}

/// Asks one after the other; how long each took, and how many were refused.
async fn ask(placement: Placement, prefix: String) -> (Vec<Duration>, u64) {
    let (begun, mut took, mut refused) = (Instant::now(), Vec::new(), 0);
    while begun.elapsed() < Duration::from_secs(SECONDS) {
        let room = format!("{prefix}-{}", took.len()).parse().unwrap();
        let need = Need { room, units: 51, region: None, prefers: None };
        let asked = Instant::now();
        // Refused or not: somebody waited for it.
        refused += u64::from(placement.place(Wish { need, stays: false, from: None }).await.is_err());
        took.push(asked.elapsed());
    }
    (took, refused)
}

#[test]
#[ignore = "it measures: docs/benchmarks.md"]
fn rooms_placed_a_second() {
    let etcd = Etcd::start();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        let mut nodes = Vec::new();
        for n in 0..3 {
            nodes.push(join(&etcd, n).await);
        }
        for (askers, what) in [(1, "one asks one node"), (ASKERS, "eight ask each of three nodes")] {
            let asked = if askers == 1 { &nodes[..1] } else { &nodes[..] };
            let tasks: Vec<_> = asked
                .iter()
                .enumerate()
                .flat_map(|(n, (placement, _))| {
                    (0..askers).map(move |m| (placement.clone(), format!("{askers}-{n}-{m}")))
                })
                .map(|(placement, prefix)| tokio::spawn(ask(placement, prefix)))
                .collect();
            let (mut took, mut refused) = (Vec::new(), 0);
            for task in tasks {
                let (own, own_refused) = task.await.unwrap();
                took.extend(own);
                refused += own_refused;
            }
            took.sort();
            let at = |share: f64| took[((took.len() - 1) as f64 * share) as usize];
            let rate = took.len() as u64 / SECONDS;
            println!(
                "{what}: {rate} rooms a second, p50 {:?}, p99 {:?}, max {:?}, {refused} refused",
                at(0.5),
                at(0.99),
                at(1.0)
            );
        }
        for (_, stop) in &nodes {
            let _ = stop.send(true);
        }
    });
}
