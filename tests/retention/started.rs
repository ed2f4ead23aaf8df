//! **The question:** does a recording begin and end when somebody asks for it, and is everyone told? By HTTP and by the
//! page's button, with real people in the room; the mark and the announcement are looked for in what was recorded.

use std::f32::consts::TAU;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use serde_json::{Value, json};

use super::deadline::{TOKEN, plain_get, wait_until_recorded};
use crate::browser::driver::{Driver, client};
use crate::browser::node::{Load, Node};
use crate::keepers::process::wait_until;
use crate::record::players::{decode, decode_sound};

const PATIENCE: Duration = Duration::from_secs(60);
/// What the announcement is: a tone that no voice holds for a second.
const TONE: f32 = 440.0;

/// A node that records when asked.
fn node(folder: &Path, participants_may: bool) -> Node {
    std::fs::write(folder.join("announcement.wav"), wav()).unwrap();
    let config = folder.join("tessera.toml");
    let sound = folder.join("announcement.wav");
    let text = format!(
        "[recording]\nenabled = true\nstart = \"asked\"\nparticipants_may_record = {participants_may}\n\
         announcement = \"{}\"\n",
        sound.display()
    );
    std::fs::write(&config, text).unwrap();
    let store = folder.join("rec");
    let flags = ["--config", config.to_str().unwrap(), "--recordings", store.to_str().unwrap()];
    Node::start_in(&flags, &[("TESSERA_RECORDINGS_TOKEN", TOKEN)])
}

/// Two seconds of a tone: 16 bits, mono, 48 kHz.
fn wav() -> Vec<u8> {
    let samples = (0..96_000).map(|n| (8_000.0 * (TAU * TONE * n as f32 / 48_000.0).sin()) as i16);
    let data: Vec<u8> = samples.flat_map(i16::to_le_bytes).collect();
    let mut file = b"RIFF".to_vec();
    file.extend((36 + data.len() as u32).to_le_bytes());
    file.extend(b"WAVEfmt \x10\0\0\0\x01\0\x01\0");
    file.extend(48_000_u32.to_le_bytes());
    file.extend(96_000_u32.to_le_bytes());
    file.extend(b"\x02\0\x10\0data");
    file.extend((data.len() as u32).to_le_bytes());
    file.extend(data);
    file
}

fn ask(node: &Node, method: reqwest::Method, path: &str, body: Option<Value>) -> u16 {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let request = client().request(method, format!("{}v1/rooms/daily/{path}", node.url));
    let request = body.into_iter().fold(request, |request, body| request.body(body.to_string()));
    runtime.block_on(async { request.send().await.unwrap().status().as_u16() })
}

fn recordings(node: &Node, query: &str) -> Vec<Value> {
    let listed: Value = serde_json::from_slice(&plain_get(node, &format!("recordings{query}")).1).unwrap();
    listed["recordings"].as_array().unwrap().clone()
}

fn is_recorded(node: &Node) -> bool {
    let told: Value = serde_json::from_slice(&plain_get(node, "rooms/daily").1).unwrap();
    told["recording"] == true
}

fn final_ones(node: &Node) -> usize {
    recordings(node, "").iter().filter(|recording| recording["state"] == "final").count()
}

/// Red, green and blue of the mark, left of its letters, two seconds into the recording.
fn mark(file: &Path) -> [u8; 3] {
    let pixel = "crop=2:2:1280-20-80+14:720-20-16,scale=1:1,format=rgb24";
    let told = Command::new("ffmpeg")
        .args(["-v", "error", "-ss", "2", "-i"])
        .arg(file)
        .args(["-frames:v", "1", "-vf", pixel, "-f", "rawvideo", "-"])
        .output()
        .expect("ffmpeg is installed");
    told.stdout.try_into().unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&told.stderr)))
}

