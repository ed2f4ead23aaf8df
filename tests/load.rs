//! **The question:** do simulated people reach a node, and tell the truth about it? The real binary on both sides.

use std::path::Path;
use std::process::{Command, Output};

use tessera::app::load::Report;

use crate::browser::node::Node;

fn load(line: &[&str], folder: &Path) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tessera"));
    command.arg("load").args(line).env("XDG_CACHE_HOME", folder).output().expect("the binary starts")
}

#[test]
fn everyone_is_seen_and_the_speakers_are_heard() {
    let folder = tempfile::tempdir().unwrap();
    let node = Node::start();
    let figures = folder.path().join("load.json");
    let line = ["--url", &node.url, "--participants", "4", "--speakers", "2", "--duration", "6s", "--json"];
    let told = load(&[&line[..], &[figures.to_str().unwrap()]].concat(), folder.path());
    assert!(told.status.success(), "{told:?}");
    let report: Report = serde_json::from_slice(&std::fs::read(figures).unwrap()).unwrap();
    let people = report.participants;
    assert_eq!((people.asked, people.connected, people.seen), (4, 4, 4), "{report:?}");
    let audio = report.audio;
    assert_eq!((audio.expected, audio.heard, audio.own_heard), (2, 2, 0), "{report:?}");
    let way = audio.mouth_to_ear_ms.expect("two speak and hear each other");
    assert!(way.p50 > 20.0 && way.p50 <= way.p95, "{report:?}");
    // A busy machine sends everybody a smaller rung.
    assert!([(1280, 720), (640, 360)].contains(&(report.composite.width, report.composite.height)), "{report:?}");
    // A busy machine may overflow a socket's buffer; more than a few packets would be a fault.
    assert!(report.packets.lost * 100 <= report.packets.received && report.errors.is_empty(), "{report:?}");
    assert!(report.latency_ms.p50 > 0.0 && report.latency_ms.p50 <= report.latency_ms.max, "{report:?}");
    node.stop();
}

/// What a load of `line` told; the node is a fresh one.
fn told(line: &[&str]) -> Report {
    let folder = tempfile::tempdir().unwrap();
    let node = Node::start();
    let figures = folder.path().join("load.json");
    let told = load(&[&["--url", &node.url, "--json", figures.to_str().unwrap()], line].concat(), folder.path());
    assert!(told.status.success(), "{told:?}");
    node.stop();
    serde_json::from_slice(&std::fs::read(figures).unwrap()).unwrap()
}

/// For tiles of 426×240, or smaller ones on a busy machine: nobody sends what they would unasked.
fn send_what_is_asked(report: &Report) {
    assert!(report.cameras.iter().all(|camera| camera.width <= 480 && camera.height <= 270), "{report:?}");
    assert_eq!(
        report.cameras.iter().map(|camera| camera.count).sum::<usize>(),
        report.participants.asked,
        "{report:?}"
    );
}

#[test]
fn each_camera_sends_what_its_tile_needs() {
    // Five tiles of 426×240. Who came first was asked for more, and for less only after three seconds.
    let report = told(&["--participants", "5", "--speakers", "1", "--duration", "12s"]);
    assert_eq!((report.participants.connected, report.participants.seen), (5, 5), "{report:?}");
    send_what_is_asked(&report);
    // They take both codecs: the node sends the one that it can afford.
    assert!(["av1", "h264", "av1, h264", "h264, av1"].contains(&report.composite.codec.as_str()), "{report:?}");
    assert!(report.errors.is_empty(), "{report:?}");
}

#[test]
fn a_crowd_on_one_thread_is_seen_and_served_as_everyone_else() {
    let line = ["--participants", "6", "--speakers", "1", "--decoders", "1", "--duration", "12s", "--stack", "own"];
    let report = told(&[&line[..], &["--width", "1280", "--height", "720"]].concat());
    assert_eq!((report.stacks.webrtc, report.stacks.own), (2, 4), "who looks or listens is apart: {report:?}");
    assert_eq!((report.participants.connected, report.participants.seen), (6, 6), "{report:?}");
    send_what_is_asked(&report);
    // Fifty packets of the mix a second reach each of them, beside the composite.
    assert!(report.packets.received > 6 * 50 * 5, "{report:?}");
    assert!(report.packets.lost * 100 <= report.packets.received && report.errors.is_empty(), "{report:?}");
}

#[test]
fn a_heedless_camera_sends_what_it_was_set_to() {
    let line = ["--participants", "2", "--duration", "4s", "--heedless", "--width", "320", "--height", "180"];
    let report = told(&[&line[..], &["--fps", "10"]].concat());
    let sent: Vec<_> = report.cameras.iter().map(|camera| (camera.count, camera.width, camera.fps)).collect();
    assert_eq!((report.participants.seen, &sent[..]), (2, &[(2, 320, 10)][..]), "{report:?}");
}

