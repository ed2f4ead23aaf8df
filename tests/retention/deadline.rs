//! **The question:** does the real binary keep the deadline, whatever its clock says? libfaketime sets the wall clock
//! of running nodes.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::{Duration, Instant, SystemTime};

use serde_json::Value;
use tessera::base::limits::FRAGMENT_SPAN;

use crate::browser::node::{Load, Node};
use crate::keepers::process::wait_until;
use crate::record::players::boxes;

pub const BINARY: &str = env!("CARGO_BIN_EXE_tessera");
pub(super) const FAKETIME: &str = "/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1";
pub const TOKEN: &str = "a token for this test alone";
pub(super) const DAY: i64 = 24 * 3600;

/// A node under a clock that the test sets.
pub(super) struct Timed {
    pub(super) folder: tempfile::TempDir,
    clock: PathBuf,
}

impl Timed {
    pub(super) fn new() -> Option<Self> {
        if !Path::new(FAKETIME).exists() {
            eprintln!("skipped: {FAKETIME} is not installed (Debian: faketime)");
            return None;
        }
        let folder = tempfile::tempdir().unwrap();
        let clock = folder.path().join("clock");
        let timed = Self { folder, clock };
        timed.set(0);
        Some(timed)
    }

    /// Sets the clock so many seconds ahead of the machine's.
    pub(super) fn set(&self, ahead: i64) {
        let aside = self.clock.with_extension("new");
        std::fs::write(&aside, format!("{ahead:+}\n")).unwrap();
        std::fs::rename(&aside, &self.clock).unwrap();
    }

    pub(super) fn environment(&self) -> [(&str, &str); 5] {
        [
            ("LD_PRELOAD", FAKETIME),
            ("FAKETIME_TIMESTAMP_FILE", self.clock.to_str().unwrap()),
            ("FAKETIME_NO_CACHE", "1"),
            ("FAKETIME_DONT_FAKE_MONOTONIC", "1"),
            ("TESSERA_RECORDINGS_TOKEN", TOKEN),
        ]
    }

    pub(super) fn store(&self) -> PathBuf {
        self.folder.path().join("rec")
    }

    pub(super) fn node(&self) -> Node {
        Node::start_in(&["--recordings", self.store().to_str().unwrap()], &self.environment())
    }

    pub(super) fn recordings(&self, action: &[&str], keeper: &Path) -> Output {
        let mut command = Command::new(BINARY);
        command.arg("recordings").args(action).arg("--store").arg(self.store()).arg("--keeper").arg(keeper);
        command.envs(self.environment()).output().unwrap()
    }
}

/// One request by hand, so that nothing is retried or kept; status, head and body as far as it came.
fn get(node: &Node, path: &str, slowly: Option<&dyn Fn()>) -> (u16, String, Vec<u8>) {
    let address = node.url.trim_start_matches("http://").trim_end_matches('/').replace("localhost", "127.0.0.1");
    let mut stream = TcpStream::connect(address).unwrap();
    if slowly.is_some() {
        // So that little is under way when the answer is cut.
        rustix::net::sockopt::set_socket_recv_buffer_size(&stream, 4096).unwrap();
    }
    let request = format!(
        "GET /v1/{path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {TOKEN}\r\nConnection: close\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = vec![0; 2048];
    let first = stream.read(&mut answer).unwrap();
    answer.truncate(first);
    if let Some(meanwhile) = slowly {
        meanwhile();
    }
    // A connection that is cut may end in a reset; what came before it counts.
    let _ = stream.read_to_end(&mut answer);
    let end = answer.windows(4).position(|four| four == b"\r\n\r\n").unwrap();
    let body = answer.split_off(end + 4);
    let head = String::from_utf8(answer).unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    (status, head, body)
}

pub fn plain_get(node: &Node, path: &str) -> (u16, Vec<u8>) {
    let (status, _, body) = get(node, path, None);
    (status, body)
}

/// Waits until so many more seconds of the recording that runs can be read back.
pub fn wait_until_recorded(node: &Node, seconds: u64) {
    let recorded = || {
        let listed: Value = serde_json::from_slice(&plain_get(node, "recordings").1).unwrap();
        let mut all = listed["recordings"].as_array().unwrap().iter();
        let running = all.find(|recording| recording["state"] == "recording")?;
        let name = running["recording"].as_str().unwrap();
        let (status, video) = plain_get(node, &format!("recordings/{name}/video.mp4"));
        Some(if status == 200 { boxes(&video).1.len() as u64 * FRAGMENT_SPAN.as_secs() } else { 0 })
    };
    wait_until("it is recorded", || recorded().is_some());
    let before = recorded().unwrap_or(0);
    wait_until("enough is recorded", || recorded().is_some_and(|now| now >= before + seconds));
}

pub(super) fn recorded_call(node: &Node, seconds: u64) -> (String, i64) {
    let load = Load::start(node, "quarterly-figures", 2, 120);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(node.wait_for_participants("quarterly-figures", 2, Duration::from_secs(60)));
    wait_until_recorded(node, seconds);
    load.stop();
    let until = Instant::now() + Duration::from_secs(60);
    loop {
        let listed: Value = serde_json::from_slice(&plain_get(node, "recordings").1).unwrap();
        let recording = &listed["recordings"][0];
        if recording["state"] == "final" {
            let name = recording["recording"].as_str().unwrap().to_owned();
            let hour: i64 = name[..8].parse().unwrap();
            assert_eq!(recording["room"], "quarterly-figures");
            return (name, hour * 3600);
        }
        assert!(Instant::now() < until, "never final: {listed}");
        std::thread::sleep(Duration::from_millis(200));
    }
}

fn unix_now() -> i64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
    i64::try_from(since.as_secs()).unwrap()
}

