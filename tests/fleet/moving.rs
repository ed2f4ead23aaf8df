//! **The question:** does a call go on while the node that it is on goes down? Real nodes and a real etcd, simulated
//! people who follow, viewers who know no such word and ask again, a recording that is made on.

mod browsers;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tessera::app::load::Report;

use super::etcd::Etcd;
use super::{Fleet, TOKEN_OF_NODES, meanwhile, send, start_node, talk};
use crate::browser::node::Node;
use crate::client::Client;
use crate::keepers::process;
use crate::retention::deadline::plain_get;

const SECRET: &str = "0123456789abcdef0123456789abcdef";

/// What is configured beside etcd: a secret, no time for rooms to end by themselves, recordings for who asks.
fn keys(folder: &Path) -> String {
    let secret = folder.join("secret");
    fs::write(&secret, SECRET).expect("a file of our own");
    format!("secret_file = {secret:?}\n[node]\ndrain_seconds = 1\n[recording]\nenabled = true\nstart = \"asked\"\n")
}

/// People who come by one node, and go where they are led.
struct Crowd {
    child: Child,
    figures: PathBuf,
}

impl Crowd {
    fn start(node: &Node, people: usize, viewers: usize, folder: &Path) -> Self {
        let figures = folder.join("load.json");
        let counts =
            ["-p", &people.to_string(), "--viewers", &viewers.to_string(), "--decoders", "2"].map(str::to_owned);
        let child = Command::new(env!("CARGO_BIN_EXE_tessera"))
            .args(["load", "--url", &node.url, "--token", TOKEN_OF_NODES, "--room", "moving", "--duration", "5m"])
            .args(counts)
            .args(["--heedless", "--width", "320", "--height", "180", "--fps", "5", "--speakers", "2", "--json"])
            .arg(&figures)
            .stdout(Stdio::null())
            .spawn()
            .expect("the binary starts");
        Self { child, figures }
    }

    /// They leave; how they fared.
    fn end(mut self) -> Report {
        let pid = Pid::from_raw(self.child.id().cast_signed()).expect("a child has a number");
        kill_process(pid, Signal::INT).expect("it is ours, and runs");
        let ended = self.child.wait().expect("it was ours to wait for");
        assert!(ended.success(), "{ended}");
        serde_json::from_slice(&fs::read(&self.figures).expect("they told")).expect("it is a report")
    }
}

