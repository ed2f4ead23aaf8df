//! **The question:** does everybody see the faces where they want them, and the names on them? By the strips that
//! simulated people's pictures carry.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::driver::{Browser, Driver};
use super::node::{Load, Node};
use super::{join, len, state_when};

/// How long a step may take on a slow and busy machine before the test says that it will never happen.
const PATIENCE: Duration = Duration::from_secs(90);
const BARCODE: &str = include_str!("barcode.js");

/// Whose picture lies where, by the strips: what the picture shows of each tile, and what each face drawn apart shows.
const LOOK: &str = r##"
const video = document.getElementById("composite");
const area = (width, height) => new OffscreenCanvas(width, height).getContext("2d", { willReadFrequently: true });
const paint = area(video.videoWidth, video.videoHeight);
paint.drawImage(video, 0, 0);
const scene = window.tessera.scene;
const by = video.videoWidth / (scene?.width ?? 1);
const told = Object.fromEntries((scene?.tiles ?? []).map((tile) => [tile.participant, readBarcode(paint,
  { x: tile.x * by, y: tile.y * by, width: tile.width * by, height: tile.height * by })]));
const faces = Object.fromEntries([...document.querySelectorAll(".own-faces canvas")].map((face) => {
  const copy = area(face.width, face.height);
  copy.drawImage(face, 0, 0);
  const seen = face.getBoundingClientRect();
  const whole = { x: 0, y: 0, width: face.width, height: face.height };
  const grown = seen.width / face.width / (video.getBoundingClientRect().width / video.videoWidth);
  return [face.dataset.of, { number: readBarcode(copy, whole), grown }];
}));
const tiles = Object.fromEntries([...document.querySelectorAll("#tiles .tile")].map((tile) =>
  [tile.dataset.of, Math.round(tile.getBoundingClientRect().width)]));
return { told, faces, tiles };
"##;

async fn look_until(browser: &Browser, what: &str, enough: impl Fn(&Value) -> bool) -> Value {
    let until = Instant::now() + PATIENCE;
    loop {
        let seen = browser.script(&format!("{BARCODE}\n{LOOK}")).await;
        if enough(&seen) {
            return seen;
        }
        let shot = browser.screenshot("gave-up").await;
        assert!(Instant::now() < until, "never: {what}; last {seen:#}; screenshot {}", shot.display());
    }
}

