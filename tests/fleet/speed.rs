//! **The question:** how many rooms a second are placed, and how long does one wait? Run by hand; it prints.

use std::time::{Duration, Instant};

use etcd_client::{Compare, CompareOp, Txn, TxnOp};
use tessera::core::fleet::{Load, MemberSetup, Need};
use tessera::io::fleet::{FleetCounters, FleetSetup, Membership, Placement, Wish};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::etcd::Etcd;

const SECONDS: u64 = 5;
/// What is to be reached, with nobody waiting longer than 10 ms but one in a hundred.
const WANTED: u32 = 500;
/// A room's record is that long.
const RECORD_LEN: usize = 100;
/// Who asks each node at once.
const ASKERS: usize = 8;

/// A node that has units for ever, in a fleet of that prefix, of which `known` nodes are there before.
pub async fn join(etcd: &Etcd, prefix: &str, n: usize, known: usize, units: u64) -> Joined {
    let url = format!("https://node-{n}.example");
    let setup = FleetSetup {
        endpoints: etcd.endpoints(),
        user: None,
        tls: None,
        prefix: prefix.into(),
        member: MemberSetup { id: format!("node-{n}").parse().unwrap(), url, region: None, pod: None },
    };
    let counters = FleetCounters::default();
    let (membership, placement) = Membership::new(setup, counters.clone(), |_| ()).await.unwrap();
    let (stop, stopped) = watch::channel(false);
    let task = tokio::spawn(membership.run(stopped));
    placement.tell(Load { units, ..Load::default() });
    let until = Instant::now() + Duration::from_secs(30);
    while placement.admits().is_err() || placement.urls().len() <= known {
        assert!(Instant::now() < until, "never registered");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    Joined { placement, counters, stop, task }
}

/// A node's membership, and what it counts.
pub struct Joined {
    pub placement: Placement,
    pub counters: FleetCounters,
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl Joined {
    /// Takes its keys back.
    pub async fn leave(self) {
        let _ = self.stop.send(true);
        self.task.await.expect("it ends without a fault");
    }
}

/// How long each placement took, and how many were refused.
#[derive(Default)]
pub struct Took {
    pub all: Vec<Duration>,
    pub refused: u64,
}

impl Took {
    pub fn add(&mut self, other: Self) {
        self.all.extend(other.all);
        self.refused += other.refused;
    }

    /// In a line, given how long all of it took.
    pub fn told(&mut self, span: Duration) -> String {
        self.all.sort();
        let at = |share: f64| self.all[((self.all.len() - 1) as f64 * share) as usize];
        let rate = self.all.len() as f64 / span.as_secs_f64();
        let [p50, p99, max] = [at(0.5), at(0.99), at(1.0)];
        format!("{rate:.0} rooms a second, p50 {p50:?}, p99 {p99:?}, max {max:?}, {} refused", self.refused)
    }
}

/// Asks for one room; refused or not, somebody waited for it.
pub async fn place(placement: &Placement, room: String, took: &mut Took) {
    let need = Need { room: room.parse().unwrap(), units: 51, region: None, prefers: None };
    let asked = Instant::now();
    took.refused += u64::from(placement.place(Wish { need, stays: false, from: None }).await.is_err());
    took.all.push(asked.elapsed());
}

/// Asks one after the other, as fast as it is answered or once in each `pace`, from a moment of its own on.
async fn ask(placement: Placement, prefix: String, pace: Option<Duration>, offset: f64) -> Took {
    let (begun, mut took) = (Instant::now(), Took::default());
    let mut paced = pace.map(|pace| tokio::time::interval_at(tokio::time::Instant::now() + pace.mul_f64(offset), pace));
    while begun.elapsed() < Duration::from_secs(SECONDS) {
        if let Some(paced) = &mut paced {
            paced.tick().await;
        }
        place(&placement, format!("{prefix}-{}", took.all.len()), &mut took).await;
    }
    took
}

/// What etcd itself takes to write a room's record where none is, once in each `pace`: no placement can be faster.
async fn write(endpoint: String, prefix: String, pace: Duration, offset: f64) -> Took {
    let mut etcd = etcd_client::Client::connect([endpoint], None).await.expect("etcd answers");
    let (begun, mut took) = (Instant::now(), Took::default());
    let mut paced = tokio::time::interval_at(tokio::time::Instant::now() + pace.mul_f64(offset), pace);
    while begun.elapsed() < Duration::from_secs(SECONDS) {
        paced.tick().await;
        let key = format!("{prefix}-{}", took.all.len());
        let is_new = Compare::version(key.clone(), CompareOp::Equal, 0);
        let put = TxnOp::put(key, "x".repeat(RECORD_LEN), None);
        let asked = Instant::now();
        etcd.txn(Txn::new().when([is_new]).and_then([put])).await.expect("etcd writes");
        took.all.push(asked.elapsed());
    }
    took
}

/// The same rate by etcd alone.
async fn floor(etcd: &Etcd, pace: Duration) -> String {
    let (begun, endpoints) = (Instant::now(), etcd.endpoints());
    let ask = |m: usize| {
        let (endpoint, offset) = (endpoints[m % 3].clone(), m as f64 / (3 * ASKERS) as f64);
        tokio::spawn(write(endpoint, format!("/floor-{m}"), pace, offset))
    };
    let tasks: Vec<_> = (0..3 * ASKERS).map(ask).collect();
    let mut took = Took::default();
    for task in tasks {
        took.add(task.await.expect("it ends without a fault"));
    }
    took.told(begun.elapsed())
}

#[test]
#[ignore = "it measures: docs/benchmarks.md"]
fn rooms_placed_a_second() {
    let etcd = Etcd::start();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        let paced = Duration::from_secs(1) * (3 * ASKERS) as u32 / WANTED;
        println!("etcd alone writes as many records: {}", floor(&etcd, paced).await);
        for (askers, pace, what) in [
            (1, None, "one asks one node"),
            (ASKERS, Some(paced), "eight ask each of three nodes, 500 a second in all"),
            (ASKERS, None, "eight ask each of three nodes without a pause"),
        ] {
            // A fleet of its own each time: nobody comes to these rooms, so they are given back after ten seconds.
            let prefix = format!("/speed-{askers}-{}", pace.is_some());
            let mut nodes = Vec::new();
            for n in 0..3 {
                nodes.push(join(&etcd, &prefix, n, n, 1_000_000_000).await);
            }
            let asked = if askers == 1 { &nodes[..1] } else { &nodes[..] };
            let begun = Instant::now();
            let of_node = |(n, node): (usize, &Joined)| {
                let placement = node.placement.clone();
                let ask = move |m: usize| {
                    let offset = (n * ASKERS + m) as f64 / (3 * ASKERS) as f64;
                    tokio::spawn(ask(placement.clone(), format!("room-{n}-{m}"), pace, offset))
                };
                (0..askers).map(ask).collect::<Vec<_>>()
            };
            let tasks: Vec<_> = asked.iter().enumerate().flat_map(of_node).collect();
            let mut took = Took::default();
            for task in tasks {
                took.add(task.await.unwrap());
            }
            let told = took.told(begun.elapsed());
            let retries: u64 = nodes.iter().map(|node| node.counters.retries.get()).sum();
            println!("{what}: {told}, {retries} retries");
            for node in nodes {
                node.leave().await;
            }
        }
    });
}
