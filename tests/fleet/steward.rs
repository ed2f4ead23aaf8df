//! **The question:** does a steward mark pods by what the fleet says, whatever the cluster answers, and does it never
//! vouch for what it does not know? A real etcd, the real program; the cluster's API is a stand-in.

use std::fs;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use axum::http::StatusCode;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::TempDir;
use tessera::core::fleet::{Load, MemberSetup, Need};
use tessera::io::fleet::{FleetCounters, FleetSetup, Membership, Placed, Placement, Wish};
use tokio::runtime::Runtime;
use tokio::sync::watch;

use super::cluster::{Cluster, Mood};
use super::etcd::Etcd;
use super::get;
use crate::keepers::process::{BINARY, wait_until};

/// The program, and where it answers.
struct Steward {
    child: Child,
    url: String,
    _folder: TempDir,
}

impl Steward {
    fn start(etcd: &Etcd, cluster: &Cluster) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("tessera.toml");
        let endpoints = etcd.endpoints();
        let text =
            format!("[fleet]\netcd = {endpoints:?}\nprefix = \"/stewarded\"\nadvertise = \"https://{{node}}.a\"\n");
        fs::write(&path, text).expect("a file of our own");
        let mut child = Command::new(BINARY)
            .args(["steward", "--listen", "127.0.0.1:0", "--every", "1", "--selector", "app=tessera,part in (node)"])
            .args(["--api-server", &cluster.url, "--config"])
            .arg(&path)
            .arg("--service-account")
            .arg(cluster.account())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the binary starts");
        let lines = BufReader::new(child.stdout.take().expect("stdout is piped")).lines();
        let line = lines.map_while(Result::ok).find(|line| line.contains("listens at"));
        let line = line.unwrap_or_else(|| panic!("it ended without saying where it listens: {:?}", child.wait()));
        let url = line.rsplit(' ').next().expect("it says where").to_owned();
        Self { child, url, _folder: folder }
    }

    fn get(&self, path: &str) -> (u16, String) {
        get(&format!("{}{path}", self.url)).expect("it answers")
    }

    fn slots(&self, query: &str) -> (u16, Value) {
        let (status, text) = self.get(&format!("/v1/slots{query}"));
        (status, serde_json::from_str(&text).unwrap_or_default())
    }

    fn says(&self, line: &str) -> bool {
        self.get("/metrics").1.lines().any(|told| told == line)
    }
}

