//! **The question:** do people of one room see the rung that each asked for, while its recording shows a view of its
//! own? Barcodes of real simulated people, in two rasters at once and in what was recorded.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::{Command, Stdio};

use reqwest::Method;
use serde_json::Value;
use tessera::app::load::Report;

use crate::browser::driver;
use crate::browser::node::{Load, Node};
use crate::keepers::process::wait_until;
use crate::record::players::decode;
use crate::retention::deadline::{BINARY, TOKEN, plain_get};
use crate::retention::unrecorded::seen;

/// A request as any client sends it, and what is answered.
fn ask(method: Method, url: &str, offer: Option<&str>) -> (u16, Vec<u8>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let mut request = driver::client().request(method, url);
        if let Some(offer) = offer {
            request = request.header("content-type", "application/sdp").body(offer.to_owned());
        }
        let response = request.send().await.unwrap();
        (response.status().as_u16(), response.bytes().await.unwrap().to_vec())
    })
}

/// What `GET /whep/{room}` says: each rung's name, whether it runs and how many watch it.
fn rungs(node: &Node, room: &str) -> Vec<(String, bool, u64)> {
    let (status, body) = ask(Method::GET, &format!("{}whep/{room}", node.url), None);
    let told: Value = serde_json::from_slice(&body).expect("rungs and problems are JSON");
    if status == 404 {
        return Vec::new();
    }
    let rung = |rung: &Value| {
        (rung["rung"].as_str().unwrap().to_owned(), rung["running"] == true, rung["viewers"].as_u64().unwrap())
    };
    told["rungs"].as_array().expect("a list").iter().map(rung).collect()
}

/// Four people who look, in turn at one rung and the other, the first of whom does not want to be recorded.
fn call(folder: &Path, node: &Node) -> Report {
    let figures = folder.join("load.json");
    let load = Command::new(BINARY)
        .args(["load", "--url", &node.url, "--room", "daily", "--participants", "4", "--decoders", "4"])
        .args(["--rungs", "1280x720,640x360", "--unrecorded", "1", "--duration", "10s", "--quiet", "--json"])
        .arg(&figures)
        .stdout(Stdio::null())
        .spawn();
    let mut load = load.expect("the binary starts");
    wait_until("both rungs run, for two people each", || {
        let (large, small) = (("1280x720".into(), true, 2), ("640x360".into(), true, 2));
        rungs(node, "daily") == [large, small, ("320x180".into(), false, 0)]
    });
    assert!(load.wait().expect("it was ours to wait for").success());
    serde_json::from_slice(&std::fs::read(&figures).unwrap()).unwrap()
}

#[test]
fn each_sees_the_rung_they_asked_for_and_the_recording_a_view_of_its_own() {
    let folder = tempfile::tempdir().unwrap();
    let store = folder.path().join("rec");
    let node = Node::start_in(&["--recordings", store.to_str().unwrap()], &[("TESSERA_RECORDINGS_TOKEN", TOKEN)]);
    let report = call(folder.path(), &node);
    let sizes: Vec<_> = report.decoders.iter().map(|decoder| (decoder.width, decoder.height)).collect();
    assert_eq!(sizes, [(1280, 720), (640, 360), (1280, 720), (640, 360)], "{report:?}");
    assert!(report.decoders.iter().all(|decoder| decoder.seen == 4), "all see all, in either: {report:?}");
    let listed = || serde_json::from_slice::<Value>(&plain_get(&node, "recordings").1).unwrap();
    wait_until("the recording is final", || listed()["recordings"][0]["state"] == "final");
    let name = listed()["recordings"][0]["recording"].as_str().unwrap().to_owned();
    let file = folder.path().join("recorded.mp4");
    std::fs::write(&file, plain_get(&node, &format!("recordings/{name}/video.mp4")).1).unwrap();
    node.stop();
    assert!(decode(&file) > 60);
    assert_eq!(seen(&file, 4), BTreeSet::from([1, 2, 3]), "a third encode, without who refused");
}

#[test]
fn a_rung_that_nobody_watches_does_not_run() {
    let node = Node::start();
    let load = Load::start(&node, "quiet", 1, 60);
    wait_until("the first rung runs", || {
        rungs(&node, "quiet").iter().map(|(_, runs, viewers)| (*runs, *viewers)).eq([(true, 1), (false, 0), (false, 0)])
    });
    load.stop();
    let viewer = Command::new(BINARY)
        .args(["load", "--url", &node.url, "--room", "other", "--participants", "1", "--rungs", "640x360"])
        .args(["--duration", "30s", "--quiet"])
        .stdout(Stdio::null())
        .spawn();
    let mut viewer = viewer.expect("the binary starts");
    wait_until("only the small one runs", || {
        rungs(&node, "other").iter().map(|(_, runs, viewers)| (*runs, *viewers)).eq([(false, 0), (true, 1), (false, 0)])
    });
    let _ = viewer.kill();
    let _ = viewer.wait();
    node.stop();
}

#[test]
fn a_rung_that_is_none_is_told_with_those_that_are() {
    let node = Node::start();
    let load = Load::start(&node, "daily", 1, 60);
    wait_until("somebody is there", || rungs(&node, "daily").first().is_some_and(|rung| rung.1));
    let offer = "v=0\r\no=- 1 2 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\n";
    for (query, status) in [("rung=huge", 400), ("rung=1920x1080", 404)] {
        let (told, body) = ask(Method::POST, &format!("{}whep/daily?{query}", node.url), Some(offer));
        let problem = String::from_utf8_lossy(&body);
        assert_eq!(told, status, "{query}: {problem}");
        assert!(problem.contains("1280x720"), "it says what can be asked for: {problem}");
    }
    load.stop();
    node.stop();
}
