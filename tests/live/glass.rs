//! **The question:** how old is what a viewer sees? A browser sends a picture of the clock by WHIP, others on the same
//! machine watch it by WHEP and by HLS and read it from their screens: glass to glass, everything between included.
//!
//! The figures are printed, and asserted nowhere: `benches/glass.sh` watches for longer and says what the bars are.

use std::time::Duration;

use serde_json::Value;

use super::PATIENCE;
use crate::browser::driver::{Browser, Driver};
use crate::browser::node::Node;

const ROOM: &str = "clock";
const BARCODE: &str = include_str!("../browser/barcode.js");
const SHAKA: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/web/node_modules/shaka-player/dist/shaka-player.compiled.js");

/// Sends the clock: its hundredths of a second, 16 bits of them, thirty times a second.
const PUBLISH: &str = r##"
const done = arguments[0];
(async () => {
  const canvas = Object.assign(document.createElement("canvas"), { width: 1280, height: 720 });
  document.body.append(canvas);
  const paint = canvas.getContext("2d");
  let hue = 0;
  setInterval(() => {
    hue = (hue + 3) % 360;
    paint.fillStyle = `hsl(${hue} 40% 40%)`;
    paint.fillRect(0, 0, 1280, 720);
    drawStrip(paint, { x: 0, y: 0, width: 1280, height: 720 }, Math.floor(Date.now() / 10) & 0xffff);
  }, 1000 / 30);
  const voice = await navigator.mediaDevices.getUserMedia({ audio: true });
  const peer = (window.publisher = new RTCPeerConnection());
  peer.addTrack(canvas.captureStream(30).getVideoTracks()[0]);
  peer.addTrack(voice.getAudioTracks()[0]);
  await peer.setLocalDescription();
  while (peer.iceGatheringState !== "complete") await new Promise((go) => setTimeout(go, 20));
  const answer = await fetch("/whip/clock", {
    method: "POST", headers: { "content-type": "application/sdp" }, body: peer.localDescription.sdp,
  });
  await peer.setRemoteDescription({ type: "answer", sdp: await answer.text() });
  done(answer.status);
})().catch((error) => done(String(error)));
"##;

/// Reads it from every frame that the page's video shows.
const LOOK: &str = r##"
const [video] = document.getElementsByTagName("video");
const paint = new OffscreenCanvas(640, 360).getContext("2d", { willReadFrequently: true });
window.glass = { ages: [], unread: 0 };
const look = () => {
  const now = Date.now();
  paint.drawImage(video, 0, 0, 640, 360);
  const sent = readStrip(paint, { x: 0, y: 0, width: 640, height: 360 });
  if (sent === null) glass.unread += 1;
  else glass.ages.push(10 * ((Math.floor(now / 10) - sent) & 0xffff));
  video.requestVideoFrameCallback(look);
};
video.requestVideoFrameCallback(look);
return true;
"##;

/// As its makers' guide has it for low latency.
const BY_SHAKA: &str = r##"
const done = arguments[0];
(async () => {
  shaka.polyfill.installAll();
  const video = Object.assign(document.createElement("video"), { muted: true });
  document.body.append(video);
  const player = (window.player = new shaka.Player());
  await player.attach(video);
  player.configure({ streaming: { lowLatencyMode: true, liveSync: { enabled: true } } });
  // It reads no playlist that has parts alone, as each has in a stream's first seconds.
  for (let left = 20; ; left -= 1) {
    try {
      await player.load("/hls/clock/index.m3u8");
      break;
    } catch (error) {
      if (left === 0) throw error;
      await new Promise((go) => setTimeout(go, 500));
    }
  }
  await video.play();
  done(null);
})().catch((error) => done(String(error)));
"##;

/// How long each is watched once it plays steadily.
fn looked_at() -> Duration {
    let told = std::env::var("TESSERA_GLASS_SECONDS").ok().and_then(|text| text.parse().ok());
    Duration::from_secs(told.unwrap_or(1))
}

/// Watches what a page's video shows and prints how old that was.
async fn look(browser: &Browser, way: &str) {
    browser.script(&format!("{BARCODE}\n{LOOK}")).await;
    // A player that begins looks for its place first.
    let begun = format!("return glass.ages.length > {};", 15 * looked_at().as_secs());
    browser.wait_for(&format!("the clock is read: {way}"), &begun, PATIENCE).await;
    browser.script("glass.ages.length = 0; glass.unread = 0; window.since = performance.now();").await;
    // On a busy machine a second may show none.
    let over =
        format!("return performance.now() > window.since + {} && glass.ages.length > 7;", looked_at().as_millis());
    browser.wait_for("a while passes", &over, PATIENCE).await;
    let told = browser.script("return glass;").await;
    let mut ages: Vec<u64> = told["ages"].as_array().into_iter().flatten().filter_map(Value::as_u64).collect();
    ages.sort_unstable();
    let of = |part: usize| ages[(ages.len() - 1) * part / 100];
    println!(
        "glass to glass, {way}: median {} ms, p95 {} ms, longest {} ms, of {} pictures; {} not read",
        of(50),
        of(95),
        of(100),
        ages.len(),
        told["unread"]
    );
    assert!(told["unread"].as_u64() < Some(ages.len() as u64 / 4), "most are read: {told}");
}

/// The watch page, by WebRTC and then by HLS.
async fn watch(browser: &Browser, name: &str) {
    let by = |way: &str| format!("return tessera.phase === 'watching' && tessera.way === '{way}';");
    browser.wait_for("it is watched by WebRTC", &by("whep"), PATIENCE).await;
    look(browser, &format!("{name}, WHEP")).await;
    browser.click("#way").await;
    browser.wait_for("it is watched by HLS", &by("hls"), PATIENCE).await;
    look(browser, &format!("{name}, LL-HLS by hls.js")).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_clock_is_read_from_the_screens_of_its_viewers() {
    let node = Node::start();
    let driver = Driver::start().await;
    // A page of the node's own that forbids nothing.
    let bare = format!("{}healthz", node.url);
    let publisher = driver.open(&bare).await;
    let sent = publisher.script_async(&format!("{BARCODE}\n{PUBLISH}")).await;
    assert_eq!(sent, 201, "it is let in");
    node.wait_for_participants(ROOM, 1, PATIENCE).await;
    let page = format!("{}w/{ROOM}", node.url);

    let chromium = driver.open(&page).await;
    watch(&chromium, "Chromium").await;
    chromium.close().await;
    let firefox = Browser::firefox(&page).await;
    watch(&firefox, "Firefox").await;
    firefox.close().await;
    let shaka = std::fs::read_to_string(SHAKA).unwrap_or_else(|error| panic!("{error}; .ci/pages fetches it"));
    let chromium = driver.open(&bare).await;
    chromium.script(&format!("{shaka}; return true;")).await;
    assert_eq!(chromium.script_async(BY_SHAKA).await, Value::Null, "Shaka plays");
    look(&chromium, "Chromium, LL-HLS by Shaka").await;
    chromium.close().await;
    publisher.close().await;
    node.stop();
}