/// Ids of those whose strip can be read.
fn readable(seen: &Value) -> Vec<(String, u64)> {
    let told = seen["told"].as_object().into_iter().flatten();
    told.filter_map(|(id, number)| Some((id.clone(), number.as_u64()?))).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_face_enlarged_twice_is_its_senders_pixels_and_the_choice_is_kept() {
    let node = Node::start();
    let driver = Driver::start().await;
    let load = Load::start(&node, "mine", 3, 240);
    let browser = join(&driver, &node, "mine", "Ada").await;
    state_when(&browser, "four are here", |s| len(s, "tiles") == 4).await;
    let seen = look_until(&browser, "three strips are read", |seen| readable(seen).len() == 3).await;
    let people = readable(&seen);
    let (big, number) = &people[0];
    let (hidden, _) = &people[1];

    browser.click("#more").await;
    browser.click("#own-toggle").await;
    browser.click(&format!("[data-act=big][data-of='{big}']")).await;
    // Its canvas holds the pixels that the picture has of it, and the page shows each of them twice as wide.
    let is_big = |seen: &Value| {
        let face = &seen["faces"][big];
        face["number"] == *number && face["grown"].as_f64().is_some_and(|grown| (1.9..2.1).contains(&grown))
    };
    look_until(&browser, "the enlarged face is its sender's", is_big).await;
    let moved = |seen: &Value| seen["faces"].as_object().map_or(0, serde_json::Map::len);
    let whole = |seen: &Value| {
        let of = |(id, n): &(String, u64)| seen["faces"].get(id).is_none_or(|face| face["number"] == *n);
        moved(seen) > 1 && people.iter().all(of)
    };
    look_until(&browser, "who was covered is whole elsewhere", whole).await;

    browser.click(&format!("[data-act=hide][data-of='{hidden}']")).await;
    look_until(&browser, "the hidden one is gone", |seen| seen["tiles"].get(hidden).is_none()).await;
    browser.screenshot("own-layout").await;

    // The same room again, in the same browser.
    browser.click("#leave").await;
    state_when(&browser, "the lobby is back", |s| s["phase"] == "lobby").await;
    browser.click("#join").await;
    look_until(&browser, "it is as it was left", |seen| is_big(seen) && seen["tiles"].get(hidden).is_none()).await;
    browser.click("#own-reset").await;
    look_until(&browser, "all is as the room has it", |seen| {
        seen["faces"] == json!({}) && seen["tiles"].as_object().is_some_and(|tiles| tiles.len() == 4)
    })
    .await;
    load.stop();
    browser.close().await;
    node.stop();
}

/// Notes for each shown frame, tile by tile, how far its name is from where the tile comes to rest, and whose strip is
/// under the name.
const FOLLOW: &str = r##"
const video = document.getElementById("composite");
const paint = new OffscreenCanvas(video.videoWidth, video.videoHeight).getContext("2d", { willReadFrequently: true });
window.followed = [];
const follow = () => {
  video.requestVideoFrameCallback(follow);
  paint.drawImage(video, 0, 0);
  for (const tile of document.querySelectorAll("#tiles .tile")) {
    const [x, y, width, height] = ["left", "top", "width", "height"].map((side) => parseFloat(tile.style[side]) / 100);
    const [wide, high] = [video.videoWidth, video.videoHeight];
    const area = { x: x * wide, width: width * wide, y: y * high, height: height * high };
    window.followed.push([tile.dataset.of, Math.round(area.y), Math.round(area.width), readBarcode(paint, area)]);
  }
};
follow();
"##;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn names_stay_on_faces_while_somebody_joins() {
    // So slow that many frames are on the way, on any machine.
    let folder = tempfile::tempdir().expect("a temporary folder");
    let config = folder.path().join("tessera.toml");
    std::fs::write(&config, "[video]\nmotion_ms = 4000\n").expect("it is ours");
    let node = Node::start_with(&["--config", config.to_str().expect("it is UTF-8")]);
    let driver = Driver::start().await;
    let load = Load::start(&node, "moving", 1, 240);
    let browser = join(&driver, &node, "moving", "Ada").await;
    state_when(&browser, "two are here", |s| len(s, "tiles") == 2).await;
    let seen = look_until(&browser, "the strip is read", |seen| readable(seen).len() == 1).await;
    let (id, number) = readable(&seen).remove(0);
    browser.script(&format!("{BARCODE}\n{FOLLOW}")).await;
    let grace = join(&driver, &node, "moving", "Grace").await;
    state_when(&grace, "three are here", |s| len(s, "tiles") == 3).await;
    // At rest again, and elsewhere than before.
    let there = |at: &Value| -> Option<(i64, i64)> { Some((at[1].as_i64()?, at[2].as_i64()?)) };
    let until = Instant::now() + PATIENCE;
    let all = loop {
        let followed = browser.script("return window.followed;").await;
        let of = followed.as_array().into_iter().flatten().filter(|note| note[0] == *id);
        let of: Vec<((i64, i64), Option<u64>)> = of.filter_map(|note| Some((there(note)?, note[3].as_u64()))).collect();
        let rest = of.last().map(|(place, _)| *place);
        let still = of.iter().rev().take_while(|(place, _)| Some(*place) == rest).count();
        if of.first().map(|(place, _)| *place) != rest && still > 30 {
            break of;
        }
        assert!(Instant::now() < until, "the tile never came to rest elsewhere");
        tokio::time::sleep(Duration::from_millis(200)).await;
    };
    let (begin, end) = (all[0].0, all[all.len() - 1].0);
    let away = |place: (i64, i64), from: (i64, i64)| (place.0 - from.0).abs().max((place.1 - from.1).abs()) > 8;
    let moving: Vec<_> = all.iter().filter(|(place, _)| away(*place, begin) && away(*place, end)).collect();
    let right = moving.iter().filter(|(_, seen)| *seen == Some(number)).count();
    assert!(moving.len() >= 5, "{} of {} frames were on the way", moving.len(), all.len());
    assert!(right * 3 >= moving.len() * 2, "under the name was its face in {right} of {} frames", moving.len());
    load.stop();
    grace.close().await;
    browser.close().await;
    node.stop();
}
