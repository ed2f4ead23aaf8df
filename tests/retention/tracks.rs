//! **The question:** are participants' own tracks recorded as they were sent, in the same timeline, and gone with the
//! call's recording?

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tessera::app::load::barcode::{self, Barcode};
use tessera::app::load::pilot::PilotBank;
use tessera::base::media::{Outbox, ParticipantId, PlaneRef, Size};
use tessera::core::scene::{Input, Layout, Rect, SceneCore};

use super::deadline::{BINARY, TOKEN, plain_get, wait_until_recorded};
use super::playing::{ask, bare, link};
use crate::browser::node::{Load, Node};
use crate::record::players::{decode, decode_sound, number, probe};

const CANVAS: Size = Size { width: 640, height: 360 };
const PEOPLE: u32 = 3;
const CONFIG: &str = "[video]\nwidth = 640\nheight = 360\n[recording]\ntracks = true\n";

/// What may lie between a picture or a word in the call's recording and in its own track, seconds.
const APART: f64 = 0.1;

/// Pictures of a file: when each is shown, seconds, and its luma.
fn pictures(file: &Path, size: Size, mut look: impl FnMut(f64, &[u8])) {
    let told = Command::new("ffprobe")
        .args(["-v", "error", "-select_streams", "v", "-show_entries", "packet=pts_time", "-of", "csv=p=0"])
        .arg(file)
        .output()
        .unwrap();
    let times = String::from_utf8(told.stdout).unwrap();
    let times: Vec<f64> = times.lines().map(|line| line.trim_end_matches(',').parse().unwrap()).collect();
    let told = Command::new("ffmpeg")
        .args(["-v", "error", "-i"])
        .arg(file)
        .args([
            "-map",
            "0:v",
            "-fps_mode",
            "passthrough",
            "-pix_fmt",
            "gray",
            "-color_range",
            "tv",
            "-f",
            "rawvideo",
            "-",
        ])
        .output()
        .unwrap();
    let shown: Vec<_> = told.stdout.chunks_exact((size.width * size.height) as usize).collect();
    assert_eq!(shown.len(), times.len(), "every packet is a picture");
    times.iter().zip(shown).for_each(|(time, picture)| look(*time, picture));
}

fn read(picture: &[u8], size: Size, rect: Rect) -> Option<Barcode> {
    let [x, y, width, height] = [rect.x, rect.y, rect.width, rect.height].map(|side| side as usize);
    barcode::read(PlaneRef { data: picture, stride: size.width as usize }, (x, y, width, height))
}

