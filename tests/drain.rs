//! **The question:** does a node go down without cutting anybody off, and can that be taken back? The real binary,
//! people who talk over WebRTC, probes, and the signals by which a process is asked to end.

use std::fs::{self, File};
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

use crate::browser::driver::client;
use crate::browser::node::{Load, Node};
use crate::client::{Client, wait_until};
use crate::keepers::process;
use crate::retention::deadline::{TOKEN, plain_get, wait_until_recorded};

/// How long a node may take to end that waits for nobody, on a slow and busy machine; its rooms would have 8 minutes.
const SOON: Duration = Duration::from_secs(60);
/// The operator's, of a node that has one.
const TOKEN_OF_NODE: &str = "0123456789abcdef";
/// An offer of nothing: what is said of it depends on whether its room may begin.
const OFFER: &str = "v=0\r\no=- 1 2 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\n";

/// Status, Retry-After and what was told.
fn ask(node: &Node, method: &str, path: &str, body: &str) -> (u16, Option<String>, Value) {
    let request = client().request(method.parse().expect("a method"), format!("{}{path}", node.url));
    let kind = if body.starts_with("v=0") { "application/sdp" } else { "application/json" };
    let request = request.header("content-type", kind).body(body.to_owned());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let response = request.send().await.expect("the node answers");
        let after = response.headers().get("retry-after").map(|after| after.to_str().expect("digits").to_owned());
        (response.status().as_u16(), after, response.json().await.unwrap_or(Value::Null))
    })
}

fn status(node: &Node, path: &str) -> u16 {
    ask(node, "GET", path, "").0
}

fn signal(node: &Node, signal: Signal) {
    let pid = Pid::from_raw(node.pid().cast_signed()).expect("a process has a number");
    kill_process(pid, signal).expect("it is ours, and runs");
}

/// Waits until all are told of a `node` what `is_so` says.
fn wait_until_told(people: &mut [Client], what: &str, is_so: impl Fn(&Value) -> bool) {
    wait_until(people, what, |people| people.iter().all(|one| one.last("node").is_some_and(&is_so)));
}

