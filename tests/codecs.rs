//! **The question:** does somebody without AV1 take part? Debian's Chromium, held to one codec at a time: it publishes
//! VP8, VP9 and H.264 by WHIP into one room, and watches that room by WHEP in H.264 alone.

use std::time::{Duration, Instant};

use serde_json::Value;

use crate::browser::driver::{Browser, Driver};
use crate::browser::node::Node;

/// How long a step may take on a slow and busy machine before the test says that it will never happen.
const PATIENCE: Duration = Duration::from_secs(45);

/// What the page's scripts share: an offer whose pictures are of one codec, posted to the node.
const COMMON: &str = r#"
const done = arguments[0];
const of = (side, name) => side.getCapabilities("video").codecs.filter((codec) => codec.mimeType === name);
const talk = async (pc, path) => {
  await pc.setLocalDescription();
  while (pc.iceGatheringState !== "complete") await new Promise((go) => setTimeout(go, 50));
  const headers = { "content-type": "application/sdp" };
  const response = await fetch(path, { method: "POST", headers, body: pc.localDescription.sdp });
  const text = await response.text();
  if (!response.ok) throw new Error(`${response.status} ${text}`);
  await pc.setRemoteDescription({ type: "answer", sdp: text });
};
const told = (work) => work.then(() => done("fine"), (error) => done(String(error)));
"#;

/// One connection a codec publishes the fake camera.
const PUBLISH: &str = r#"
globalThis.published = {};
told((async () => {
  const stream = await navigator.mediaDevices.getUserMedia({ video: { width: 640, height: 360 }, audio: true });
  for (const name of ["video/VP8", "video/VP9", "video/H264"]) {
    const pc = new RTCPeerConnection();
    const camera = pc.addTransceiver(stream.getVideoTracks()[0].clone(), { direction: "sendonly" });
    camera.setCodecPreferences(of(RTCRtpSender, name));
    pc.addTransceiver(stream.getAudioTracks()[0].clone(), { direction: "sendonly" });
    await talk(pc, "/whip/codecs");
    globalThis.published[name] = pc;
  }
})());
"#;

/// One connection watches, and shows what comes.
const WATCH: &str = r#"
told((async () => {
  const pc = new RTCPeerConnection();
  const composite = pc.addTransceiver("video", { direction: "recvonly" });
  composite.setCodecPreferences(of(RTCRtpReceiver, "video/H264"));
  await talk(pc, "/whep/codecs");
  const video = document.createElement("video");
  Object.assign(video, { muted: true, autoplay: true, srcObject: new MediaStream([composite.receiver.track]) });
  document.body.append(video);
  Object.assign(globalThis, { watching: pc, shown: video });
})());
"#;

/// What is sent and shown: `{sent: {codec: pictures}, seen: {codec: pictures}}`.
const FIGURES: &str = r#"
const figures = async () => {
  const count = async (pc, kind, key) => {
    const all = [...(await pc.getStats()).values()];
    const line = all.find((one) => one.type === kind && one.kind === "video");
    const codec = all.find((one) => one.id === line?.codecId)?.mimeType;
    return codec ? [[codec, line[key] ?? 0]] : [];
  };
  const all = Object.values(globalThis.published);
  const sent = await Promise.all(all.map((pc) => count(pc, "outbound-rtp", "framesSent")));
  const seen = await count(globalThis.watching, "inbound-rtp", "framesDecoded");
  return { sent: Object.fromEntries(sent.flat()), seen: Object.fromEntries(seen) };
};
figures().then(done, (error) => done({ error: String(error) }));
"#;

/// How many of the three tiles changed within 1.5 s: two above, one in the middle below.
const MOTION: &str = r#"
const video = globalThis.shown;
const canvas = new OffscreenCanvas(video.videoWidth, video.videoHeight);
const paint = canvas.getContext("2d", { willReadFrequently: true });
const look = () => {
  paint.drawImage(video, 0, 0);
  const [width, height] = [canvas.width / 4, canvas.height / 4];
  const at = (x, y) => paint.getImageData(x * canvas.width - width / 2, y * canvas.height - height / 2, width, height);
  return [at(0.25, 0.25), at(0.75, 0.25), at(0.5, 0.75)].map((image) => image.data);
};
const before = look();
setTimeout(() => {
  const after = look();
  const moved = before.filter((old, tile) => {
    let changed = 0;
    for (let i = 0; i < old.length; i += 4) changed += Math.abs(old[i] - after[tile][i]) > 40 ? 1 : 0;
    return changed * 400 > old.length / 4;
  });
  done(moved.length);
}, 1500);
"#;

/// Runs a script of the page until `enough` likes what it gives.
async fn until(browser: &Browser, what: &str, script: &str, enough: impl Fn(&Value) -> bool) -> Value {
    let end = Instant::now() + PATIENCE;
    loop {
        let told = browser.script_async(&format!("{COMMON}{script}")).await;
        if enough(&told) {
            return told;
        }
        let shot = browser.screenshot("codecs").await;
        assert!(Instant::now() < end, "never: {what}; last {told:#}; screenshot {}", shot.display());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn browsers_without_av1_publish_and_watch() {
    let node = Node::start();
    let driver = Driver::start().await;
    let browser = driver.open(&node.url).await;
    assert_eq!(browser.script_async(&format!("{COMMON}{PUBLISH}")).await, "fine");
    node.wait_for_participants("codecs", 3, PATIENCE).await;
    assert_eq!(browser.script_async(&format!("{COMMON}{WATCH}")).await, "fine");
    let flows = |told: &Value, side: &str, codec: &str| told[side][codec].as_u64().unwrap_or(0) > 30;
    until(&browser, "each is sent in its codec, and H.264 is seen", FIGURES, |told| {
        ["video/VP8", "video/VP9", "video/H264"].iter().all(|codec| flows(told, "sent", codec))
            && flows(told, "seen", "video/H264")
    })
    .await;
    until(&browser, "three tiles move", MOTION, |moved| *moved == 3).await;
    browser.close().await;
    node.stop();
}
