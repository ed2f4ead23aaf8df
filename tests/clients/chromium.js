// Connections of one page, each with codecs and a colour of its own: they publish by WHIP and watch by WHEP. Before this
// stand `room` and `people`: `{name, colour, codecs, disguise}`, where `codecs` tells what the list of codecs is filtered
// to, by what each one's name and parameters hold, and `disguise` says one profile in the place of another, both ways.
const done = arguments[0];
const [columns, rows] = [32, 18];
const chosen = (side, codecs) => {
  const all = side.getCapabilities("video").codecs.filter((codec) => !codec.sdpFmtpLine?.includes("packetization-mode=0"));
  const of = (wanted) => all.filter((codec) => `${codec.mimeType} ${codec.sdpFmtpLine}`.includes(wanted));
  return codecs.flatMap(of);
};
const talk = async (pc, path, [theirs, shown] = []) => {
  await pc.setLocalDescription();
  while (pc.iceGatheringState !== "complete") await new Promise((go) => setTimeout(go, 50));
  const headers = { "content-type": "application/sdp" };
  const body = pc.localDescription.sdp.replaceAll(theirs, shown);
  const response = await fetch(path, { method: "POST", headers, body });
  const text = await response.text();
  if (!response.ok) throw new Error(`${response.status} ${text}`);
  await pc.setRemoteDescription({ type: "answer", sdp: text.replaceAll(shown, theirs) });
  return /<([^>]*[?]as=[^>]*)>/.exec(response.headers.get("link") ?? "")?.[1];
};
const join = async ({ name, colour, codecs, disguise }, voice) => {
  const canvas = Object.assign(document.createElement("canvas"), { width: 160, height: 120 });
  const brush = canvas.getContext("2d");
  setInterval(() => {
    brush.fillStyle = `#${colour}`;
    brush.fillRect(0, 0, 160, 120);
  }, 200);
  const publisher = new RTCPeerConnection();
  const camera = publisher.addTransceiver(canvas.captureStream(5).getVideoTracks()[0], { direction: "sendonly" });
  camera.setCodecPreferences(chosen(RTCRtpSender, codecs));
  publisher.addTransceiver(voice.clone(), { direction: "sendonly" });
  const link = await talk(publisher, `/whip/${room}`, disguise);
  while (publisher.connectionState !== "connected") await new Promise((go) => setTimeout(go, 50));
  const viewer = new RTCPeerConnection();
  const [sound, picture] = ["audio", "video"].map((kind) => viewer.addTransceiver(kind, { direction: "recvonly" }));
  picture.setCodecPreferences(chosen(RTCRtpReceiver, codecs));
  await talk(viewer, link, disguise);
  const video = document.createElement("video");
  const srcObject = new MediaStream([picture.receiver.track, sound.receiver.track]);
  Object.assign(video, { autoplay: true, srcObject });
  document.body.append(video);
  globalThis.joined[name] = { publisher, viewer, video };
};
const begin = async () => {
  globalThis.joined = {};
  const [voice] = (await navigator.mediaDevices.getUserMedia({ audio: true })).getAudioTracks();
  for (const person of people) await join(person, voice);
};
const look = async ({ viewer, video }) => {
  const inbound = [...(await viewer.getStats()).values()].filter((one) => one.type === "inbound-rtp");
  const [sound] = inbound.filter((one) => one.kind === "audio");
  const loudness = Math.sqrt((sound?.totalAudioEnergy ?? 0) / (sound?.totalSamplesDuration || 1));
  if (video.videoWidth === 0) return { pixels: [], loudness };
  const paint = new OffscreenCanvas(columns, rows).getContext("2d");
  paint.drawImage(video, 0, 0, columns, rows);
  const { data } = paint.getImageData(0, 0, columns, rows);
  const hex = (at) => [0, 1, 2].map((n) => data[at + n].toString(16).padStart(2, "0")).join("");
  return { pixels: Array.from({ length: columns * rows }, (_, n) => hex(4 * n)), loudness };
};
const all = async () => {
  const looks = Object.entries(globalThis.joined).map(async ([name, person]) => [name, await look(person)]);
  return Object.fromEntries(await Promise.all(looks));
};
(globalThis.joined ? all() : begin()).then(done, (error) => done({ error: String(error) }));
