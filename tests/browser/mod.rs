//! **The question:** does a call work for a person in a browser? The real binary, Debian's Chromium with its fake
//! camera and microphone, and simulated people beside it; nothing stands in for anything.

mod arrange;
mod cost;
pub mod driver;
mod firefox;
pub mod node;

use std::time::{Duration, Instant};

use serde_json::Value;

use self::driver::{Browser, Driver};
use self::node::{Load, Node};

/// How long a step may take on a slow and busy machine before the test says that it will never happen.
const PATIENCE: Duration = Duration::from_secs(45);

/// What `window.tessera` tells, as plain JSON.
const STATE: &str = "const t = window.tessera; return t && { phase: t.phase, connected: t.connected, \
     participant: t.participant, participants: t.participants, tiles: t.tiles, problem: t.problem, ...t.figures };";

/// Samples the composite twice, 1.5 s apart, and counts for each tile the samples that changed:
/// `[[id, changed, of], …]`.
const MOTION: &str = r#"
const done = arguments[0];
const video = document.getElementById("composite");
const canvas = new OffscreenCanvas(video.videoWidth, video.videoHeight);
const paint = canvas.getContext("2d", { willReadFrequently: true });
// A room that gave up its largest rung, or a link that carries less, shows it smaller than the scene is told.
const by = video.videoWidth / (window.tessera.scene?.width ?? video.videoWidth);
const look = () => {
  paint.drawImage(video, 0, 0, canvas.width, canvas.height);
  const pixels = ({ x, y, width, height }) => paint.getImageData(x * by, y * by, width * by, height * by).data;
  return window.tessera.tiles.map((tile) => [tile.participant, pixels(tile)]);
};
const before = look();
setTimeout(() => {
  const after = new Map(look());
  done(before.map(([id, old]) => {
    const now = after.get(id);
    let changed = 0, of = 0;
    for (let i = 0; now && i < Math.min(old.length, now.length); i += 4 * 7) {
      const apart = (channel) => Math.abs(old[i + channel] - now[i + channel]);
      of += 1;
      if (apart(0) + apart(1) + apart(2) > 40) changed += 1;
    }
    return [id, changed, of];
  }));
}, 1500);
"#;

/// Opens the page, types a name, joins.
async fn join(driver: &Driver, node: &Node, room: &str, name: &str) -> Browser {
    let browser = driver.open(&format!("{}?room={room}", node.url)).await;
    enter(&browser, name).await;
    browser
}

/// Types a name into the open page, and joins.
pub async fn enter(browser: &Browser, name: &str) {
    browser.wait_for("the camera", "return document.getElementById('preview-off').hidden;", PATIENCE).await;
    browser.fill("#name", name).await;
    browser.click("#join").await;
}

/// Reads `window.tessera` until `enough` likes it.
pub async fn state_when(browser: &Browser, what: &str, enough: impl Fn(&Value) -> bool) -> Value {
    let until = Instant::now() + PATIENCE;
    loop {
        let state = browser.script(STATE).await;
        if enough(&state) {
            return state;
        }
        if Instant::now() > until {
            let at = browser.screenshot("gave-up").await;
            panic!(
                "never: {what}; last state {state:#}; screenshot {}; console {}",
                at.display(),
                browser.console().await
            );
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

fn count(state: &Value, key: &str) -> u64 {
    state[key].as_u64().unwrap_or(0)
}

fn len(state: &Value, key: &str) -> usize {
    state[key].as_array().map_or(0, Vec::len)
}

/// Pictures keep coming, and there is energy in the sound.
pub async fn sees_and_hears(browser: &Browser) {
    let first = state_when(browser, "a picture is decoded", |s| count(s, "framesDecoded") > 0).await;
    let decoded = count(&first, "framesDecoded");
    state_when(browser, "60 more pictures are decoded", |s| count(s, "framesDecoded") > decoded + 60).await;
    state_when(browser, "sound is heard", |s| s["audioEnergy"].as_f64().unwrap_or(0.0) > 0.0).await;
}

/// Whether within patience so many tiles were once seen to change, each in at least one sample of 400.
pub async fn tiles_move(browser: &Browser, count: usize) -> bool {
    let (until, mut last) = (Instant::now() + PATIENCE, Value::Null);
    while Instant::now() < until {
        let motion = browser.script_async(MOTION).await;
        last.clone_from(&motion);
        let tiles = motion.as_array().expect("the script gives a list");
        let moves = |tile: &Value| tile[1].as_u64().unwrap_or(0) * 400 >= tile[2].as_u64().unwrap_or(0).max(1);
        if tiles.iter().filter(|tile| moves(tile)).count() >= count {
            return true;
        }
    }
    println!("pixels that changed, of those looked at: {last}");
    false
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_viewer_by_whep_sees_and_hears() {
    let node = Node::start();
    let driver = Driver::start().await;
    let load = Load::start(&node, "watched", 2, 600);
    node.wait_for_participants("watched", 2, PATIENCE).await;
    let viewer = driver.open(&format!("{}?room=watched&watch", node.url)).await;
    viewer.click("#join").await;
    state_when(&viewer, "the viewer is connected", |s| s["connected"] == true).await;
    sees_and_hears(&viewer).await;
    let state = state_when(&viewer, "the viewer knows who is here", |s| len(s, "participants") == 2).await;
    assert!(state["participant"].is_null(), "a viewer is nobody in the room");
    viewer.screenshot("viewer").await;
    viewer.close().await;
    load.stop();
    node.stop();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_room_that_is_not_there_is_told_in_words() {
    let node = Node::start();
    let driver = Driver::start().await;
    let viewer = driver.open(&format!("{}?room=nobody-here&watch", node.url)).await;
    viewer.click("#join").await;
    let state = state_when(&viewer, "the refusal is shown", |s| s["problem"].is_string()).await;
    assert!(state["problem"].as_str().unwrap().contains("no such room"), "{state}");
    viewer.close().await;
    node.stop();
}
