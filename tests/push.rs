//! **The question:** does a room that is sent on to another node by WHIP arrive there, also after that node was killed
//! and came back? Two real nodes; barcodes and pilot tones of the first one's people are looked for in what the second
//! one records.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::{Value, json};

use crate::browser::driver;
use crate::browser::node::{Load, Node};
use crate::doors::harness::block_on;
use crate::keepers::process::wait_until;
use crate::record::players::{boxes, decode};
use crate::retention::deadline::{TOKEN, plain_get};
use crate::retention::unrecorded::{heard, seen_within};

mod streams;

const PEOPLE: u64 = 2;
/// What is looked at once there is so much of it.
const FRAGMENTS: usize = 2;
const PATIENCE: Duration = Duration::from_secs(120);

fn ask(method: Method, url: &str, body: Option<&Value>) -> (u16, Option<String>, Value) {
    block_on(async {
        let mut request = driver::client().request(method, url);
        if let Some(body) = body {
            request = request.header("content-type", "application/json").body(body.to_string());
        }
        let response = request.send().await.expect("the node answers");
        let location = response.headers().get("location").and_then(|value| value.to_str().ok()).map(str::to_owned);
        (response.status().as_u16(), location, response.json().await.unwrap_or(Value::Null))
    })
}

/// Waits for what takes longer than most.
fn patiently(what: &str, mut so: impl FnMut() -> bool) {
    let until = Instant::now() + PATIENCE;
    while !so() {
        assert!(Instant::now() < until, "never: {what}");
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// A node that records, at an address of its own or at that of one before it.
fn other(http: &str, store: &Path) -> Node {
    let flags = ["--recordings", store.to_str().unwrap()];
    Node::start_at(http, &flags, &[("TESSERA_RECORDINGS_TOKEN", TOKEN)], Stdio::inherit())
}

/// Who is seen and heard in the newest recording of a node, as far as it goes.
fn shown(node: &Node, folder: &Path) -> Option<(BTreeSet<u16>, BTreeSet<usize>)> {
    let listed: Value = serde_json::from_slice(&plain_get(node, "recordings").1).ok()?;
    let all = listed["recordings"].as_array()?;
    let running = all.iter().find(|recording| recording["state"] == "recording")?;
    let name = running["recording"].as_str()?;
    let (status, video) = plain_get(node, &format!("recordings/{name}/video.mp4"));
    if status != 200 || boxes(&video).1.len() < FRAGMENTS {
        return None;
    }
    let file = folder.join("shown.mp4");
    std::fs::write(&file, video).ok()?;
    assert!(decode(&file) > 0, "it has pictures");
    Some((seen_within(&file, PEOPLE), heard(&file)))
}

#[test]
fn a_room_sent_on_to_another_node_is_seen_and_heard_there_and_resumes_when_that_one_comes_back() {
    let folder = tempfile::tempdir().unwrap();
    let configuration = folder.path().join("tessera.toml");
    std::fs::write(&configuration, "[push]\nallow_private = true\n").unwrap();
    let here = Node::start_with(&["--config", configuration.to_str().unwrap()]);
    let there = other("127.0.0.1:0", &folder.path().join("first"));
    let http = there.url.trim_start_matches("http://").trim_end_matches('/').replace("localhost", "127.0.0.1");
    let load = Load::start(&here, "stage", 2, 300);
    block_on(here.wait_for_participants("stage", 2, PATIENCE));

    let pushes = format!("{}v1/rooms/stage/pushes", here.url);
    let wish = json!({ "url": format!("http://{http}/whip/hall?name=Stage"), "rung": "1280x720" });
    let (status, location, begun) = ask(Method::POST, &pushes, Some(&wish));
    assert_eq!((status, begun["target"].as_str()), (201, Some(&*format!("http://{http}"))), "{begun}");
    assert!(!begun.to_string().contains("hall"), "{begun}");
    let state = || ask(Method::GET, &pushes, None).2["pushes"][0].clone();
    patiently("it is up and sends", || state()["state"] == "live" && state()["bytes"].as_u64() > Some(50_000));
    let is_all_there = |node: &Node| {
        let (all, shown) = (BTreeSet::from([0, 1]), shown(node, folder.path()));
        // Of what is no barcode one in sixty-four could be taken for one.
        shown.is_some_and(|(seen, heard)| seen.is_superset(&all) && heard.is_superset(&BTreeSet::from([0, 1])))
    };
    patiently("it is seen and heard there", || is_all_there(&there));

    // It is killed, and says no goodbye.
    drop(there);
    patiently("that is noticed and told", || state()["failures"].as_u64() > Some(0));
    assert!(state()["last_error"].is_string() && state()["state"] != "live", "{}", state());
    let there = other(&http, &folder.path().join("second"));
    patiently("it resumes", || state()["state"] == "live");
    patiently("it is seen and heard again", || is_all_there(&there));
    assert!(state()["tries"].as_u64() > Some(1), "{}", state());

    let place = format!("{}{}", here.url.trim_end_matches('/'), location.expect("a place in Location"));
    assert_eq!(ask(Method::DELETE, &place, None).0, 204);
    assert_eq!(ask(Method::DELETE, &place, None).0, 404);
    assert_eq!(ask(Method::GET, &pushes, None).2, json!({ "pushes": [] }));
    wait_until("nobody is there any more", || ask(Method::GET, &format!("{}v1/rooms/hall", there.url), None).0 == 404);
    load.stop();
    there.stop();
    here.stop();
}

#[test]
fn nothing_is_sent_to_a_private_address_unless_the_operator_allows_it() {
    let here = Node::start();
    let load = Load::start(&here, "stage", 1, 300);
    block_on(here.wait_for_participants("stage", 1, PATIENCE));
    let pushes = format!("{}v1/rooms/stage/pushes", here.url);
    for url in ["http://live.example/whip", "https://127.0.0.1/whip", "https://[::ffff:10.0.0.1]/whip", "file:///x"] {
        let (status, _, problem) = ask(Method::POST, &pushes, Some(&json!({ "url": url })));
        assert_eq!(status, 400, "{url}: {problem}");
        assert!(problem["type"].as_str().unwrap().ends_with("bad-push"), "{problem}");
    }
    let (status, _, problem) = ask(Method::POST, &pushes, Some(&json!({ "url": 7, "token": "s3cret" })));
    assert!(status == 400 && !problem.to_string().contains("s3cret"), "{problem}");
    let named = json!({ "url": "https://localhost:9/whip", "token": "s3cret" });
    assert_eq!(ask(Method::POST, &pushes, Some(&named)).0, 201);
    let state = || ask(Method::GET, &pushes, None).2["pushes"][0].clone();
    wait_until("its address is looked at", || state()["failures"].as_u64() > Some(0));
    assert!(state()["last_error"].as_str().unwrap().contains("not public"), "{}", state());
    assert!(!state().to_string().contains("s3cret"), "{}", state());
    for more in 1.. {
        let (status, _, problem) = ask(Method::POST, &pushes, Some(&named));
        if status == 503 {
            assert!(more == 4 && problem["type"].as_str().unwrap().ends_with("pushes-full"), "{more}: {problem}");
            break;
        }
        assert_eq!(status, 201, "{problem}");
    }
    load.stop();
    here.stop();
}

#[test]
fn what_no_server_of_a_protocol_takes_is_refused_with_what_to_say_instead() {
    let here = Node::start();
    let load = Load::start(&here, "stage", 1, 300);
    block_on(here.wait_for_participants("stage", 1, PATIENCE));
    let pushes = format!("{}v1/rooms/stage/pushes", here.url);
    for (wish, why) in [
        (json!({ "url": "rtmp://10.0.0.1/live/s3cret" }), "allow_private"),
        (json!({ "url": "rtmp://live.example/s3cret" }), "APPLICATION/KEY"),
        (json!({ "url": "rtmp://live.example/live/s3cret", "codec": "vp8" }), "h264 or av1"),
        (json!({ "url": "rtmp://live.example/live/s3cret", "token": "s3cret" }), "WHIP"),
        (json!({ "url": "srt://live.example?passphrase=s3cret-s3cret" }), "port"),
        (json!({ "url": "srt://live.example:9000?passphrase=s3cret" }), "bytes"),
        (json!({ "url": "srt://live.example:9000", "codec": "av1" }), "h264"),
        (json!({ "url": "https://live.example/whip", "sound": "aac" }), "Opus"),
    ] {
        let (status, _, problem) = ask(Method::POST, &pushes, Some(&wish));
        assert_eq!(status, 400, "{wish}: {problem}");
        assert!(problem["type"].as_str().unwrap().ends_with("bad-push"), "{problem}");
        assert!(problem.to_string().contains(why) && !problem.to_string().contains("s3cret"), "{wish}: {problem}");
    }
    load.stop();
    here.stop();
}
