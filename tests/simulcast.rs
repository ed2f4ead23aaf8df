//! **The question:** does a browser that sends layers by rid send what its tile needs? Debian's Chromium publishes
//! three layers by WHIP, so without a data channel, while the room around it grows and shrinks.

use std::time::{Duration, Instant};

use serde_json::Value;

use crate::browser::driver::{Browser, Driver};
use crate::browser::node::{Load, Node};

/// How long a step may take on a slow and busy machine before the test says that it will never happen: a node that
/// was too busy asks for little for a while.
const PATIENCE: Duration = Duration::from_secs(120);

/// Publishes the fake camera in three layers.
const PUBLISH: &str = r#"
const done = arguments[0];
(async () => {
  const stream = await navigator.mediaDevices.getUserMedia({ video: { width: 1280, height: 720 } });
  const pc = new RTCPeerConnection();
  const sendEncodings = [["l", 4], ["m", 2], ["h", 1]].map(([rid, scaleResolutionDownBy]) =>
    ({ rid, scaleResolutionDownBy, scalabilityMode: "L1T1" }));
  const camera = pc.addTransceiver(stream.getVideoTracks()[0], { direction: "sendonly", sendEncodings });
  const vp8 = RTCRtpSender.getCapabilities("video").codecs.filter((codec) => codec.mimeType === "video/VP8");
  camera.setCodecPreferences(vp8);
  await pc.setLocalDescription();
  while (pc.iceGatheringState !== "complete") await new Promise((go) => setTimeout(go, 50));
  const headers = { "content-type": "application/sdp" };
  const response = await fetch("/whip/layers", { method: "POST", headers, body: pc.localDescription.sdp });
  const sdp = await response.text();
  if (!response.ok) throw new Error(`${response.status} ${sdp}`);
  await pc.setRemoteDescription({ type: "answer", sdp });
  globalThis.publishing = pc;
})().then(() => done("fine"), (error) => done(String(error)));
"#;

/// What of each layer was sent within a second, and how often a keyframe of it was asked for:
/// `{rid: {frames, asked}, …}`.
const LAYERS: &str = r#"
const done = arguments[0];
const look = async () => {
  const all = [...(await globalThis.publishing.getStats()).values()];
  return all.filter((one) => one.type === "outbound-rtp" && one.rid);
};
(async () => {
  const before = new Map((await look()).map((one) => [one.rid, one.framesSent ?? 0]));
  await new Promise((go) => setTimeout(go, 1000));
  const frames = (one) => (one.framesSent ?? 0) - (before.get(one.rid) ?? 0);
  return Object.fromEntries((await look()).map((one) => [one.rid, { frames: frames(one), asked: one.pliCount ?? 0 }]));
})().then(done, (error) => done({ error: String(error) }));
"#;

async fn until(browser: &Browser, what: &str, enough: impl Fn(&Value) -> bool) -> Value {
    let end = Instant::now() + PATIENCE;
    loop {
        let told = browser.script_async(LAYERS).await;
        if enough(&told) {
            return told;
        }
        assert!(Instant::now() < end, "never: {what}; last {told:#}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_browser_sends_the_layer_that_its_tile_needs_and_hardly_more() {
    let node = Node::start();
    let driver = Driver::start().await;
    let browser = driver.open(&node.url).await;
    assert_eq!(browser.script_async(PUBLISH).await, "fine");
    node.wait_for_participants("layers", 1, PATIENCE).await;
    let frames = |told: &Value, rid: &str| told[rid]["frames"].as_u64().unwrap_or(0);
    let asked = |told: &Value, rid: &str| told[rid]["asked"].as_u64().unwrap_or(0);
    let alone =
        until(&browser, "alone, all layers are sent", |told| ["l", "m", "h"].iter().all(|rid| frames(told, rid) > 0))
            .await;
    // Its tile is a sixteenth of the canvas now: the lowest layer's size.
    let load = Load::start(&node, "layers", 15, 600);
    node.wait_for_participants("layers", 16, PATIENCE).await;
    until(&browser, "in a crowd the highest layer ends and the lowest is asked for", |told| {
        frames(told, "h") == 0 && frames(told, "l") > 0 && asked(told, "l") > asked(&alone, "l")
    })
    .await;
    load.stop();
    // It begins with a keyframe of its own accord, so nobody need ask for one.
    until(&browser, "alone again, the highest layer comes back", |told| frames(told, "h") > 0).await;
    browser.close().await;
    node.stop();
}
