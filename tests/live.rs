//! **The question:** can a room be watched by HLS with what people watch with? The real binary with simulated people in
//! it, and ffmpeg, two readers of playlists from elsewhere, nginx before it, and in browsers hls.js and Shaka
//! ([`glass`]).

mod glass;
pub(crate) mod nginx;

use std::io::{Read, Write};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use tessera::app::load::HlsReport;
use tokio::task::JoinSet;

use crate::browser::driver;
use crate::browser::node::{Load, Node};
use crate::retention::deadline::BINARY;

/// How long a step may take on a slow and busy machine before the test says that it will never happen.
const PATIENCE: Duration = Duration::from_secs(120);
const ROOM: &str = "shown";
/// Players that come in the same moment: more than requests for which an encoder is asked at once.
const AT_ONCE: usize = 60;

/// A node with two people in a room, for as long as a test may take.
fn call(flags: &[&str]) -> (Node, Load) {
    let node = Node::start_with(flags);
    let load = Load::start(&node, ROOM, 2, 600);
    (node, load)
}

/// What is answered to a GET, and its headers.
async fn get(url: &str) -> (u16, reqwest::header::HeaderMap, String) {
    let response = driver::client().get(url).send().await.expect("the node answers");
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    let bytes = response.bytes().await.expect("a whole answer");
    (status, headers, String::from_utf8_lossy(&bytes).into_owned())
}

