//! **The question:** does the main job hold, and does it survive bad input? The real binary on both sides, real sockets
//! and files. Who is seen and heard is asserted; speed is not, for the machine is shared: `docs/benchmarks.md` has the
//! figures.

use std::net::UdpSocket;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use tessera::app::load::Report;

use crate::browser::node::Node;
use crate::record::players::chromium;
use crate::retention::deadline::{TOKEN, wait_until_recorded};

const BINARY: &str = env!("CARGO_BIN_EXE_tessera");

fn start_load(node: &Node, room: &str, seconds: u32, figures: &Path, cache: &Path) -> Child {
    let mut command = Command::new(BINARY);
    command.args(["load", "--url", &node.url, "--room", room, "--participants", "3", "--speakers", "2"]);
    command.args(["--duration", &format!("{seconds}s"), "--quiet", "--json"]).arg(figures);
    command.env("XDG_CACHE_HOME", cache).stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("the binary starts")
}

fn report(path: &Path) -> Report {
    serde_json::from_slice(&std::fs::read(path).expect("the load told")).expect("figures are JSON")
}

/// Everyone of the three was seen, and both speakers were heard by all but themselves.
fn whole(report: &Report) {
    let people = report.participants;
    assert_eq!((people.asked, people.connected, people.seen), (3, 3, 3), "{report:?}");
    let audio = report.audio;
    assert_eq!((audio.expected, audio.heard, audio.own_heard), (2, 2, 0), "{report:?}");
}

fn ffprobe(path: &Path) -> Value {
    let line = ["-v", "warning", "-show_entries", "format=duration:stream=codec_name", "-of", "json"];
    let told = Command::new("ffprobe").args(line).arg(path).output().expect("ffprobe is installed by make test");
    assert!(told.status.success() && told.stderr.is_empty(), "{}", String::from_utf8_lossy(&told.stderr));
    serde_json::from_slice(&told.stdout).expect("ffprobe writes JSON")
}

#[test]
fn the_demo_shows_everyone_and_leaves_a_recording_that_plays() {
    let folder = tempfile::tempdir().unwrap();
    let (out, figures) = (folder.path().join("call.mp4"), folder.path().join("demo.json"));
    let mut command = Command::new(BINARY);
    command.args([
        "demo",
        "--participants",
        "4",
        "--duration",
        "6s",
        "--http",
        "127.0.0.1:0",
        "--media",
        "127.0.0.1:0",
    ]);
    command.arg("--out").arg(&out).arg("--json").arg(&figures).env("XDG_CACHE_HOME", folder.path());
    let told = command.output().expect("the binary starts");
    assert!(told.status.success(), "{told:?}");
    let summary: Value = serde_json::from_slice(&std::fs::read(figures).unwrap()).unwrap();
    for count in ["asked", "connected", "seen"] {
        assert_eq!(summary["participants"][count], 4, "{summary:#}");
    }
    assert_eq!(summary["audio"]["heard"], summary["audio"]["expected"], "{summary:#}");
    for path in ["composite/ticks", "latency_ms/p95", "freezes/count", "cpu_cores/by_thread/encode", "rss_mib/load"] {
        assert!(summary.pointer(&format!("/{path}")).is_some_and(Value::is_number), "{path} is missing: {summary:#}");
    }
    let recording = &summary["recording"];
    let (duration, room) = (recording["duration_s"].as_f64().unwrap(), recording["room_duration_s"].as_f64().unwrap());
    assert!((duration - room).abs() < 0.2, "{duration} s recorded of a call of {room} s");
    let probed = ffprobe(&out);
    let names: Vec<_> = probed["streams"].as_array().unwrap().iter().map(|s| s["codec_name"].clone()).collect();
    // In which of them, the machine's cores say.
    assert!(names == ["av1", "opus"] || names == ["h264", "opus"], "{names:?}");
    let told: f64 = probed["format"]["duration"].as_str().unwrap().parse().unwrap();
    assert!((told - duration).abs() < 0.2, "ffprobe says {told} s, the node {duration} s");
    let seen = chromium(&out);
    assert_eq!(seen["error"], Value::Null, "{seen}");
    assert!((seen["duration"].as_f64().unwrap() - duration).abs() < 0.2, "{seen}");
    assert!(seen["frames"].as_u64().unwrap() > 10 && seen["sound"].as_u64().unwrap() > 1000, "{seen}");
}