/// Where three people's tiles lie.
fn tiles() -> Vec<Rect> {
    let mut core = SceneCore::with_layout(CANVAS, Layout::parse(r#"{"layout":"grid"}"#).unwrap());
    let (now, mut out) = (Instant::now(), Outbox::new());
    for id in 0..u64::from(PEOPLE) {
        core.handle(now, Input::Joined { participant: ParticipantId(id), name: "Load".into() }, &mut out);
    }
    core.scene().tiles.iter().map(|tile| tile.rect).collect()
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// Distance to the nearest of some times.
fn nearest(time: f64, others: impl Iterator<Item = f64>) -> Option<f64> {
    others.map(|other| (time - other).abs()).min_by(f64::total_cmp)
}

fn onsets(file: &Path, number: usize) -> Vec<f64> {
    let mut bank = PilotBank::new([number]);
    bank.push(&decode_sound(file).iter().flat_map(|sample| [*sample, *sample]).collect::<Vec<_>>());
    bank.take_onsets().iter().map(|onset| onset.sample as f64 / 48_000.0).collect()
}

/// A call of three, recorded with their own tracks; the recording's name, and what is told of it.
fn call(node: &Node) -> (String, Value) {
    let load = Load::start(node, "tracked", PEOPLE, 600);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(node.wait_for_participants("tracked", PEOPLE as usize, Duration::from_secs(60)));
    wait_until_recorded(node, 8);
    load.stop();
    let until = Instant::now() + Duration::from_secs(60);
    loop {
        let listed: Value = serde_json::from_slice(&plain_get(node, "recordings").1).unwrap();
        if listed["recordings"][0]["state"] == "final" {
            let name = listed["recordings"][0]["recording"].as_str().unwrap().to_owned();
            let detail = plain_get(node, &format!("recordings/{name}")).1;
            return (name, serde_json::from_slice(&detail).unwrap());
        }
        assert!(Instant::now() < until, "never final: {listed}");
        std::thread::sleep(Duration::from_millis(200));
    }
}

/// Saves every track, and looks that ffprobe and ffmpeg find nothing wrong and what the manifest says; by kind.
fn save(node: &Node, name: &str, detail: &Value, folder: &Path) -> (Vec<PathBuf>, Vec<PathBuf>) {
    let (mut cameras, mut microphones) = (Vec::new(), Vec::new());
    for (n, track) in detail["tracks"].as_array().unwrap().iter().enumerate() {
        assert_eq!(track["file"], format!("track.mp4?take={n}"));
        let (status, bytes) = plain_get(node, &format!("recordings/{name}/track.mp4?take={n}"));
        assert_eq!((status, bytes.len() as u64), (200, track["bytes"].as_u64().unwrap()), "{track}");
        let path = folder.join(format!("{n}.mp4"));
        std::fs::write(&path, bytes).unwrap();
        let probed = probe(&path);
        assert_eq!(probed["streams"].as_array().unwrap().len(), 1);
        let begins = number(&probed["streams"][0]["start_time"]);
        let told = track["from_ms"].as_f64().unwrap() / 1000.0;
        assert!((begins - told).abs() < 0.03, "{begins} and {track}");
        let decoded = decode(&path);
        match track["kind"].as_str().unwrap() {
            "camera" => {
                assert!(decoded > 60, "{decoded} pictures: {track}");
                assert_eq!((&probed["streams"][0]["codec_name"], &track["width"]), (&json!("av1"), &json!(320)));
                cameras.push(path);
            }
            "microphone" => {
                assert_eq!(probed["streams"][0]["codec_name"], "opus");
                assert!(track["duration_ms"].as_u64().unwrap() > 4000, "{track}");
                microphones.push(path);
            }
            other => panic!("nobody sent a {other}"),
        }
    }
    (cameras, microphones)
}

/// The pictures of the call show what the cameras' files show, at the same time.
fn pictures_agree(whole: &Path, cameras: &[PathBuf]) {
    let mut sights: Vec<(f64, Barcode)> = Vec::new();
    let tiles = tiles();
    pictures(whole, CANVAS, |time, picture| {
        sights.extend(tiles.iter().filter_map(|tile| Some((time, read(picture, CANVAS, *tile)?))));
    });
    let mut owners = Vec::new();
    for camera in cameras {
        let size = Size::new(320, 180);
        let mut own: Vec<(f64, Barcode)> = Vec::new();
        pictures(camera, size, |time, picture| {
            let code = read(picture, size, Rect { x: 0, y: 0, width: 320, height: 180 });
            own.push((time, code.expect("a whole picture has its strip")));
        });
        let owner = own[0].1.number;
        assert!(own.iter().all(|(_, code)| code.number == owner), "one person's camera");
        let of = |sight: &&(f64, Barcode)| sight.1.number == owner;
        let apart: Vec<f64> = sights
            .iter()
            .filter(of)
            .filter_map(|(time, code)| nearest(*time, own.iter().filter(|(_, own)| own == code).map(|(time, _)| *time)))
            .collect();
        assert!(apart.len() > 30, "{} sights of {owner}", apart.len());
        let apart = median(apart);
        println!("camera of {owner}: {:.0} ms apart", apart * 1000.0);
        assert!(apart <= APART, "{apart} s apart: {owner}");
        owners.push(owner);
    }
    owners.sort_unstable();
    assert_eq!(owners, [0, 1, 2], "one file for each person");
}

/// Onsets that are in the call and in their speaker's own file stand at the same time in both. Some are in one alone:
/// another voice may cover them in the call, and speech of one's own anywhere.
fn voices_agree(whole: &Path, microphones: &[PathBuf]) {
    let mut speakers = 0;
    for microphone in microphones {
        for person in 0..PEOPLE as usize {
            let (own, heard) = (onsets(microphone, person), onsets(whole, person));
            if own.len() < 2 {
                continue;
            }
            // They come once a second: what lies further away is another one.
            let apart: Vec<f64> = own
                .iter()
                .filter_map(|time| nearest(*time, heard.iter().copied()))
                .filter(|apart| *apart < 0.5)
                .collect();
            println!("microphone of {person}: {} of {} onsets heard in the call", apart.len(), own.len());
            if apart.len() < 2 {
                continue;
            }
            let apart = median(apart);
            println!("microphone of {person}: {:.0} ms apart", apart * 1000.0);
            assert!(apart <= APART, "{apart} s apart: {person}");
            speakers += 1;
        }
    }
    assert!(speakers > 0, "somebody was heard");
}

#[test]
fn own_tracks_are_what_each_one_sent_in_the_timeline_of_the_call_and_go_with_it() {
    let folder = tempfile::tempdir().unwrap();
    let (store, config) = (folder.path().join("rec"), folder.path().join("tessera.toml"));
    std::fs::write(&config, CONFIG).unwrap();
    let flags = ["--config", config.to_str().unwrap(), "--recordings", store.to_str().unwrap()];
    let node = Node::start_in(&flags, &[("TESSERA_RECORDINGS_TOKEN", TOKEN)]);
    let (name, detail) = call(&node);
    println!("{detail:#}");
    let (cameras, microphones) = save(&node, &name, &detail, folder.path());
    assert_eq!((cameras.len(), microphones.len()), (3, 3), "{detail}");
    let whole = folder.path().join("whole.mp4");
    std::fs::write(&whole, plain_get(&node, &format!("recordings/{name}/video.mp4")).1).unwrap();
    pictures_agree(&whole, &cameras);
    voices_agree(&whole, &microphones);

    let keeper = folder.path().join("rec.keeper");
    let exported = folder.path().join("exported.mp4");
    let done = Command::new(BINARY)
        .args(["recordings", "export", &name, "--track", "0", "--out"])
        .args([&exported, &PathBuf::from("--store"), &store, &PathBuf::from("--keeper"), &keeper])
        .output()
        .unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    assert_eq!(std::fs::read(&exported).unwrap(), std::fs::read(folder.path().join("0.mp4")).unwrap());

    let (status, signed) = link(&node, &name, json!({ "file": "track.mp4", "take": 1 }));
    assert_eq!(status, 201);
    assert_eq!(bare(&signed).1, std::fs::read(folder.path().join("1.mp4")).unwrap());
    assert_eq!(bare(&signed.replace("take=1", "take=0")).0, 403, "another track");
    assert_eq!(bare(&format!("{}v1/recordings/{name}/track.mp4", node.url)).0, 401);
    assert_eq!(plain_get(&node, &format!("recordings/{name}/track.mp4?take=99")).0, 404);

    let url = format!("{}v1/recordings/{name}", node.url);
    assert_eq!(ask(reqwest::Method::DELETE, &url, Some(TOKEN), None).0, 204);
    for n in 0..6 {
        assert_eq!(plain_get(&node, &format!("recordings/{name}/track.mp4?take={n}")).0, 410, "track {n}");
    }
    assert_eq!(bare(&signed).0, 410);
    node.stop();
}