impl Drop for Crowd {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn ask(node: &Node, method: &str, path: &str, body: &str) -> (u16, Value) {
    let url = format!("{}{path}", node.url);
    let answer = send(method, &url, Some(TOKEN_OF_NODES), body).expect("nodes answer");
    (answer.status, serde_json::from_str(&answer.text).unwrap_or_default())
}

/// Ids of those who are in the room, as far as they are not away.
fn people(node: &Node) -> Vec<String> {
    let detail = ask(node, "GET", "v1/rooms/moving", "").1;
    let all = detail["participants"].as_array().cloned().unwrap_or_default();
    let here = all.iter().filter(|person| person["away"] != true);
    here.map(|person| person["id"].as_str().expect("it is text").to_owned()).collect()
}

/// The node that has the room, and by which fence, as another one knows it.
fn owner(fleet: &Fleet, asked: usize) -> Option<(usize, i64)> {
    let shown = fleet.shown(asked);
    let room = shown["rooms"].as_array()?.iter().find(|room| room["room"] == "moving")?;
    let at = room["owner"].as_str()?.strip_prefix("node-")?.parse().ok()?;
    Some((at, room["fence"].as_i64()?))
}

/// Nobody was lost on the way; what they missed is told.
fn expect_unhurt(report: &Report, people: usize, moves: usize) {
    let gaps: Vec<f64> = report.decoders.iter().map(|decoder| decoder.longest_move_gap_ms).collect();
    println!(
        "{people} people, {moves} moves: {:?}; between the last picture here and the first there {gaps:?} ms",
        report.moves
    );
    assert_eq!((report.participants.connected, &report.errors[..]), (people, &[][..]), "{report:?}");
    assert_eq!((report.moves.told, report.moves.followed), (people * moves, people * moves), "{report:?}");
    // A frame, or as many as a busy machine is late by: they leave after they saw the first.
    assert!(gaps.iter().all(|gap| *gap < 2_000.0), "{report:?}");
    if let Some(viewers) = &report.viewers {
        println!("{} who only watch came again within {:.0} ms", viewers.returns, viewers.return_ms);
        assert_eq!((viewers.stayed, viewers.returns), (viewers.asked, viewers.asked as u64), "{report:?}");
        assert!(viewers.return_ms < 6_000.0, "{report:?}");
    }
}

#[test]
fn a_call_of_sixteen_goes_on_at_another_node_when_its_own_is_drained() {
    let (etcd, folder) = (Etcd::start(), tempfile::tempdir().unwrap());
    let fleet = Fleet::start(&etcd, ["", "", ""], &keys(folder.path()));
    let from = fleet.owner(0, "moving", "").unwrap_or_else(|answer| panic!("{}", answer.text));
    let (node, other) = (&fleet.nodes[from], (from + 1) % 3);
    let crowd = Crowd::start(node, 16, 2, folder.path());
    process::wait_until("all are in", || {
        people(node).len() == 16 && ask(node, "GET", "v1/rooms/moving", "").1["viewers"] == 2
    });
    let (before, fence) = (people(node), owner(&fleet, other).expect("it is placed").1);
    assert_eq!(ask_json(node, "PUT", "v1/rooms/moving/layout", r#"{"layout":"speaker"}"#), 204);
    let rules = r#"{"mute_on_entry":true,"locked":true}"#;
    assert_eq!(ask_json(node, "PATCH", "v1/rooms/moving/moderation", rules), 204);
    assert_eq!(ask(node, "POST", "v1/rooms/moving/recording", "").0, 201);
    process::wait_until("it is recorded", || ask(node, "GET", "v1/rooms/moving", "").1["recording"] == true);

    assert_eq!(ask_json(node, "POST", "v1/node/drain", r#"{"within_s":0}"#), 200);
    let since = Instant::now();
    process::wait_until("all of them left the node", || ask(node, "GET", "v1/node", "").1["rooms"] == 0);
    println!("all of them had left {:?} after the drain began", since.elapsed());
    let state = ask(node, "GET", "v1/node", "").1;
    assert_eq!((&state["drain"]["moved"], &state["drain"]["stayed"]), (&1.into(), &0.into()), "{state}");
    let (to, newer) = owner(&fleet, other).expect("it is somewhere");
    assert!(to != from && newer > fence, "at {to} by {newer}, after {from} by {fence}");
    let there = &fleet.nodes[to];
    assert_eq!(people(there), before, "the same people, in their order");
    let detail = ask(there, "GET", "v1/rooms/moving", "").1;
    assert_eq!(detail["recording"], true, "{detail}");
    assert_eq!(ask(there, "GET", "v1/rooms/moving/layout", "").1["layout"]["layout"], "speaker");
    // Two nodes, two takes: the former is closed, and says by which fence it was made.
    let listed = |node: &Node| -> Value { serde_json::from_slice(&plain_get(node, "recordings").1).unwrap() };
    let take = |node: &Node| listed(node)["recordings"][0].clone();
    process::wait_until("the first take is closed", || take(node)["state"] == "final");
    process::wait_until("the second is made", || take(there)["started"].is_string());
    assert_eq!((&take(node)["fence"], &take(there)["fence"]), (&fence.into(), &newer.into()));
    expect_unhurt(&crowd.end(), 16, 1);
}

/// As `ask`, of a body in JSON; the status.
fn ask_json(node: &Node, method: &str, path: &str, body: &str) -> u16 {
    let url = format!("{}{path}", node.url);
    let kind = [("content-type", "application/json")];
    super::send_by(method, &url, Some(TOKEN_OF_NODES), &kind, body).expect("nodes answer").status
}

#[test]
fn a_room_stays_where_it_is_while_no_other_node_answers_and_once_the_drain_is_revoked() {
    let (etcd, folder) = (Etcd::start(), tempfile::tempdir().unwrap());
    let fleet = Fleet::start(&etcd, ["", "", ""], &keys(folder.path()));
    let from = fleet.owner(0, "moving", "").unwrap_or_else(|answer| panic!("{}", answer.text));
    let node = &fleet.nodes[from];
    let mut ada = [Client::join(&node.url, "moving", "Ada", 0), Client::join(&node.url, "moving", "Bob", 1)];
    let others: Vec<Pid> = (0..3).filter(|n| *n != from).map(|n| pid(&fleet.nodes[n])).collect();
    others.iter().for_each(|pid| kill_process(*pid, Signal::STOP).expect("it is ours"));
    assert_eq!(ask_json(node, "POST", "v1/node/drain", r#"{"within_s":0}"#), 200);
    let told = || ask(node, "GET", "v1/node", "").1["drain"]["stayed_why"].clone();
    meanwhile(&mut ada, || process::wait_until("the node says why it stays", || told().is_string()));
    assert!(told().as_str().is_some_and(|why| why.contains("does not answer")), "{}", told());
    talk(&mut ada);
    assert_eq!(ask(node, "DELETE", "v1/node/drain", "").1["state"], "open");
    others.iter().for_each(|pid| kill_process(*pid, Signal::CONT).expect("it is ours"));
    meanwhile(&mut ada, || {
        process::wait_until("all are there again", || fleet.shown(from)["nodes"].as_array().map(Vec::len) == Some(3));
    });
    assert!(ada.iter().all(|one| one.last("moved").is_none()), "nobody was sent anywhere");
    assert_eq!(owner(&fleet, from).map(|(at, _)| at), Some(from));
    let body = r#"{"step":"ask","room":"moving"}"#;
    let strange = super::send_by("POST", &format!("{}v1/fleet/rooms", node.url), None, &[], body).unwrap();
    assert_eq!((strange.status, strange.kind()), (403, "no-node".to_owned()), "nobody else hands rooms over");
}

fn pid(node: &Node) -> Pid {
    Pid::from_raw(node.pid().cast_signed()).expect("a process has a number")
}

#[test]
fn nobody_is_disconnected_while_nodes_are_restarted_one_after_the_other() {
    let (people, turns) = if std::env::var_os("TESSERA_LONG").is_some() { (16, 3) } else { (3, 2) };
    let (etcd, folder) = (Etcd::start(), tempfile::tempdir().unwrap());
    let keys = keys(folder.path());
    let mut fleet = Fleet::start(&etcd, ["", "", ""], &keys);
    let mut at = fleet.owner(0, "moving", "").unwrap_or_else(|answer| panic!("{}", answer.text));
    let crowd = Crowd::start(&fleet.nodes[at], people, 0, folder.path());
    process::wait_until("all are in", || self::people(&fleet.nodes[at]).len() == people);
    for turn in 0..turns {
        let other = (at + 1) % 3;
        kill_process(pid(&fleet.nodes[at]), Signal::TERM).expect("it is ours");
        let (former, since) = (fleet.nodes.remove(at), Instant::now());
        let ended = former.ended(Duration::from_secs(60)).expect("it ends with its last room");
        assert!(ended.success(), "turn {turn}: {ended}");
        println!("turn {turn}: node {at} had ended {:?} after it was asked to", since.elapsed());
        fleet.nodes.insert(at, start_node(&etcd, fleet.folder(), at, "", &keys));
        at = owner(&fleet, other).expect("it is somewhere").0;
        process::wait_until("all are there", || self::people(&fleet.nodes[at]).len() == people);
    }
    expect_unhurt(&crowd.end(), people, turns);
}
