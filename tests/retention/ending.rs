//! **The question:** is a recording whole as soon as its call is over? The real binary with a store on disk, and
//! simulated people who leave by themselves. How long it took is printed, not asserted:
//! `cargo test … retention::ending -- --nocapture`.

use std::time::{Duration, Instant};

use serde_json::Value;

use super::deadline::{TOKEN, plain_get};
use crate::browser::node::{Load, Node};

/// How long an event may take on a slow and busy machine before the test says that it will never happen.
const PATIENCE: Duration = Duration::from_secs(60);

/// Asks for `path` until `enough` likes the answer; when that was.
fn when(node: &Node, path: &str, enough: impl Fn(&Value) -> bool) -> (Instant, Value) {
    let until = Instant::now() + PATIENCE;
    loop {
        let told: Value = serde_json::from_slice(&plain_get(node, path).1).unwrap();
        if enough(&told) {
            return (Instant::now(), told);
        }
        assert!(Instant::now() < until, "never: {path}; at last {told}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn a_recording_is_final_once_the_last_one_has_left() {
    let folder = tempfile::tempdir().unwrap();
    let store = folder.path().join("rec");
    let node = Node::start_in(&["--recordings", store.to_str().unwrap()], &[("TESSERA_RECORDINGS_TOKEN", TOKEN)]);
    let load = Load::start(&node, "retrospective", 2, 600);
    let two_are_here = |told: &Value| told["participants"].as_array().is_some_and(|people| people.len() == 2);
    when(&node, "rooms/retrospective", two_are_here);
    let (_, told) = when(&node, "recordings", |told| told["recordings"][0]["recording"].is_string());
    let name = told["recordings"][0]["recording"].as_str().unwrap().to_owned();
    // Two segments are stored: there is something to close.
    when(&node, &format!("recordings/{name}"), |told| told["duration_ms"].as_u64().is_some_and(|span| span >= 4_000));
    let asked = Instant::now();
    let leaving = std::thread::spawn(move || load.stop());
    let (over, _) = when(&node, "rooms", |told| told["rooms"].as_array().is_some_and(Vec::is_empty));
    let (whole, told) = when(&node, &format!("recordings/{name}"), |told| told["state"] == "final");
    let ms = |span: Duration| span.as_millis();
    println!(
        "final {} ms after the room was gone, {} ms after all were asked to leave",
        ms(whole - over),
        ms(whole - asked)
    );
    assert!(told["duration_ms"].as_u64().unwrap() > 0 && told["room"] == "retrospective", "{told}");
    let (status, video) = plain_get(&node, &format!("recordings/{name}/video.mp4"));
    assert_eq!((status, &video[4..8]), (200, b"ftyp".as_slice()));
    leaving.join().unwrap();
    node.stop();
}