#[test]
fn people_without_av1_are_seen_and_served_in_h264() {
    let report = told(&["--participants", "3", "--speakers", "2", "--duration", "5s", "--codecs", "h264"]);
    assert_eq!((report.participants.connected, report.participants.seen), (3, 3), "{report:?}");
    assert_eq!((report.composite.codec.as_str(), report.audio.heard), ("h264", 2), "{report:?}");
}

#[test]
fn who_only_watches_by_whep_gets_pictures_and_sound() {
    let line = ["--participants", "2", "--viewers", "5", "--speakers", "1", "--duration", "4s"];
    let report = told(&line);
    assert_eq!((report.participants.connected, report.participants.seen), (2, 2), "{report:?}");
    let viewers = report.viewers.expect("five were asked for");
    let came = (viewers.asked, viewers.connected, viewers.stayed, viewers.watched);
    assert_eq!(came, (5, 5, 5, 5), "{report:?}");
    // Each gets the composite, and fifty packets of the mix a second.
    assert!(viewers.fps > 1.0 && viewers.packets > 5 * 4 * 50, "{report:?}");
    assert!(viewers.lost * 100 <= viewers.packets && viewers.bitrate > 20_000.0, "{report:?}");
    let first = viewers.first_picture_ms;
    assert!(first.p50 > 0.0 && first.p50 <= first.p95 && first.p95 <= first.max, "{report:?}");
    assert!(viewers.longest_gap_ms > 0.0 && viewers.sound_gap_ms > 0.0 && report.errors.is_empty(), "{report:?}");
}

#[test]
fn without_people_viewers_need_a_room_and_nobody_at_all_is_no_load() {
    let folder = tempfile::tempdir().unwrap();
    let node = Node::start();
    let alone = load(&["--url", &node.url, "--participants", "0", "--viewers", "2"], folder.path());
    let line = String::from_utf8(alone.stderr).unwrap();
    assert!(alone.status.code() == Some(1) && line.contains("404"), "{line}");
    let nobody = load(&["--url", &node.url, "--participants", "0"], folder.path());
    assert_eq!(nobody.status.code(), Some(2), "{nobody:?}");
    node.stop();
}

#[test]
fn a_bench_of_this_machine_tells_its_table_in_both_forms() {
    let folder = tempfile::tempdir().unwrap();
    let figures = folder.path().join("bench.json");
    let mut command = Command::new(env!("CARGO_BIN_EXE_tessera"));
    command.args(["bench", "--max", "2", "--duration", "2s", "--speakers", "1", "--core-price", "0.04", "--json"]);
    let told = command.arg(&figures).current_dir(folder.path()).output().expect("the binary starts");
    assert!(told.status.success(), "{told:?}");
    let words = String::from_utf8(told.stdout).unwrap();
    assert!(words.contains("| people | layout |") && words.contains("grid: "), "{words}");
    let table: serde_json::Value = serde_json::from_slice(&std::fs::read(figures).unwrap()).unwrap();
    // Whether a bar broke is a matter of the machine; that people came is not.
    let row = &table["rows"][0];
    assert_eq!((&row["participants"], &row["connected"]), (&2.into(), &2.into()), "{table}");
    assert!(row["cores_node"].as_f64().unwrap() > 0.0 && row["cost"].as_f64().unwrap() > 0.0, "{table}");
    assert_eq!(table["capacities"][0]["layout"], "grid", "{table}");
}

#[test]
fn a_node_that_is_not_there_is_told_in_one_line() {
    let folder = tempfile::tempdir().unwrap();
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let told = load(&["--url", &format!("http://{free}"), "--participants", "1"], folder.path());
    assert_eq!(told.status.code(), Some(1));
    let line = String::from_utf8(told.stderr).unwrap();
    assert!(line.contains(&free.to_string()) && line.contains("does not answer"), "{line}");
    let told = load(&["--url", "node.example"], folder.path());
    assert_eq!(told.status.code(), Some(2));
}

#[test]
fn voices_are_heard_without_any_picture() {
    let folder = tempfile::tempdir().unwrap();
    let node = Node::start();
    let figures = folder.path().join("load.json");
    let line =
        ["--url", &node.url, "--participants", "4", "--speakers", "2", "--duration", "5s", "--no-video", "--json"];
    let told = load(&[&line[..], &[figures.to_str().unwrap()]].concat(), folder.path());
    assert!(told.status.success(), "{told:?}");
    let report: Report = serde_json::from_slice(&std::fs::read(figures).unwrap()).unwrap();
    let audio = report.audio;
    assert_eq!((report.participants.connected, report.participants.seen), (4, 0), "{report:?}");
    assert_eq!((audio.expected, audio.heard, audio.own_heard), (2, 2, 0), "{report:?}");
    assert!(audio.mouth_to_ear_ms.is_some() && audio.lip_sync_ms.is_none() && report.errors.is_empty(), "{report:?}");
    // Fifty packets a second to each of four, for five seconds and a little: no composite came.
    let received = report.packets.received;
    assert!((500..3_000).contains(&received), "{report:?}");
    node.stop();
}