impl Drop for Steward {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A node's membership in the pod of its number.
struct Member {
    placement: Placement,
    _stop: watch::Sender<bool>,
}

fn join(runtime: &Runtime, etcd: &Etcd, n: usize) -> Member {
    let (id, pod) = (format!("node-{n}").parse().unwrap(), format!("calls/tessera-cpu-{n}").parse().ok());
    let setup = FleetSetup {
        endpoints: etcd.endpoints(),
        user: None,
        tls: None,
        prefix: "/stewarded".into(),
        member: MemberSetup { id, url: format!("https://node-{n}.a"), region: None, pod },
    };
    let (membership, placement) =
        runtime.block_on(Membership::new(setup, FleetCounters::default(), |_| ())).expect("etcd can be named");
    let (stop, stopped) = watch::channel(false);
    runtime.spawn(membership.run(stopped));
    tell(&placement, &[]);
    wait_until("a node is registered", || placement.admits().is_ok());
    Member { placement, _stop: stop }
}

/// How a node stands, with these rooms in it.
fn tell(placement: &Placement, rooms: &[(&str, u64)]) {
    let rooms = rooms.iter().map(|(room, units)| (room.parse().unwrap(), *units)).collect();
    placement.tell(Load { units: 300, free_room100_slots: 2, rooms, ..Load::default() });
}

/// A room begins where it is asked for.
fn begin(runtime: &Runtime, member: &Member, room: &str) {
    let need = Need { room: room.parse().unwrap(), units: 51, region: None, prefers: None };
    let wish = Wish { need, stays: true, from: None };
    assert_eq!(runtime.block_on(member.placement.place(wish)), Ok(Placed::Here));
    tell(&member.placement, &[(room, 60)]);
}

#[test]
fn pods_are_marked_by_what_the_fleet_says_and_nobody_vouches_for_what_is_not_known() {
    let mut etcd = Etcd::start();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let nodes: Vec<Member> = (0..2).map(|n| join(&runtime, &etcd, n)).collect();
    begin(&runtime, &nodes[0], "first");
    // The third pod's node starts still.
    let pods = ["tessera-cpu-0", "tessera-cpu-1", "tessera-cpu-2"];
    let cluster = Cluster::start(&pods);
    let mut steward = Steward::start(&etcd, &cluster);

    let (busy, free) = (Some("false".to_owned()), Some("true".to_owned()));
    wait_until("the empty one is safe", || cluster.marks(pods[1]) == (Some(0), free.clone()));
    wait_until("the other is not", || matches!(cluster.marks(pods[0]), (Some(4 | 5), is_safe) if is_safe == busy));
    assert_eq!(cluster.marks(pods[2]), (None, None), "nothing is said of one that is not registered");
    wait_until("numbers are told", || steward.slots("?pool=cpu").0 == 200);
    let (_, told) = steward.slots("?pool=cpu");
    assert_eq!([&told["free_room100_slots"], &told["nodes"], &told["rooms"]], [4, 2, 1], "{told}");
    assert_eq!([&told["wanted_nodes"], &told["pods_unknown"]], [3, 1], "{told}");
    assert_eq!(steward.slots("?pools=cpu").0, 400);

    cluster.rotate("second.token");
    begin(&runtime, &nodes[1], "second");
    wait_until("it comes with the new token", || cluster.marks(pods[1]).1 == busy);
    assert!(steward.says("tessera_steward_refused_total{cause=\"unauthorized\"} 1"), "{}", steward.get("/metrics").1);

    expect_marks_of_others(&cluster, &steward, (&runtime, &nodes));
    expect_a_pause(&cluster, &steward);
    lose_both(&mut etcd, &cluster, &steward);

    let pid = Pid::from_raw(steward.child.id().cast_signed()).unwrap();
    wait_until("an empty one is safe", || cluster.marks(pods[1]).1 == free);
    kill_process(pid, Signal::TERM).unwrap();
    assert!(steward.child.wait().unwrap().success());
    assert_eq!(cluster.marks(pods[1]).1, busy, "who goes vouches for nothing");
}

/// A pod that is gone and one that somebody else changes keep no other from being marked.
fn expect_marks_of_others(cluster: &Cluster, steward: &Steward, (runtime, nodes): (&Runtime, &[Member])) {
    let refuse = |status: StatusCode| {
        let pod = &mut cluster.desk().pods[0];
        pod.annotations.remove("cluster-autoscaler.kubernetes.io/safe-to-evict");
        pod.refuses = Some(status);
    };
    let was_refused = |wanted: StatusCode| {
        let desk = cluster.desk();
        desk.asked.iter().any(|(_, asked, status)| *status == wanted.as_u16() && asked.ends_with("/tessera-cpu-0"))
    };
    refuse(StatusCode::CONFLICT);
    tell(&nodes[1].placement, &[]);
    wait_until("the second room is over", || cluster.marks("tessera-cpu-1").1.as_deref() == Some("true"));
    wait_until("another's change is seen", || was_refused(StatusCode::CONFLICT));
    cluster.desk().pods[0].refuses = None;
    wait_until("it is tried again", || cluster.marks("tessera-cpu-0").1.as_deref() == Some("false"));
    refuse(StatusCode::NOT_FOUND);
    begin(runtime, &nodes[1], "third");
    wait_until("one that is gone is seen", || was_refused(StatusCode::NOT_FOUND));
    wait_until("the other is marked", || cluster.marks("tessera-cpu-1").1.as_deref() == Some("false"));
    tell(&nodes[1].placement, &[]);
    wait_until("its room is over", || cluster.marks("tessera-cpu-1").1.as_deref() == Some("true"));
    cluster.desk().pods[0].refuses = None;
    assert!(steward.says("tessera_steward_cluster_reachable 1"));
}

/// Whom the API asks to wait waits.
fn expect_a_pause(cluster: &Cluster, steward: &Steward) {
    cluster.desk().mood = Mood::Throttles(2);
    let throttled = || {
        let desk = cluster.desk();
        desk.asked.iter().position(|(_, _, status)| *status == 429)
    };
    wait_until("it is asked to wait", || throttled().is_some());
    let at = throttled().expect("it was");
    wait_until("it asks again", || cluster.desk().asked.len() > at + 1);
    let asked: Vec<_> = cluster.desk().asked[at..=at + 1].iter().map(|(when, ..)| *when).collect();
    let pause = asked[1] - asked[0];
    assert!(pause >= Duration::from_millis(1900), "{pause:?}");
    assert!(steward.says("tessera_steward_refused_total{cause=\"throttled\"} 1"));
}

/// Neither etcd nor the cluster answers: it goes on, says so, and lies to nobody.
fn lose_both(etcd: &mut Etcd, cluster: &Cluster, steward: &Steward) {
    cluster.desk().mood = Mood::Hangs;
    etcd.kill_all();
    wait_until("what is old is told as old", || steward.slots("").0 == 503);
    let (_, told) = steward.slots("");
    assert!(told["stale"] == true && told["free_room100_slots"].is_null(), "{told}");
    assert_eq!(told["last"]["free_room100_slots"], 4, "{told}");
    assert_eq!(steward.get("/healthz").0, 200, "nobody restarts it for that");
    wait_until("it says of both that they are away", || {
        let reachable = ["tessera_steward_etcd_reachable 0", "tessera_steward_cluster_reachable 0"];
        reachable.iter().all(|line| steward.says(line))
    });
    cluster.desk().mood = Mood::Fine;
    wait_until("no pod is safe while nobody knows", || cluster.marks("tessera-cpu-1").1.as_deref() == Some("false"));
    etcd.start_all();
    wait_until("numbers are told again", || steward.slots("").0 == 200);
}
