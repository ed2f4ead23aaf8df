//! **The question:** what does a fleet of a thousand nodes and ten thousand rooms ask of etcd, and what gives way
//! first? Run by hand; it prints. Rooms are placed as nodes place them, and nobody is in them: what is measured is the
//! agreement alone.

use std::time::{Duration, Instant};

use etcd_client::{Client, GetOptions, PutOptions, Txn, TxnOp, WatchOptions};
use tessera::base::media::RoomId;
use tessera::core::fleet::{Batch, Fleet, Known, Label, Need, NodeRecord, RoomRecord};
use tokio::task::JoinSet;

use super::etcd::Etcd;
use super::speed::{Joined, Took, join, place};

const NODES: usize = 1000;
const ROOMS: usize = 10_000;
/// Nodes that are asked, and by how many each.
const ASKED: usize = 3;
const ASKERS: usize = 8;
/// What each node has: room for ten rooms of ten people, and a bit, so that the last ones are still found one.
const UNITS: u64 = 600;
const PREFIX: &str = "/scale";

fn record(n: usize, lease: i64, reserved: u64) -> NodeRecord {
    NodeRecord {
        url: format!("https://node-{n}.eu-central.calls.example.org"),
        region: Some("eu-central".parse().unwrap()),
        units: UNITS,
        reserved,
        free_room100_slots: 1,
        draining: false,
        full: false,
        lease,
        pod: Some(format!("calls/tessera-cpu-{n}").parse().unwrap()),
    }
}

fn key(kind: &str, name: &str) -> String {
    format!("{PREFIX}/{kind}/{name}")
}

/// A thousand nodes' records, each under a lease of its own; the leases.
async fn register(etcd: &Etcd) -> Vec<i64> {
    let mut client = Client::connect(&etcd.endpoints()[..1], None).await.unwrap();
    let mut leases = Vec::new();
    for n in 0..NODES {
        let lease = client.lease_grant(3600, None).await.unwrap().id();
        let options = PutOptions::new().with_lease(lease);
        let value = record(n, lease, 0).write();
        client.put(key("nodes", &format!("node-{n}")), value, Some(options)).await.unwrap();
        leases.push(lease);
    }
    leases
}

/// Ten thousand rooms, asked of three of the nodes.
async fn place_all(nodes: &[Joined]) {
    let begun = Instant::now();
    let mut tasks = JoinSet::new();
    for (n, node) in nodes.iter().enumerate() {
        for m in 0..ASKERS {
            let placement = node.placement.clone();
            tasks.spawn(async move {
                let mut took = Took::default();
                for r in 0..ROOMS / (ASKED * ASKERS) {
                    place(&placement, format!("room-{n}-{m}-{r}"), &mut took).await;
                }
                took
            });
        }
    }
    let mut took = Took::default();
    while let Some(one) = tasks.join_next().await {
        took.add(one.unwrap());
    }
    let retries: u64 = nodes.iter().map(|node| node.counters.retries.get()).sum();
    println!("{} rooms among {NODES} nodes: {}, {retries} retries", took.all.len(), took.told(begun.elapsed()));
}

/// What stands there, and how long a node that begins takes to read it.
async fn weigh(etcd: &Etcd) {
    let client = Client::connect(&etcd.endpoints()[..1], None).await.unwrap();
    let begun = Instant::now();
    let mut reader = client.kv_client().max_decoding_message_size(64 << 20);
    let all = reader.get(format!("{PREFIX}/"), Some(GetOptions::new().with_prefix())).await.unwrap();
    let took = begun.elapsed();
    let size = |kind: &str| {
        let of = all.kvs().iter().filter(|kv| kv.key_str().unwrap().starts_with(&key(kind, "")));
        let (count, bytes) = of.fold((0, 0), |(n, b), kv| (n + 1, b + kv.key().len() + kv.value().len()));
        format!("{count} {kind} of {} bytes", bytes / count.max(1))
    };
    let status = client.maintenance_client().status().await.unwrap();
    println!(
        "{} keys ({}, {}), read in {took:?}; etcd's file has {} KiB",
        all.kvs().len(),
        size("nodes"),
        size("rooms"),
        status.db_size() / 1024
    );
}

