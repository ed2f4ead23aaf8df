//! **The question:** does a recording leave out who does not want to be in it, while everybody in the room sees and
//! hears them? Barcodes and pilot tones of real simulated people are looked for in what was recorded.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value;
use tessera::app::load::pilot::PilotBank;
use tessera::app::load::{Report, barcode};
use tessera::base::media::{Outbox, ParticipantId, PlaneRef, Size};
use tessera::core::scene::{Input, Rect, SceneCore};

use super::deadline::{BINARY, TOKEN, plain_get};
use crate::browser::node::Node;
use crate::keepers::process::wait_until;
use crate::record::players::{decode, decode_sound};

const CANVAS: Size = Size::new(1280, 720);
const PEOPLE: u64 = 3;

/// Where the tiles of so many people lie.
fn places(people: u64) -> Vec<Rect> {
    let (mut core, mut out) = (SceneCore::new(CANVAS), Outbox::new());
    for id in 0..people {
        let joined = Input::Joined { participant: ParticipantId(id), name: String::new() };
        core.handle(std::time::Instant::now(), joined, &mut out);
    }
    core.scene().tiles.iter().map(|tile| tile.rect).collect()
}

/// Whose pictures are ever seen in a file, at the tiles of so many people.
pub fn seen(file: &Path, people: u64) -> BTreeSet<u16> {
    seen_at(file, &places(people))
}

/// As `seen`, where the room of so many people is itself the one tile of another.
pub fn seen_within(file: &Path, people: u64) -> BTreeSet<u16> {
    let outer = places(1)[0];
    let within = |inner: Rect| Rect {
        x: outer.x + inner.x * outer.width / CANVAS.width,
        y: outer.y + inner.y * outer.height / CANVAS.height,
        width: inner.width * outer.width / CANVAS.width,
        height: inner.height * outer.height / CANVAS.height,
    };
    seen_at(file, &places(people).into_iter().map(within).collect::<Vec<_>>())
}

fn seen_at(file: &Path, places: &[Rect]) -> BTreeSet<u16> {
    let told = Command::new("ffmpeg")
        .args(["-v", "error", "-i"])
        .arg(file)
        .args(["-vf", "fps=10", "-pix_fmt", "gray", "-color_range", "tv", "-f", "rawvideo", "-"])
        .output()
        .expect("ffmpeg is installed");
    let mut seen = BTreeSet::new();
    for picture in told.stdout.chunks_exact((CANVAS.width * CANVAS.height) as usize) {
        for rect in places {
            let [x, y, width, height] = [rect.x, rect.y, rect.width, rect.height].map(|side| side as usize);
            let plane = PlaneRef { data: picture, stride: CANVAS.width as usize };
            seen.extend(barcode::read(plane, (x, y, width, height)).map(|code| code.number));
        }
    }
    seen
}

/// Whose pilot tones are heard in a file.
pub fn heard(file: &Path) -> BTreeSet<usize> {
    let mut bank = PilotBank::new(0..3);
    let sound = decode_sound(file);
    bank.push(&sound.iter().flat_map(|sample| [*sample, *sample]).collect::<Vec<_>>());
    bank.heard()
}

/// Three people who all speak, of whom the first `unrecorded` do not want to be recorded; what they saw and heard, and
/// the recording.
fn call(folder: &Path, unrecorded: usize) -> (Report, std::path::PathBuf) {
    let store = folder.join("rec");
    let node = Node::start_in(&["--recordings", store.to_str().unwrap()], &[("TESSERA_RECORDINGS_TOKEN", TOKEN)]);
    let figures = folder.join("load.json");
    let told = Command::new(BINARY)
        .args(["load", "--url", &node.url, "--room", "daily", "--participants", "3", "--speakers", "3", "--quiet"])
        .args(["--duration", "12s", "--unrecorded", &unrecorded.to_string(), "--json"])
        .arg(&figures)
        .stdout(Stdio::null())
        .status()
        .expect("the binary starts");
    assert!(told.success());
    let report = serde_json::from_slice(&std::fs::read(&figures).unwrap()).unwrap();
    let listed = || serde_json::from_slice::<Value>(&plain_get(&node, "recordings").1).unwrap();
    wait_until("the recording is final", || listed()["recordings"][0]["state"] == "final");
    let name = listed()["recordings"][0]["recording"].as_str().unwrap().to_owned();
    let file = folder.join("recorded.mp4");
    std::fs::write(&file, plain_get(&node, &format!("recordings/{name}/video.mp4")).1).unwrap();
    node.stop();
    (report, file)
}

#[test]
fn whoever_does_not_want_to_be_recorded_is_in_the_call_and_not_in_the_recording() {
    let folder = tempfile::tempdir().unwrap();
    let (report, file) = call(folder.path(), 1);
    assert_eq!((report.participants.connected, report.participants.seen), (3, 3), "all see each other: {report:?}");
    assert_eq!((report.audio.heard, report.audio.own_heard), (report.audio.expected, 0), "and hear: {report:?}");
    assert!(decode(&file) > 60);
    assert_eq!(seen(&file, PEOPLE), BTreeSet::from([1, 2]));
    assert_eq!(heard(&file), BTreeSet::from([1, 2]));
}

#[test]
fn who_minds_nothing_is_in_the_recording() {
    let folder = tempfile::tempdir().unwrap();
    let (_, file) = call(folder.path(), 0);
    assert_eq!((seen(&file, PEOPLE), heard(&file)), (BTreeSet::from([0, 1, 2]), BTreeSet::from([0, 1, 2])));
}