#[test]
fn killing_the_people_of_one_room_leaves_the_others_whole() {
    let folder = tempfile::tempdir().unwrap();
    let node = Node::start();
    let figures = |room: &str| folder.path().join(format!("{room}.json"));
    let [mut red, mut green, mut blue] =
        ["red", "green", "blue"].map(|room| start_load(&node, room, 12, &figures(room), folder.path()));
    wait_for(&node, "v1/rooms", |rooms| rooms["rooms"].as_array().is_some_and(|rooms| rooms.len() == 3));
    red.kill().expect("it runs");
    red.wait().expect("it was ours");
    assert!(green.wait().expect("it was ours").success());
    assert!(blue.wait().expect("it was ours").success());
    whole(&report(&figures("green")));
    whole(&report(&figures("blue")));
    // The killed ones are noticed and their room ends.
    wait_for(&node, "v1/rooms", |rooms| rooms["rooms"].as_array().is_some_and(Vec::is_empty));
    node.stop();
}

#[test]
fn hostile_datagrams_are_counted_and_disturb_nobody() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("log");
    let all = [("TESSERA_LOG", "tessera=trace")];
    let node = Node::start_logging(&[], &all, std::fs::File::create(&log).unwrap());
    let figures = folder.path().join("load.json");
    let mut load = start_load(&node, "besieged", 8, &figures, folder.path());
    wait_for(&node, "v1/rooms/besieged", |room| room["participants"].as_array().is_some_and(|p| p.len() == 3));
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let mut state = 1_u64;
    for n in 0..20_000_usize {
        let mut datagram = vec![0_u8; n % 1400];
        for byte in &mut datagram {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            *byte = (state >> 56) as u8;
        }
        // Some that look like STUN, DTLS and RTP at their first byte.
        if let Some(first) = datagram.first_mut() {
            *first = [0, 1, 22, 128, 255][n % 5];
        }
        socket.send_to(&datagram, node.media).unwrap();
        if n.is_multiple_of(50) {
            // What comes faster than the node reads is discarded by the kernel, and counted nowhere.
            std::thread::sleep(Duration::from_millis(1));
        }
    }
    assert!(load.wait().expect("it was ours").success());
    whole(&report(&figures));
    let metrics = get(&node, "metrics");
    let line = metrics.lines().find_map(|line| line.strip_prefix("tessera_datagrams_unknown_total "));
    let unknown: f64 = line.expect("the metric is told").parse().unwrap();
    assert!(unknown >= 10_000.0, "{unknown} of 20,000 were counted");
    node.stop();
    // Neither who met nor from where, nor a line for each datagram.
    let log = std::fs::read_to_string(log).unwrap();
    assert!(log.contains("a room begins") && log.contains("a room ends"), "{log}");
    for secret in ["besieged", "Load ", "a=candidate", "127.0.0.1:"] {
        assert!(!log.contains(secret), "{secret} stands in the log: {log}");
    }
    assert!(log.lines().count() < 2_000, "{log}");
}

#[test]
fn offers_that_cannot_be_answered_are_refused_in_words() {
    let node = Node::start();
    let video =
        "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\nm=video 9 UDP/TLS/RTP/SAVPF 96\r\na=rtpmap:96 H265/90000\r\n";
    let long = format!("v=0\r\n{}", "a=x\r\n".repeat(20_000));
    for (offer, statuses) in [("nonsense", 400..=400), (video, 400..=422), (&long[..], 413..=413), ("", 400..=400)] {
        for path in ["v1/rooms/refused/participants?name=Ada", "whip/refused"] {
            let (status, problem) = post(&node, path, offer);
            assert!(statuses.contains(&status), "{status} for {:?}: {problem}", &offer[..offer.len().min(40)]);
            for field in ["type", "title", "detail"] {
                assert!(problem[field].as_str().is_some_and(|text| !text.is_empty()), "{field} is missing: {problem}");
            }
        }
    }
    let (_, problem) = post(&node, "whip/refused", video);
    assert!(problem["detail"].as_str().unwrap().contains("AV1"), "it says which codec to offer: {problem}");
    let rooms: Value = serde_json::from_str(&get(&node, "v1/rooms")).unwrap();
    assert_eq!(rooms["rooms"].as_array().map(Vec::len), Some(0), "a refused offer makes no room");
    node.stop();
}