/// Seconds from now to the deadline, less `before`.
pub(super) fn until(deadline: i64, before: i64) -> i64 {
    deadline - unix_now() - before
}

#[test]
fn a_recording_is_read_until_its_hour_and_never_after_whatever_the_clock_says() {
    let Some(timed) = Timed::new() else { return };
    let node = timed.node();
    let (name, deadline) = recorded_call(&node, 8);
    let video = format!("recordings/{name}/video.mp4");
    let kept = deadline - unix_now();
    assert!((7 * DAY - 3700..=7 * DAY).contains(&kept), "{kept} s");

    let (status, whole) = plain_get(&node, &video);
    assert_eq!((status, &whole[4..8]), (200, b"ftyp".as_slice()));
    timed.set(until(deadline, 30));
    assert_eq!(plain_get(&node, &video), (200, whole.clone()), "half a minute before");

    // A download that runs at the deadline is cut.
    timed.set(until(deadline, 30));
    let meanwhile = || {
        timed.set(until(deadline, 0) + 2);
        wait_until("the hour has come for others", || plain_get(&node, &video).0 == 410);
    };
    let (status, head, part) = get(&node, &video, Some(&meanwhile));
    let announced = format!("content-length: {}", whole.len());
    assert!(status == 200 && head.to_lowercase().contains(&announced), "{head}");
    assert!(part.len() < whole.len() && whole.starts_with(&part), "{} of {} bytes", part.len(), whole.len());

    let gone = plain_get(&node, &video);
    assert_eq!(gone.0, 410);
    let never = format!("recordings/{}-r{}/video.mp4", &name[..8], "0".repeat(32));
    assert_eq!(plain_get(&node, &never), gone, "the same answer whether it ever was");
    assert_eq!(plain_get(&node, &format!("recordings/{name}")), gone);
    timed.set(-8 * DAY);
    assert_eq!(plain_get(&node, &video), gone, "the clock set back while it runs");
    // The keeper's state is stored every second.
    std::thread::sleep(Duration::from_millis(1500));
    node.stop();
    let node = timed.node();
    assert_eq!(plain_get(&node, &video), gone, "and after a restart");
    node.stop();

    let keeper = timed.folder.path().join("rec.keeper");
    timed.set(until(deadline, 0) + 10);
    // The keeper alone does not believe a clock that leaps a week ahead; its operator says that it is right.
    assert!(timed.recordings(&["believe-clock"], &keeper).status.success());
    let verified = timed.recordings(&["verify-expiry"], &keeper);
    let told: Value = serde_json::from_slice(&verified.stdout).unwrap();
    assert!(verified.status.success() && told["expired"] == 1 && told["opened"] == 0, "{told}");
    let swept: Value = serde_json::from_slice(&timed.recordings(&["sweep"], &keeper).stdout).unwrap();
    assert!(swept["objects"].as_u64().unwrap() >= 6 && swept["failed"] == 0, "{swept}");
    assert!(!timed.store().join("rec").exists(), "nothing is left");
}

