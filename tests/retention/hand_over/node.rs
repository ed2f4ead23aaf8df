//! **The question:** how is a recording handed over by those who run a node: on the command line, by HTTP, and all by
//! itself?

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::{Value, json};
use tessera::io::transfer::{Credentials, Destination, TransferCounters, TransferState, Transfers};

use crate::browser::node::Node;
use crate::keepers::process::wait_until;
use crate::retention::deadline::{BINARY, TOKEN, Timed, plain_get, recorded_call, until};
use crate::retention::playing::ask;
use crate::retention::weed::Weed;
use crate::retention::{Home, files_under};

fn json_of(body: &[u8]) -> Value {
    serde_json::from_slice(body).unwrap_or_default()
}

#[test]
fn a_node_hands_over_to_the_configured_host_and_to_no_other() {
    let weed = Weed::start_with_webdav();
    let folder = tempfile::tempdir().unwrap();
    let (config, store) = (folder.path().join("tessera.toml"), folder.path().join("rec"));
    std::fs::write(&config, format!("[hand_over]\nurl = \"{}/Calls\"\n", weed.webdav())).unwrap();
    let flags = ["--config", config.to_str().unwrap(), "--recordings", store.to_str().unwrap()];
    let node = Node::start_in(&flags, &[("TESSERA_RECORDINGS_TOKEN", TOKEN)]);
    let (name, _) = recorded_call(&node, 8);
    let (_, whole) = plain_get(&node, &format!("recordings/{name}/video.mp4"));
    let url = format!("{}v1/recordings/{name}/hand-over", node.url);
    let post = |token: Option<&str>, body: Option<Value>| ask(Method::POST, &url, token, body);
    assert_eq!(post(None, None).0, 401);
    assert_eq!(ask(Method::GET, &url, Some(TOKEN), None).0, 404, "nobody asked yet");
    let (status, told) = post(Some(TOKEN), Some(json!({ "url": "http://127.0.0.1:1/elsewhere" })));
    assert_eq!((status, json_of(&told)["type"].as_str()), (400, Some("urn:tessera:problem:bad-hand-over")));

    // First a copy, then for good.
    for (body, kept) in [(Some(json!({ "keep": true })), true), (None, false)] {
        assert_eq!(post(Some(TOKEN), body).0, 202);
        let by = Instant::now() + Duration::from_secs(60);
        let done = loop {
            let (status, told) = ask(Method::GET, &url, Some(TOKEN), None);
            let told = json_of(&told);
            if told["state"] == "done" {
                break told;
            }
            assert!(status == 200 && told["state"] != "failed" && Instant::now() < by, "{status} {told}");
            std::thread::sleep(Duration::from_millis(50));
        };
        assert_eq!(done["kept"], kept);
        let file = &done["files"][0];
        assert_eq!(file["bytes"], whole.len());
        let place = format!("{}/Calls/{}", weed.webdav(), file["name"].as_str().unwrap());
        // The host may take a moment to show what it has taken; in the end it is the recording, byte for byte.
        wait_until("the host shows the recording", || ask(Method::GET, &place, None, None) == (200, whole.clone()));
        let chapters = &done["files"][1]["name"].as_str().unwrap();
        let chapters = ask(Method::GET, &format!("{}/Calls/{chapters}", weed.webdav()), None, None).1;
        assert!(chapters.starts_with(b"WEBVTT\n\n"), "{}", String::from_utf8_lossy(&chapters));
        let (status, detail) = plain_get(&node, &format!("recordings/{name}"));
        if kept {
            assert_eq!((status, &json_of(&detail)["hand_over"]["state"]), (200, &json!("done")));
        } else {
            assert_eq!(status, 410);
        }
    }
    assert_eq!(post(Some(TOKEN), None).0, 410, "there is nothing left to hand over");
    assert!(files_under(&store.join("rec")).is_empty(), "nothing is left here");
    node.stop();
}

#[test]
fn a_node_without_a_host_hands_nothing_over() {
    let folder = tempfile::tempdir().unwrap();
    let store = folder.path().join("rec");
    let node = Node::start_in(&["--recordings", store.to_str().unwrap()], &[("TESSERA_RECORDINGS_TOKEN", TOKEN)]);
    let url = format!("{}v1/recordings/00495727-r{}/hand-over", node.url, "0".repeat(32));
    let (status, told) = ask(Method::POST, &url, Some(TOKEN), None);
    assert_eq!((status, json_of(&told)["type"].as_str()), (404, Some("urn:tessera:problem:hand-over-off")));
    node.stop();
}

#[test]
fn every_final_recording_leaves_by_itself_where_that_is_configured() {
    let weed = Weed::start_with_webdav();
    let home = Home::new();
    let (one, other) = (home.recorded(), home.recorded());
    let whole = home.read(one, 0).unwrap();
    let destination = Destination::parse(&format!("{}/Calls", weed.webdav()), &Credentials::default()).unwrap();
    let counters = TransferCounters::default();
    let transfers = Transfers::new(home.archive.clone(), destination, counters.clone());
    home.runtime.block_on(transfers.poll_all());
    let by = Instant::now() + Duration::from_secs(60);
    while counters.done.get() < 2 {
        assert!(Instant::now() < by, "{:?}, {:?}", transfers.state(one), transfers.state(other));
        std::thread::sleep(Duration::from_millis(20));
    }
    for recording in [one, other] {
        let Some(TransferState::Done { files, kept: false }) = transfers.state(recording) else {
            panic!("{:?}", transfers.state(recording));
        };
        let held = ask(Method::GET, &format!("{}/Calls/{}", weed.webdav(), files[0].name), None, None);
        assert!(held.0 == 200 && held.1 == whole);
        home.expect_erased(recording);
    }
    assert_eq!((counters.failed.get(), counters.failing.get()), (0, 0));
}