/// How much of the loudest second's sound is the tone, 0 to 1.
fn tone(sound: &[f32]) -> f32 {
    let second = |samples: &[f32]| {
        let (mut real, mut imaginary, mut energy) = (0.0_f32, 0.0_f32, 1e-9_f32);
        for (n, sample) in samples.iter().enumerate() {
            let phase = TAU * (TONE * n as f32 / 48_000.0).fract();
            real += sample * phase.cos();
            imaginary += sample * phase.sin();
            energy += sample * sample;
        }
        2.0 * (real * real + imaginary * imaginary) / (samples.len() as f32 * energy)
    };
    sound.windows(48_000).step_by(12_000).map(second).fold(0.0, f32::max)
}

#[test]
fn a_recording_begins_when_asked_and_everyone_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let node = node(folder.path(), false);
    let load = Load::start(&node, "daily", 2, 600);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(node.wait_for_participants("daily", 2, PATIENCE));
    assert!(recordings(&node, "").is_empty() && !is_recorded(&node), "nobody asked");

    let wish = json!({ "owner": "ada@example.org", "retention_hours": 24 });
    assert_eq!(ask(&node, reqwest::Method::POST, "recording", Some(wish)), 201);
    assert!(is_recorded(&node));
    assert_eq!(ask(&node, reqwest::Method::POST, "recording", None), 200, "it goes on");
    wait_until("it is listed", || recordings(&node, "").len() == 1);
    wait_until_recorded(&node, 8);
    assert_eq!(ask(&node, reqwest::Method::DELETE, "recording", None), 204);
    assert!(!is_recorded(&node));
    wait_until("it is final while the call goes on", || final_ones(&node) == 1);
    assert_eq!(ask(&node, reqwest::Method::POST, "recording", None), 201, "another one");
    wait_until_recorded(&node, 3);
    load.stop();
    wait_until("both are final", || final_ones(&node) == 2);

    let of_ada = recordings(&node, "?owner=ada@example.org");
    assert_eq!((of_ada.len(), recordings(&node, "?owner=bob@example.org").len()), (1, 0));
    let hour = |recording: &Value| recording["recording"].as_str().unwrap()[..8].parse::<i64>().unwrap();
    let all = recordings(&node, "");
    let kept_on: Vec<i64> = all.iter().map(|recording| hour(recording) - hour(&of_ada[0])).collect();
    assert!(kept_on.contains(&0) && kept_on.iter().any(|hours| (143..=145).contains(hours)), "{kept_on:?}");
    let file = folder.path().join("asked.mp4");
    let name = of_ada[0]["recording"].as_str().unwrap();
    std::fs::write(&file, plain_get(&node, &format!("recordings/{name}/video.mp4")).1).unwrap();
    assert!(decode(&file) > 60);
    let [red, green, blue] = mark(&file);
    assert!(red > 130 && green < 90 && blue < 90, "the mark is {red} {green} {blue}");
    let share = tone(&decode_sound(&file));
    assert!(share > 0.3, "the announcement is {share} of the sound");
    node.stop();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_participant_who_may_records_by_the_pages_button() {
    let folder = tempfile::tempdir().unwrap();
    let node = node(folder.path(), true);
    let driver = Driver::start().await;
    let browser = driver.open(&format!("{}?room=daily", node.url)).await;
    browser.wait_for("the camera", "return document.getElementById('preview-off').hidden;", PATIENCE).await;
    browser.fill("#name", "Ada Lovelace").await;
    browser.click("#join").await;
    let shown = |id: &str| format!("return !document.getElementById('{id}').hidden;");
    browser.wait_for("the button", &shown("record"), PATIENCE).await;
    assert_eq!(browser.script(&shown("recording")).await, false);
    browser.click("#record").await;
    browser.wait_for("everyone is told", &shown("recording"), PATIENCE).await;
    browser.click("#record").await;
    let hidden = "return document.getElementById('recording').hidden;";
    browser.wait_for("everyone is told again", hidden, PATIENCE).await;
    browser.close().await;
    node.stop();
}