#[test]
fn a_taken_port_is_one_line_and_exit_code_2() {
    let node = Node::start();
    let http = node.url.trim_end_matches('/').rsplit(':').next().unwrap().to_owned();
    let taken = [
        ["--http", &format!("127.0.0.1:{http}"), "--media", "127.0.0.1:0"].map(str::to_owned),
        ["--http", "127.0.0.1:0", "--media", &node.media.to_string()].map(str::to_owned),
    ];
    for flags in taken {
        let told: Output = Command::new(BINARY).arg("serve").args(&flags).output().expect("the binary starts");
        let line = String::from_utf8(told.stderr).unwrap();
        assert_eq!((told.status.code(), line.lines().count()), (Some(2), 1), "{flags:?}: {line}");
        assert!(line.contains("is taken"), "{line}");
    }
    node.stop();
}

#[test]
fn ctrl_c_closes_the_recordings() {
    let folder = tempfile::tempdir().unwrap();
    let store = folder.path().join("rec");
    let token = [("TESSERA_RECORDINGS_TOKEN", TOKEN)];
    let node = Node::start_in(&["--recordings", store.to_str().unwrap()], &token);
    let mut load = start_load(&node, "cut-short", 60, &folder.path().join("load.json"), folder.path());
    wait_for(&node, "v1/rooms/cut-short", |room| room["participants"].as_array().is_some_and(|p| p.len() == 3));
    wait_until_recorded(&node, 4);
    node.stop();
    load.kill().expect("it runs");
    load.wait().expect("it was ours");
    let told = Command::new(BINARY).args(["recordings", "list", "--store"]).arg(&store).output().unwrap();
    let listed: Value = serde_json::from_slice(&told.stdout).expect("a list");
    let recording = &listed["recordings"][0];
    assert_eq!((&recording["state"], &recording["room"]), (&"final".into(), &"cut-short".into()), "{listed}");
    let name = recording["recording"].as_str().unwrap();
    let recording = folder.path().join("call.mp4");
    let mut export = Command::new(BINARY);
    export.args(["recordings", "export", name, "--store"]).arg(&store).arg("--out").arg(&recording);
    assert!(export.status().unwrap().success());
    let mode = std::fs::metadata(&recording).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600, "what lies in the clear is its owner's alone");
    let duration: f64 = ffprobe(&recording)["format"]["duration"].as_str().unwrap().parse().unwrap();
    assert!(duration > 3.0, "{duration} s of more than 4 were recorded");
}

fn wait_for(node: &Node, path: &str, enough: impl Fn(&Value) -> bool) {
    let until = Instant::now() + Duration::from_secs(60);
    loop {
        let told = serde_json::from_str(&get(node, path)).unwrap_or(Value::Null);
        if enough(&told) {
            return;
        }
        assert!(Instant::now() < until, "{path} never told what was waited for: {told}");
        std::thread::sleep(Duration::from_millis(200));
    }
}

fn get(node: &Node, path: &str) -> String {
    let url = format!("{}{path}", node.url);
    block_on(async { client().get(url).send().await.expect("the node answers").text().await.expect("a text") })
}

fn post(node: &Node, path: &str, offer: &str) -> (u16, Value) {
    let request =
        client().post(format!("{}{path}", node.url)).header("content-type", "application/sdp").body(offer.to_owned());
    block_on(async {
        let response = request.send().await.expect("the node answers");
        let status = response.status().as_u16();
        (status, response.json().await.expect("a problem is JSON"))
    })
}

fn client() -> reqwest::Client {
    crate::browser::driver::client()
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime").block_on(future)
}