#[test]
fn a_hand_over_that_fails_is_told_and_alarms() {
    let home = Home::new();
    let recording = home.recorded();
    let whole = home.read(recording, 0).unwrap();
    // Nobody listens there.
    let destination = Destination::parse("http://127.0.0.1:1/calls", &Credentials::default()).unwrap();
    let counters = TransferCounters::default();
    let transfers = Transfers::new(home.archive.clone(), destination, counters.clone());
    home.runtime.block_on(transfers.begin(recording, false)).unwrap();
    let by = Instant::now() + Duration::from_secs(60);
    while counters.failed.get() == 0 {
        assert!(Instant::now() < by, "{:?}", transfers.state(recording));
        std::thread::sleep(Duration::from_millis(20));
    }
    assert_eq!((counters.failing.get(), counters.done.get()), (1, 0));
    let state = transfers.state(recording);
    assert!(matches!(&state, Some(TransferState::Failed { why }) if why.contains("kept here")), "{state:?}");
    home.expect_kept(recording, &whole);
}

#[test]
fn the_command_line_hands_over_and_tells_no_secret() {
    let weed = Weed::start_with_webdav();
    let home = Home::new();
    let recording = home.recorded();
    let whole = home.read(recording, 0).unwrap();
    let at = home.folder.path().to_owned();
    let run = |more: &[&str], variables: &[(&str, &str)]| {
        let mut command = Command::new(BINARY);
        command.args(["recordings", "hand-over", &recording.to_string()]).args(more);
        command.arg("--store").arg(at.join("store")).arg("--keeper").arg(at.join("keeper"));
        let output = command.envs(variables.iter().copied()).output().unwrap();
        let told = [output.stdout, output.stderr].concat();
        (output.status.code(), String::from_utf8(told).unwrap())
    };
    let url = format!("{}/Calls", weed.webdav());
    let (code, told) = run(&["--to", &url.replace("http://", "http://ada:s3cret@")], &[]);
    assert!(code == Some(2) && told.contains("environment") && !told.contains("s3cret"), "{told}");
    let secret = [("TESSERA_HAND_OVER_TOKEN", "s3cret")];
    let (code, told) = run(&["--to", &url], &secret);
    assert!(code == Some(2) && told.contains("--keep"), "the keeper is in use, and the way out is told: {told}");
    let (code, told) = run(&["--to", &url, "--keep"], &secret);
    assert!(code == Some(0) && told.contains("kept here") && told.contains("SHA-256"), "{told}");
    drop(home.archive);
    home.runtime.shutdown_timeout(Duration::from_secs(10));
    let (code, told) = run(&["--to", &url], &secret);
    assert!(code == Some(0) && told.contains("erased here") && !told.contains("s3cret"), "{told}");
    assert!(files_under(&at.join("store/rec")).is_empty());
    let name = told.split_whitespace().find(|word| word.ends_with(".mp4")).unwrap();
    assert!(ask(Method::GET, &format!("{url}/{name}"), None, None) == (200, whole));
}

/// So many bytes of a file show that it is on its way.
const ENOUGH: u64 = 20_000;

/// A host that makes folders, and takes so few bytes of a file that it never has one.
struct Stalling {
    url: String,
    taken: Arc<AtomicU64>,
}

impl Stalling {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let host = Self { url: format!("http://{}", listener.local_addr().unwrap()), taken: Arc::default() };
        let taken = host.taken.clone();
        // It ends with the test's process.
        std::thread::spawn(move || {
            for near in listener.incoming().map_while(Result::ok) {
                let taken = taken.clone();
                std::thread::spawn(move || stall(near, &taken));
            }
        });
        host
    }
}

fn stall(mut near: TcpStream, taken: &AtomicU64) {
    rustix::net::sockopt::set_socket_recv_buffer_size(&near, 4096).unwrap();
    let mut buffer = [0; 2048];
    while let Ok(read @ 1..) = near.read(&mut buffer) {
        if buffer.starts_with(b"MKCOL") {
            near.write_all(b"HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n").unwrap();
        } else if buffer.starts_with(b"DELETE") {
            near.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").unwrap();
        } else if taken.fetch_add(read as u64, Ordering::SeqCst) > ENOUGH {
            // It keeps the line, and takes nothing more.
            std::thread::sleep(Duration::from_secs(100));
        }
    }
}

#[test]
fn a_hand_over_that_runs_at_the_hour_is_cut() {
    let Some(timed) = Timed::new() else { return };
    // It runs by the machine's own clock, which is faster to read.
    let store = timed.store();
    let node = Node::start_in(&["--recordings", store.to_str().unwrap()], &[("TESSERA_RECORDINGS_TOKEN", TOKEN)]);
    let (name, deadline) = recorded_call(&node, 8);
    node.stop();
    let host = Stalling::start();
    let keeper = timed.folder.path().join("rec.keeper");
    timed.set(until(deadline, 30));
    let mut child = Command::new(BINARY)
        .args(["recordings", "hand-over", &name, "--to", &format!("{}/calls", host.url), "--keep"])
        .arg("--store")
        .arg(timed.store())
        .arg("--keeper")
        .arg(&keeper)
        .envs(timed.environment())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let by = Instant::now() + Duration::from_secs(60);
    while host.taken.load(Ordering::SeqCst) <= ENOUGH {
        assert!(child.try_wait().unwrap().is_none() && Instant::now() < by, "it never began");
        std::thread::sleep(Duration::from_millis(20));
    }
    timed.set(until(deadline, 0) + 2);
    // A host that takes nothing would be given up with other words.
    let mut told = String::new();
    child.stderr.take().unwrap().read_to_string(&mut told).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(1));
    assert!(told.contains("this recording is gone"), "{told}");
}