#[test]
fn what_was_refused_once_stays_refused_and_after_a_false_leap_recordings_can_begin_again() {
    let Some(timed) = Timed::new() else { return };
    let keeper = timed.folder.path().join("rec.keeper");
    let node = timed.node();
    let (name, _) = recorded_call(&node, 2);
    let video = format!("recordings/{name}/video.mp4");
    assert_eq!(plain_get(&node, &video).0, 200);
    // Somebody sets the clock a year ahead for a moment. A power cut follows.
    timed.set(365 * DAY);
    assert_eq!(plain_get(&node, &video).0, 410);
    timed.set(0);
    assert_eq!(plain_get(&node, &video).0, 410, "issue 11 A1: it was 200 again after a day");
    drop(node);
    timed.set(-8 * DAY);
    assert!(timed.recordings(&["believe-clock"], &keeper).status.success());
    timed.set(0);
    let node = timed.node();
    assert_eq!(plain_get(&node, &video).0, 410, "what has been answered is stored before the answer leaves");
    assert!(!timed.recordings(&["clock-was-wrong"], &keeper).status.success(), "the node has the keeper");
    node.stop();
    let told = timed.recordings(&["clock-was-wrong"], &keeper);
    assert!(told.status.success(), "{}", String::from_utf8_lossy(&told.stderr));
    let log = std::fs::read_dir(&keeper).unwrap().map(|entry| entry.unwrap().path());
    let log = log.map(|path| std::fs::read_to_string(path).unwrap_or_default()).collect::<String>();
    assert!(log.contains(" clock-was-wrong 315"), "a year of seconds stands in the audit log: {log}");
    let node = timed.node();
    assert_eq!(plain_get(&node, &video).0, 410);
    let (again, _) = recorded_call(&node, 2);
    assert_eq!(plain_get(&node, &format!("recordings/{again}/video.mp4")).0, 200, "recordings begin again");
    assert_eq!(plain_get(&node, &video).0, 410);
    node.stop();
}

#[test]
fn only_who_shows_the_token_learns_of_recordings() {
    let folder = tempfile::tempdir().unwrap();
    let store = folder.path().join("rec");
    let flags = ["--recordings", store.to_str().unwrap()];
    let node = Node::start_in(&flags, &[("TESSERA_RECORDINGS_TOKEN", "another token than theirs")]);
    for path in ["recordings", "recordings/00495727-r00000000000000000000000000000000", "recordings/x/video.mp4"] {
        assert_eq!(plain_get(&node, path).0, 401, "{path}");
    }
    node.stop();
    let node = Node::start_in(&flags, &[("TESSERA_RECORDINGS_TOKEN", TOKEN)]);
    assert_eq!(plain_get(&node, "recordings").0, 200);
    assert_eq!(plain_get(&node, "recordings/x").0, 404);
    node.stop();
    let node = Node::start_in(&[], &[("TESSERA_RECORDINGS_TOKEN", TOKEN)]);
    assert_eq!(plain_get(&node, "recordings").0, 404, "a node that does not record has none");
    node.stop();
}

#[test]
fn a_node_that_finds_recordings_and_no_keeper_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let (store, log) = (folder.path().join("rec"), folder.path().join("log"));
    std::fs::create_dir_all(store.join("rec/99999999/r0")).unwrap();
    std::fs::write(store.join("rec/99999999/r0/hdr"), b"sealed").unwrap();
    let start = || {
        let flags = ["--recordings", store.to_str().unwrap()];
        Node::start_logging(&flags, &[("TESSERA_RECORDINGS_TOKEN", TOKEN)], std::fs::File::create(&log).unwrap())
    };
    let says_so = || std::fs::read_to_string(&log).unwrap().contains("no keeper was there");
    let node = start();
    wait_until("it says so", says_so);
    node.stop();
    let node = start();
    assert_eq!(plain_get(&node, "recordings").0, 200);
    node.stop();
    assert!(!says_so(), "it has one now");
}