#[test]
fn a_node_that_drains_begins_no_room_and_keeps_those_that_run_until_that_is_taken_back() {
    let node = Node::start();
    let mut people = vec![Client::join(&node.url, "running", "Ada", 0)];
    assert_eq!((status(&node, "readyz"), status(&node, "healthz")), (200, 200));
    assert_eq!(ask(&node, "POST", "whip/other", OFFER).2["type"], "urn:tessera:problem:bad-offer", "it is looked at");

    let (code, _, state) = ask(&node, "POST", "v1/node/drain", "");
    assert_eq!(
        (code, &state["state"], &state["rooms"], &state["people"]),
        (200, &json!("draining"), &json!(1), &json!(1))
    );
    assert_eq!((status(&node, "readyz"), status(&node, "healthz")), (503, 200));
    for path in ["whip/other", "v1/rooms/other/participants", "v1/rooms/other/participants?seat=keep"] {
        let (code, after, told) = ask(&node, "POST", path, OFFER);
        assert_eq!((code, &told["type"]), (503, &json!("urn:tessera:problem:draining")), "{path}: {told}");
        assert!(after.is_some_and(|after| after.parse::<u32>().is_ok()), "{path}");
    }
    people.push(Client::join(&node.url, "running", "Bob", 1));
    let bob = people[1].participant.clone();
    wait_until(&mut people, "Ada sees Bob", |people| !people[0].person(&bob).is_null());
    assert!(people.iter().all(|one| one.last("node").is_none()), "nothing ends their room");

    ask(&node, "POST", "v1/node/drain", r#"{"within_s":3600}"#);
    wait_until_told(&mut people, "they are told until when", |node| node["ends_in_s"].as_u64() > Some(3_500));
    let (code, _, state) = ask(&node, "DELETE", "v1/node/drain", "");
    assert_eq!((code, &state["state"]), (200, &json!("open")));
    wait_until_told(&mut people, "they are told that the node stays", |node| node.get("ends_in_s").is_none());
    assert_eq!(status(&node, "readyz"), 200);
    Client::join(&node.url, "other", "Cem", 2);
    node.stop();
}

#[test]
fn rooms_that_a_drain_gave_a_time_end_with_it_and_the_process_stays() {
    let node = Node::start();
    let _ada = Client::join(&node.url, "running", "Ada", 0);
    ask(&node, "POST", "v1/node/drain", r#"{"within_s":1}"#);
    process::wait_until("the room ends", || ask(&node, "GET", "v1/node", "").2["rooms"] == 0);
    let state = ask(&node, "GET", "v1/node", "").2;
    assert_eq!((&state["state"], status(&node, "readyz"), status(&node, "healthz")), (&json!("draining"), 503, 200));
    assert_eq!(ask(&node, "POST", "whip/running", OFFER).2["type"], "urn:tessera:problem:draining");
    node.stop();
}

#[test]
fn after_sigterm_rooms_end_by_themselves_and_the_node_with_the_last_of_them() {
    let node = Node::start();
    let mut people = vec![Client::join(&node.url, "running", "Ada", 0)];
    signal(&node, Signal::TERM);
    wait_until_told(&mut people, "Ada is told", |node| node["ends_in_s"].as_u64().is_some_and(|left| left > 400));
    assert_eq!(ask(&node, "GET", "v1/node", "").2["state"], "leaving");
    assert_eq!((status(&node, "readyz"), status(&node, "healthz")), (503, 200));
    assert_eq!(ask(&node, "DELETE", "v1/node/drain", "").2["type"], "urn:tessera:problem:leaving");
    people.push(Client::join(&node.url, "running", "Bob", 1));
    wait_until_told(&mut people, "Bob is told too", |node| node["ends_in_s"].is_u64());
    people.iter_mut().for_each(|one| one.say("leave", json!({})));
    let since = Instant::now();
    let ended = node.ended(SOON).expect("it ends with its last room");
    assert!(ended.success(), "{ended}");
    println!("it ended {:?} after the last had left", since.elapsed());
}

#[test]
fn a_node_without_rooms_ends_at_once_after_sigterm_and_another_one_when_it_is_asked_again() {
    let empty = Node::start();
    signal(&empty, Signal::TERM);
    assert!(empty.ended(SOON).expect("nobody is waited for").success());
    for second in [Signal::TERM, Signal::INT] {
        let node = Node::start();
        let mut people = [Client::join(&node.url, "running", "Ada", 0)];
        signal(&node, Signal::TERM);
        wait_until_told(&mut people, "Ada is told", |node| node["ends_in_s"].is_u64());
        signal(&node, second);
        assert!(node.ended(SOON).expect("it was asked twice").success(), "{second:?}");
    }
}

#[test]
fn what_is_recorded_when_the_time_is_over_is_closed_whole() {
    let folder = tempfile::tempdir().unwrap();
    let (config, log, store) = (folder.path().join("node.toml"), folder.path().join("log"), folder.path().join("rec"));
    fs::write(&config, "[node]\ndrain_seconds = 2\n").unwrap();
    let flags = ["--config", config.to_str().unwrap(), "--recordings", store.to_str().unwrap()];
    let environment = [("TESSERA_RECORDINGS_TOKEN", TOKEN)];
    let node = Node::start_logging(&flags, &environment, File::create(&log).unwrap());
    let load = Load::start(&node, "recorded", 2, 600);
    wait_until_recorded(&node, 2);
    signal(&node, Signal::TERM);
    let ended = node.ended(SOON);
    let log = fs::read_to_string(log).unwrap();
    assert!(ended.expect("it ends by its time").success(), "{log}");
    for words in [["asked to end", "rooms=1"], ["the time of the drain is over", "people=2"]] {
        assert!(log.lines().any(|line| words.iter().all(|word| line.contains(word))), "{words:?}: {log}");
    }
    load.stop();
    let again = Node::start_in(&flags, &environment);
    let listed: Value = serde_json::from_slice(&plain_get(&again, "recordings").1).unwrap();
    let states: Vec<&Value> = listed["recordings"].as_array().unwrap().iter().map(|one| &one["state"]).collect();
    assert_eq!(states, [&json!("final")], "{listed}");
    again.stop();
}

#[test]
fn an_autoscaler_reads_what_the_metrics_say_and_nothing_is_free_while_no_room_begins() {
    let node = Node::start();
    let capacity = || ask(&node, "GET", "v1/node", "").2["capacity"].clone();
    let told = |name: &str| -> u64 {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let text = async { client().get(format!("{}metrics", node.url)).send().await.unwrap().text().await.unwrap() };
        let text = runtime.block_on(text);
        let line = text.lines().find_map(|line| line.strip_prefix(&format!("{name} ")));
        line.unwrap_or_else(|| panic!("{name} is missing: {text}")).parse::<f64>().expect("a number") as u64
    };
    let free = capacity();
    assert!(free["units"].as_u64() > Some(0) && free["reserved_units"] == 0, "{free}");
    let mut people = [Client::join(&node.url, "running", "Ada", 0)];
    wait_until(&mut people, "a room takes something", |_| capacity()["reserved_units"].as_u64() > Some(0));
    let taken = capacity();
    process::wait_until("metrics say the same", || taken["reserved_units"] == told("tessera_reserved_units"));
    assert_eq!((told("tessera_rooms"), told("tessera_participants"), told("tessera_draining")), (1, 1, 0));
    assert_eq!(taken["units"], told("tessera_capacity_units"));
    assert_eq!(taken["free_room100_slots"], told("tessera_free_room100_slots"));
    ask(&node, "POST", "v1/node/drain", "");
    assert_eq!(capacity()["free_room100_slots"], 0, "no room begins");
    process::wait_until("metrics say so", || told("tessera_draining") == 1 && told("tessera_free_room100_slots") == 0);
    node.stop();
}

/// What came of `tessera drain` with these flags and the operator's token.
fn command(flags: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tessera"));
    command.arg("drain").args(flags).env("TESSERA_TOKEN", TOKEN_OF_NODE).output().expect("the binary starts")
}

#[test]
fn a_command_waits_until_the_node_is_empty_and_says_what_is_left() {
    let node = Node::start_with(&["--token", TOKEN_OF_NODE]);
    let load = Load::start(&node, "running", 2, 120);
    process::wait_until("two are in", || ask(&node, "GET", "v1/node", "").2["people"] == 2);
    assert_eq!(ask(&node, "POST", "v1/node/drain", "").0, 401, "whoever has no token drains nothing");
    let url = node.url.clone();
    let waits = std::thread::spawn(move || command(&["--url", &url, "--wait"]));
    process::wait_until("it drains", || ask(&node, "GET", "v1/node", "").2["state"] == "draining");
    load.stop();
    let waited = waits.join().expect("it ends");
    let said = String::from_utf8_lossy(&waited.stdout).into_owned();
    assert!(waited.status.success() && said.contains("1 room with 2 people left"), "{waited:?}");
    assert!(said.ends_with("the node is empty\n"), "{said}");
    assert_eq!(ask(&node, "GET", "v1/node", "").2["state"], "draining", "the command's end revokes nothing");
    assert!(command(&["--url", &node.url, "--undo"]).status.success());
    assert_eq!(ask(&node, "GET", "v1/node", "").2["state"], "open");
    node.stop();
    let gone = command(&["--url", "http://127.0.0.1:9"]);
    assert_eq!(gone.status.code(), Some(1), "{gone:?}");
    assert_eq!(command(&["--url", "127.0.0.1"]).status.code(), Some(2));
}