/// How many events reach so many watchers, each with a connection of its own as nodes have, and when the last one has
/// it.
async fn fan_out(etcd: &Etcd, watchers: usize, leases: &[i64]) {
    const CHANGES: usize = 100;
    let endpoints = etcd.endpoints();
    let mut tasks = JoinSet::new();
    for n in 0..watchers {
        let client = Client::connect([&endpoints[n % endpoints.len()]], None).await.unwrap();
        let options = WatchOptions::new().with_prefix();
        let mut stream = client.watch_client().watch(format!("{PREFIX}/"), Some(options)).await.unwrap();
        tasks.spawn(async move {
            let mut seen = 0;
            while seen < CHANGES * 2 {
                seen += stream.message().await.unwrap().expect("it goes on").events().len();
            }
            drop(client);
            Instant::now()
        });
    }
    let client = Client::connect(&endpoints[..1], None).await.unwrap();
    let begun = Instant::now();
    for (n, lease) in leases.iter().enumerate().take(CHANGES) {
        // As one placement: a room and its node.
        let owner: Label = format!("node-{n}").parse().unwrap();
        let url = record(n, 0, 0).url;
        let room = RoomRecord { owner, url, region: None, units: 51, fence: None };
        let own = || Some(PutOptions::new().with_lease(*lease));
        let puts = [
            TxnOp::put(key("nodes", &format!("node-{n}")), record(n, *lease, 51).write(), own()),
            TxnOp::put(key("rooms", &format!("fan-{watchers}-{n}")), room.write(), own()),
        ];
        client.kv_client().txn(Txn::new().and_then(puts)).await.unwrap();
    }
    let written = begun.elapsed();
    let mut last = begun;
    while let Some(at) = tasks.join_next().await {
        last = last.max(at.unwrap());
    }
    let events = (watchers * CHANGES * 2) as f64 / (last - begun).as_secs_f64();
    println!(
        "{watchers} watchers: {CHANGES} placements written in {written:?}, the last watcher had all {:?} later: \
         {events:.0} events a second",
        (last - begun).saturating_sub(written)
    );
}

/// How many leases are kept in a second, by so many at once, each by a call of its own as nodes do.
async fn keep_alive(etcd: &Etcd, leases: &[i64]) {
    const AT_ONCE: usize = 32;
    let endpoints = etcd.endpoints();
    let mut tasks = JoinSet::new();
    let begun = Instant::now();
    for n in 0..AT_ONCE {
        let client = Client::connect([&endpoints[n % endpoints.len()]], None).await.unwrap();
        let own: Vec<i64> = leases.iter().copied().skip(n).step_by(AT_ONCE).collect();
        tasks.spawn(async move {
            let mut took = Took::default();
            for lease in own.iter().cycle().take(own.len() * 4) {
                let asked = Instant::now();
                // It comes back with the first answer.
                took.refused += u64::from(client.lease_client().keep_alive(*lease).await.is_err());
                took.all.push(asked.elapsed());
            }
            took
        });
    }
    let mut took = Took::default();
    while let Some(one) = tasks.join_next().await {
        took.add(one.unwrap());
    }
    println!("leases kept, {AT_ONCE} at once: {}", took.told(begun.elapsed()).replace("rooms", "leases"));
}

#[test]
#[ignore = "it measures: docs/scale.md"]
fn deciding_among_a_thousand_nodes() {
    let known = |n: usize| Known { value: record(n, 1, (n as u64 * 7) % 550), created: 1, changed: 1 };
    let nodes = (0..NODES).map(|n| (format!("node-{n}").parse().unwrap(), known(n)));
    let fleet = Fleet::new(nodes, []);
    for (rooms, is_crowded) in [(1, false), (32, false), (32, true)] {
        let (begun, rounds) = (Instant::now(), 200);
        for round in 0..rounds {
            let room = |n: usize| -> RoomId { format!("room-{round}-{n}").parse().unwrap() };
            let need = |n| Need { room: room(n), units: 51, region: None, prefers: None };
            let mut batch = Batch::new((0..rooms).map(need).collect()).by("node-0".parse().unwrap(), is_crowded);
            assert!(batch.ask(&fleet).is_some_and(|asked| asked.rooms.len() == rooms));
        }
        let each = begun.elapsed() / rounds;
        println!("deciding for {rooms} rooms among {NODES} nodes (crowded: {is_crowded}): {each:?}");
    }
}

#[test]
#[ignore = "it measures: docs/scale.md"]
fn ten_thousand_rooms_on_a_thousand_nodes() {
    let etcd = Etcd::start();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        let begun = Instant::now();
        let leases = register(&etcd).await;
        println!("{NODES} nodes registered one after the other in {:?}", begun.elapsed());
        let mut nodes = Vec::new();
        for n in 0..ASKED {
            nodes.push(join(&etcd, PREFIX, NODES + n, NODES + n, UNITS).await);
        }
        place_all(&nodes).await;
        weigh(&etcd).await;
        for node in nodes {
            node.leave().await;
        }
        for watchers in [10, 100, 300, 1000] {
            let fanned = tokio::time::timeout(Duration::from_secs(120), fan_out(&etcd, watchers, &leases)).await;
            if fanned.is_err() {
                println!("{watchers} watchers: not all had 200 events after 120 s");
            }
        }
        keep_alive(&etcd, &leases).await;
    });
}
