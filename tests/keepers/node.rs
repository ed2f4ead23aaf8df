//! **The question:** does a real node's call go on whatever befalls its keepers, and does its operator learn of it?

use std::time::Duration;

use serde_json::Value;

use crate::browser::node::{Load, Node};
use crate::keepers::process::{Trio, wait_until};

const TOKEN: &str = "a token for this test alone";

fn start(trio: &Trio) -> Node {
    let node = trio.certificates("node");
    let file = |name: &str| node.join(name).display().to_string();
    let text = format!(
        "[recording]\nenabled = true\npath = {:?}\n[retention]\nkeepers = {:?}\nca = {:?}\ncert = {:?}\nkey = {:?}\n",
        trio.store(),
        trio.addresses,
        file("ca.pem"),
        file("cert.pem"),
        file("key.pem"),
    );
    let config = trio.folder.path().join("tessera.toml");
    std::fs::write(&config, text).unwrap();
    Node::start_in(&["--config", config.to_str().unwrap()], &[("TESSERA_RECORDINGS_TOKEN", TOKEN)])
}

async fn text(node: &Node, path: &str) -> String {
    let client = crate::browser::driver::client();
    let request = client.get(format!("{}{path}", node.url)).bearer_auth(TOKEN);
    request.send().await.unwrap().text().await.unwrap()
}

fn get(node: &Node, path: &str) -> String {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(text(node, path))
}

fn recordings(node: &Node) -> Vec<Value> {
    let listed: Value = serde_json::from_str(&get(node, "v1/recordings")).unwrap();
    listed["recordings"].as_array().cloned().unwrap_or_default()
}

fn metric(node: &Node, name: &str) -> u64 {
    let metrics = get(node, "metrics");
    let line = metrics.lines().find(|line| line.starts_with(name)).unwrap_or_else(|| panic!("{metrics}"));
    line.rsplit(' ').next().unwrap().parse::<f64>().unwrap() as u64
}

fn wait_for_people(node: &Node, wanted: usize) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(node.wait_for_participants("daily", wanted, Duration::from_secs(30)));
}

/// Frames are composed and encoded as ever.
fn assert_call_goes_on(node: &Node) {
    let (encoded, skipped) = (metric(node, "tessera_frames_encoded_total"), metric(node, "tessera_rooms_failed_total"));
    wait_until("frames are encoded", || metric(node, "tessera_frames_encoded_total") > encoded + 10);
    assert_eq!(metric(node, "tessera_rooms_failed_total"), skipped);
}

#[test]
fn a_call_is_recorded_with_a_keeper_down_and_one_that_cannot_write() {
    let mut trio = Trio::start();
    // A disk that refuses: the file of its keys is not where it was.
    let (keys, away) = (trio.keeper_folder(2).join("keys"), trio.keeper_folder(2).join("keys.away"));
    std::fs::rename(&keys, &away).unwrap();
    let node = start(&trio);
    let load = Load::start(&node, "daily", 2, 600);
    wait_for_people(&node, 2);
    wait_until("a recording begins", || recordings(&node).len() == 1);
    assert_call_goes_on(&node);
    wait_until("an alarm rises", || metric(&node, "tessera_keeper_errors_total") > 0);
    trio.kill_one(2);
    assert_call_goes_on(&node);
    load.stop();
    wait_until("the recording is final", || recordings(&node)[0]["state"] == "final");
    assert_eq!(metric(&node, "tessera_record_gap_ms_total"), 0);
    let name = recordings(&node)[0]["recording"].as_str().unwrap().to_owned();
    // The third returns with a disk that writes, and is wrapped for.
    std::fs::rename(&away, &keys).unwrap();
    trio.start_one(2);
    wait_until("every pair has a wrap", || {
        crate::keepers::process::wraps(&trio.store(), name.parse().unwrap()).len() == 3
    });
    trio.kill_one(0);
    wait_until("the other two open it", || recordings(&node).len() == 1);
    node.stop();
}

#[test]
fn with_two_keepers_down_no_recording_begins_and_the_call_goes_on() {
    let mut trio = Trio::start();
    trio.stop_one(0);
    trio.stop_one(1);
    let node = start(&trio);
    let load = Load::start(&node, "daily", 2, 600);
    wait_for_people(&node, 2);
    assert_call_goes_on(&node);
    assert!(metric(&node, "tessera_keeper_errors_total") > 0);
    wait_until("it is counted as an error of recording", || metric(&node, "tessera_record_errors_total") > 0);
    wait_until("what is missing is told", || metric(&node, "tessera_record_gap_ms_total") > 0);
    assert!(!trio.store().join("rec").exists(), "nothing is stored that nobody could open");
    assert_eq!(get(&node, "healthz"), "ok\n", "no keeper is asked whether the node lives");
    // As soon as a second keeper answers, what is left of the call is recorded.
    trio.start_one(0);
    wait_until("a recording begins", || trio.store().join("rec").exists());
    assert_call_goes_on(&node);
    load.stop();
    wait_until("the recording is final", || {
        recordings(&node).first().is_some_and(|recording| recording["state"] == "final")
    });
    node.stop();
}