/// The room's multivariant playlist, once the room is there; many come for it in the same moment.
async fn multivariant(base: &str) -> String {
    let until = Instant::now() + PATIENCE;
    loop {
        let mut asked = JoinSet::new();
        for _ in 0..AT_ONCE {
            let url = format!("{base}hls/{ROOM}/index.m3u8");
            asked.spawn(async move { get(&url).await });
        }
        let answers = asked.join_all().await;
        let is_wrong = |(status, _, _): &&(u16, _, _)| *status != 200 && *status != 404;
        if let Some((status, _, text)) = answers.iter().find(is_wrong) {
            panic!("{status}: {text}");
        }
        if let Some((_, _, text)) = answers.into_iter().find(|(status, _, _)| *status == 200) {
            return text;
        }
        assert!(Instant::now() < until, "no such room");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

/// Each rung's address, CODECS and RESOLUTION.
fn variants(base: &str, list: &str) -> Vec<(String, String, String)> {
    let lines: Vec<&str> = list.lines().collect();
    let of = |line: &str, name: &str, end: char| {
        let (_, rest) = line.split_once(name).unwrap_or_else(|| panic!("{name}: {line}"));
        rest.split(end).next().unwrap_or_default().to_owned()
    };
    let pairs = lines.windows(2).filter(|pair| pair[0].starts_with("#EXT-X-STREAM-INF:"));
    let variant = |pair: &[&str]| {
        let url = format!("{base}hls/{ROOM}/{}", pair[1]);
        (url, of(pair[0], "CODECS=\"", '"'), of(pair[0], "RESOLUTION=", ','))
    };
    pairs.map(variant).collect()
}

/// What `tessera load --hls` tells.
fn watch(base: &str, viewers: u32, seconds: u32, rung: &str) -> HlsReport {
    let file = tempfile::NamedTempFile::new().expect("a file can be made");
    let watched = Command::new(BINARY)
        .args(["load", "--url", base, "--room", ROOM, "--hls", &viewers.to_string(), "--hls-rung", rung])
        .args(["--duration", &format!("{seconds}s"), "--quiet", "--json"])
        .arg(file.path())
        .status();
    assert!(watched.expect("the binary starts").success());
    serde_json::from_slice(&std::fs::read(file.path()).unwrap()).expect("a report is JSON")
}

/// ffprobe's view of a playlist or of the whole.
fn probe(url: &str) -> Value {
    let output = Command::new("ffprobe")
        .args(["-v", "error", "-show_streams", "-of", "json", url])
        .output()
        .expect("ffprobe is installed");
    assert!(output.status.success(), "{url}: {}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ffmpeg_reads_every_rung_and_it_is_what_the_list_says() {
    let (node, load) = call(&[]);
    let list = multivariant(&node.url).await;
    let all = variants(&node.url, &list);
    let codecs: Vec<&str> = all.iter().map(|(_, codecs, _)| &codecs[..4]).collect();
    assert!(codecs.ends_with(&["avc1"; 3]) && all.len().is_multiple_of(3), "{list}");
    for (url, codecs, resolution) in &all {
        let told = probe(url);
        let streams = told["streams"].as_array().expect("a list");
        let of = |kind: &str| streams.iter().find(|stream| stream["codec_type"] == kind).expect("both");
        let (video, audio) = (of("video"), of("audio"));
        let name = if codecs.starts_with("av01") { "av1" } else { "h264" };
        assert_eq!((&video["codec_name"], &audio["codec_name"]), (&name.into(), &"opus".into()), "{told}");
        assert_eq!(format!("{}x{}", video["width"], video["height"]), *resolution);
        if name == "h264" {
            let level = format!("{:02x},Opus", video["level"].as_u64().unwrap());
            assert!(codecs.ends_with(&level), "{codecs} {video}");
        } else {
            let level = format!(".{:02}M.08,Opus", video["level"].as_u64().unwrap());
            assert!(codecs.ends_with(&level), "{codecs} {video}");
        }
        let decoded = Command::new("ffmpeg")
            .args(["-v", "error", "-nostdin", "-i", url, "-t", "2", "-f", "null", "/dev/null"])
            .output()
            .expect("ffmpeg is installed");
        assert!(decoded.status.success() && decoded.stderr.is_empty(), "{}", String::from_utf8_lossy(&decoded.stderr));
    }
    load.stop();
    node.stop();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn players_at_low_latency_follow_parts_and_every_playlist_keeps_the_rules() {
    let (node, load) = call(&[]);
    let list = multivariant(&node.url).await;
    let small = variants(&node.url, &list).into_iter().rev().find(|(_, _, size)| size == "320x180").expect("a quarter");
    let report = watch(&node.url, 3, 14, "h264-320x180");
    assert!(report.errors.is_empty() && report.followed == 3, "{report:?}");
    assert!(report.parts > 60, "{report:?}");
    // Two others read the same as we write.
    let (_, _, playlist) = get(&small.0).await;
    let counted = playlist.lines().filter(|line| line.starts_with("#EXT-X-PART:")).count();
    let told = parsed_elsewhere(&playlist);
    let (first, second) = (&told["m3u8-parser"], &told["hls-parser"]);
    for one in [first, second] {
        assert_eq!(
            (&one["target"], &one["parts"], &one["partTarget"]),
            (&4.into(), &counted.into(), &0.4.into()),
            "{told}"
        );
    }
    assert_eq!(first["segments"], second["segments"], "{told}");
    // Refused at once: too far ahead, half a question, nonsense, names that were never told.
    let refused = [("?_HLS_msn=9999999", 400), ("?_HLS_part=1", 400), ("?_HLS_msn=x", 400)];
    for (query, status) in refused {
        assert_eq!(get(&format!("{}{query}", small.0)).await.0, status, "{query}");
    }
    for name in ["..%2f..%2findex.m3u8", "01.m4s", "99999999.m4s", "99999999.0.m4s", "init-99999999.mp4", "%2e%2e"] {
        let (status, _, text) = get(&small.0.replace("index.m3u8", name)).await;
        assert!(status == 404 || status == 400, "{name}: {status} {text}");
    }
    let (_, _, detail) = get(&format!("{}v1/rooms/{ROOM}", node.url)).await;
    assert!(detail.contains("\"hls_viewers\":"), "{detail}");
    load.stop();
    node.stop();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_room_that_ends_can_be_played_to_its_end() {
    let (node, load) = call(&[]);
    let list = multivariant(&node.url).await;
    let small = variants(&node.url, &list).into_iter().rev().find(|(_, _, size)| size == "320x180").expect("a quarter");
    let (status, _, before) = get(&small.0).await;
    assert_eq!(status, 200, "{before}");
    let packed = driver::client().get(&small.0).header("Accept-Encoding", "gzip").send().await.expect("it answers");
    assert_eq!(packed.headers()["content-encoding"], "gzip");
    assert!(packed.headers().get_all("vary").iter().any(|value| value == "Accept-Encoding"));
    let mut text = String::new();
    let bytes = packed.bytes().await.expect("a whole answer");
    flate2::read::GzDecoder::new(&bytes[..]).read_to_string(&mut text).expect("gzip");
    assert!(text.starts_with("#EXTM3U\n") && bytes.len() < text.len() / 2, "{text}");
    let named = |text: &str| -> Vec<String> {
        text.lines().filter(|line| line.ends_with(".m4s") && !line.starts_with('#')).map(str::to_owned).collect()
    };
    load.stop();
    let until = Instant::now() + PATIENCE;
    let after = loop {
        let (status, _, text) = get(&small.0).await;
        assert!(status == 200 && Instant::now() < until, "{status} {text}");
        if text.ends_with("#EXT-X-ENDLIST\n") {
            break text;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    };
    assert_eq!(get(&format!("{}hls/{ROOM}/index.m3u8", node.url)).await.0, 404, "nobody is led there");
    let (status, _, waited) = get(&format!("{}?_HLS_msn=9999999&_HLS_part=3&_HLS_skip=YES", small.0)).await;
    assert_eq!((status, &waited), (200, &after));
    let names = named(&after);
    assert!(named(&before).iter().all(|name| names.contains(name)), "{before}\n{after}");
    for name in names {
        assert_eq!(get(&small.0.replace("index.m3u8", &name)).await.0, 200, "{name}");
    }
    let decoded = Command::new("ffmpeg")
        .args(["-v", "error", "-nostdin", "-i", &small.0, "-f", "null", "/dev/null"])
        .output()
        .expect("ffmpeg is installed");
    assert!(decoded.status.success() && decoded.stderr.is_empty(), "{}", String::from_utf8_lossy(&decoded.stderr));
    node.stop();
}

/// What npm's m3u8-parser and hls-parser make of a playlist.
fn parsed_elsewhere(playlist: &str) -> Value {
    const SCRIPT: &str = r#"
import { createRequire } from "node:module";
const require = createRequire(process.argv[2] + "/");
const text = require("node:fs").readFileSync(0, "utf8");
const { Parser } = require("m3u8-parser");
const parser = new Parser();
parser.push(text);
parser.end();
const one = parser.manifest;
const many = require("hls-parser").parse(text);
const parts = (segments) => segments.reduce((sum, segment) => sum + (segment.parts ?? []).length, 0);
const whole = one.segments.filter((segment) => segment.uri);
process.stdout.write(JSON.stringify({
  "m3u8-parser": { target: one.targetDuration, partTarget: one.partTargetDuration,
    segments: whole.length, parts: parts(one.segments) + (one.preloadSegment?.parts ?? []).length },
  "hls-parser": { target: many.targetDuration, partTarget: many.partTargetDuration,
    segments: many.segments.filter((segment) => segment.uri).length,
    parts: parts(many.segments) -
      many.segments.flatMap((segment) => segment.parts).filter((part) => part.hint).length },
}));
"#;
    let folder = tempfile::tempdir().expect("a folder can be made");
    let script = folder.path().join("parse.mjs");
    std::fs::write(&script, SCRIPT).unwrap();
    let modules = concat!(env!("CARGO_MANIFEST_DIR"), "/web");
    let mut node = Command::new("node")
        .arg(&script)
        .arg(modules)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("Node.js is installed");
    node.stdin.take().expect("piped").write_all(playlist.as_bytes()).unwrap();
    let output = node.wait_with_output().unwrap();
    assert!(output.status.success(), "it cannot be read, or .ci/pages did not fetch the readers:\n{playlist}");
    serde_json::from_slice(&output.stdout).expect("the script writes JSON")
}
