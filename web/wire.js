// What goes between this browser and the node: one RTCPeerConnection, its offers, candidates, restarts and its data channel.
// No page in here: `Wire` dispatches "state" (connection state), "message" (a parsed data-channel message) and "track".

import { fit } from "./devices.js";
import { bearer, moveTo } from "./token.js";
import { say } from "./words.js";

const LABEL = "tessera";
const VERSION = 1;
const ANSWER_MS = 10_000;
const GATHER_MS = 120;
/** How long the node may take to answer: on a network that is gone nothing else ends the wait. */
const ASK_MS = 5_000;
const SERVERS_MS = 3_600_000;
/**
 * How the node is asked for a connection: `patience`, ms, of one request, and whether with credentials.
 * @type {{patience: number, credentials?: RequestCredentials}}
 */
const HOW = { patience: ASK_MS };
/** Where the room's node is, first of all, and where it was: of one that is silent the next is asked. */
export const homes = [globalThis.location?.origin];
/** What is sent until the node asks for something else. */
const CAMERA_START = { maxBitrate: 1_200_000, maxFramerate: 30, scalabilityMode: "L1T1" };
const SCREEN_START = { maxBitrate: 2_000_000, maxFramerate: 15, scalabilityMode: "L1T1" };

/**
 * What the node refused; `detail` says what to do. `status` 0: it did not answer. `after`: seconds until it may be asked again.
 */
export class Problem extends Error {
  constructor({ status = 0, type = "", title, detail = "", after = 0 }) {
    super(detail ? `${title}. ${detail}` : title);
    this.status = status;
    this.type = type;
    this.title = title;
    this.detail = detail;
    this.after = after;
  }
}

/** Codecs that the node decodes, and those that it sends, each by preference: AV1 costs the node least. */
const SENT = ["video/av1", "video/vp9", "video/h264", "video/vp8"];
const SHOWN = ["video/av1", "video/h264"];
const SENDER = globalThis.RTCRtpSender ?? null;
const RECEIVER = globalThis.RTCRtpReceiver ?? null;

/** Whether this browser can send pictures that the node decodes, and show those that it sends. */
export function abilities() {
  return {
    rtc: "RTCPeerConnection" in globalThis,
    send: fitting(SENDER, SENT).length > 0,
    receive: fitting(RECEIVER, SHOWN).length > 0,
  };
}

const codecsOf = (side) => side?.getCapabilities?.("video")?.codecs ?? [];

/** The forms of `wanted` that this browser has, in that order. */
function fitting(side, wanted) {
  // AV1 of profile 0 and H.264 of packetization mode 1 only.
  const fits = (codec) =>
    !/profile=[12]/.test(codec.sdpFmtpLine ?? "") && !/packetization-mode=0/.test(codec.sdpFmtpLine ?? "");
  const all = codecsOf(side).filter(fits);
  return wanted.flatMap((name) => all.filter((codec) => codec.mimeType.toLowerCase() === name));
}

/** The forms of the first of `wanted` that this browser has. */
function best(side, wanted) {
  const all = fitting(side, wanted);
  return all.filter((codec) => codec.mimeType === all[0].mimeType);
}

/** These codecs alone, with retransmission; a browser that knows no preferences keeps its own order. */
function prefer(transceiver, side, codecs) {
  const rtx = codecsOf(side).filter((codec) => codec.mimeType.toLowerCase() === "video/rtx");
  if (codecs.length === 0) return;
  try {
    transceiver.setCodecPreferences?.([...codecs, ...rtx]);
  } catch (error) {
    console.warn("codec preferences were refused", error);
  }
}

const silent = () => new Problem({ title: say("node.silent"), detail: say("node.silent.do") });
const late = () => new Problem({ title: say("node.late"), detail: say("node.again") });

/** @param {Response} response */
async function textOf(response) {
  try {
    return await response.text();
  } catch {
    throw silent();
  }
}

/** Asks the node over HTTP; a refusal is a Problem. @param {string} url @param {RequestInit} init @param {number} [patience] ms */
export async function ask(url, init, patience = ASK_MS) {
  let response;
  try {
    response = await fetch(new URL(url, homes[0]), { signal: AbortSignal.timeout(patience), ...init });
  } catch {
    homes.push(homes.shift());
    throw silent();
  }
  if (response.ok) return response;
  const node = response.headers.get("Location");
  // One that shows the room beside its own node is asked by this page; to the room's own the page goes itself.
  if (node && node !== url && /[?&]relay=/.test(node)) return ask(node, init, patience);
  if (node) moveTo(node);
  const body = await response.json().catch(() => ({}));
  throw new Problem({
    status: response.status,
    type: body.type ?? "",
    title: body.title ?? say("node.said", { status: response.status }),
    detail: body.detail ?? "",
    after: Number.parseInt(response.headers.get("Retry-After") ?? "0", 10) || 0,
  });
}

/**
 * STUN and TURN servers of `Link` headers (RFC 9725 section 4.6).
 * @param {string | null} link
 * @returns {RTCIceServer[]}
 */
function iceServersIn(link) {
  const one = /<([^>]*)>((?: *; *[\w-]+="[^"]*")*)/g;
  /** @param {string} parameters @param {string} name */
  const value = (parameters, name) => new RegExp(`; *${name}="([^"]*)"`).exec(parameters)?.[1];
  const all = [...(link ?? "").matchAll(one)].filter(([, , parameters]) => value(parameters, "rel") === "ice-server");
  return all.map(([, urls, parameters]) => {
    const [username, credential] = ["username", "credential"].map((name) => value(parameters, name));
    return username === undefined ? { urls } : { urls, username, credential };
  });
}

/**
 * What the node names, asked once an hour and as soon as the page is there, so that no join waits for it.
 * @type {{ at: number, list: Promise<RTCIceServer[]> }}
 */
let iceServers = { at: -Infinity, list: Promise.resolve([]) };
function askIceServers() {
  if (performance.now() - iceServers.at > SERVERS_MS) {
    const before = iceServers.list;
    const answer = fetch("/whip/servers", { method: "OPTIONS", headers: bearer(), signal: AbortSignal.timeout(ASK_MS) });
    const list = answer.then((response) => iceServersIn(response.headers.get("Link"))).catch(() => {
      iceServers.at = -Infinity;
      return before;
    });
    iceServers = { at: performance.now(), list };
  }
  return iceServers.list;
}
if ("location" in globalThis) askIceServers();

export class Wire extends EventTarget {
  #pc = null;
  #channel = null;
  #location = null;
  #etag = null;
  #candidates = [];
  #gathered = false;
  #gatherTimer = 0;
  #answer = null;
  #work = Promise.resolve();
  #asked = new Map();
  #closed = false;
  /** While ICE is restarted, its candidates wait for the answer: the node does not know their session yet. */
  #restarting = false;
  /** Transceivers by the part they play. */
  parts = {};

  /** What names this connection, and with it the seat, to the node alone. */
  get seat() {
    return this.#location?.split("/").at(-1) ?? null;
  }

  /**
   * What the connection is for: `{room, name}` takes part, `{room, watch: true, as, rung}` watches; `seat` is that of a
   * connection that broke.
   */
  constructor(purpose) {
    super();
    this.purpose = purpose;
  }

  get connected() {
    return this.#pc?.connectionState === "connected";
  }

  /** Bits a second that the node asks for, of all that is sent. */
  get asked() {
    return [...this.#asked.values()].reduce((sum, { bitrate }) => sum + bitrate, 0);
  }

  get open() {
    return this.#channel?.readyState === "open";
  }

  /**
   * Makes the connection; resolves when the node has answered. `tracks`: {camera, microphone}, each a track or null.
   */
  async join(tracks = { camera: null, microphone: null }, { patience, ...how } = HOW) {
    const iceServers = await askIceServers();
    if (this.#closed) return;
    const pc = new RTCPeerConnection({ bundlePolicy: "max-bundle", rtcpMuxPolicy: "require", iceServers });
    this.#pc = pc;
    pc.addEventListener("connectionstatechange", () => this.#tell("state", pc.connectionState));
    pc.addEventListener("track", (event) => this.#tell("track", event.track));
    pc.addEventListener("icecandidate", (event) => this.#gather(event.candidate));
    if (this.purpose.watch) this.#layViewer(pc);
    else this.#layParticipant(pc, tracks);
    this.#channel = pc.createDataChannel(LABEL, { ordered: true });
    this.#channel.addEventListener("message", (event) => this.#hear(event.data));
    this.#channel.addEventListener("open", () => this.#tell("open"));
    this.#channel.addEventListener("close", () => this.#closed || this.#tell("state", "closed"));
    await pc.setLocalDescription(await pc.createOffer());
    const offer = { method: "POST", headers: { "Content-Type": "application/sdp", ...bearer() }, body: pc.localDescription.sdp, ...how };
    const place = this.#endpoint();
    const response = await ask(place, offer, patience);
    this.#location = new URL(response.headers.get("Location"), response.url).href;
    this.#etag = response.headers.get("ETag");
    const sdp = await textOf(response);
    // Left while the offer was under way: nobody needs this connection any more.
    if (this.#closed) return void this.farewell();
    // Whether they may be recorded was said meanwhile.
    if (this.#endpoint() !== place) {
      this.farewell();
      throw late();
    }
    await pc.setRemoteDescription({ type: "answer", sdp });
    this.#trickle();
  }

  #endpoint() {
    const { room, name, watch, as, rung, unrecorded, seat } = this.purpose;
    const place = encodeURIComponent(room);
    const asked = Object.entries({ as, rung }).filter(([, value]) => value).map((pair) => pair.map(encodeURIComponent).join("="));
    if (watch) return `/whep/${place}${asked.length > 0 ? `?${asked.join("&")}` : ""}`;
    return `/v1/rooms/${place}/participants?name=${encodeURIComponent(name)}&seat=${seat ?? "keep"}${unrecorded ? "&record=no" : ""}`;
  }

  /** The m-lines in the order of the wire's contract; the screen's two stay inactive until used. */
  #layParticipant(pc, { camera, microphone }) {
    const add = (kind, direction, sendEncodings) => pc.addTransceiver(kind, { direction, ...(sendEncodings && { sendEncodings }) });
    this.parts = {
      camera: add(camera ?? "video", "sendonly", [{ ...CAMERA_START }]),
      microphone: add(microphone ?? "audio", "sendonly"),
      screen: add("video", "inactive", [{ ...SCREEN_START }]),
      screenSound: add("audio", "inactive"),
      composite: add("video", "recvonly"),
      mix: add("audio", "recvonly"),
    };
    prefer(this.parts.camera, SENDER, best(SENDER, SENT));
    prefer(this.parts.screen, SENDER, best(SENDER, SENT));
    // All of them: the node changes between them as its cores are busy.
    prefer(this.parts.composite, RECEIVER, fitting(RECEIVER, SHOWN));
  }

  #layViewer(pc) {
    this.parts = {
      composite: pc.addTransceiver("video", { direction: "recvonly" }),
      mix: pc.addTransceiver("audio", { direction: "recvonly" }),
    };
    prefer(this.parts.composite, RECEIVER, fitting(RECEIVER, SHOWN));
  }

  /** One stream of the picture and the sound that come in. */
  inward() {
    return new MediaStream([this.parts.composite.receiver.track, this.parts.mix.receiver.track]);
  }

  /** Changes what one part sends, without a new offer. */
  async replace(part, track) {
    const sender = this.parts[part]?.sender;
    if (!sender) return;
    await sender.replaceTrack(track);
    await this.#fulfil(part);
  }

  /** Opens or closes the screen's two m-lines; needs a new offer. */
  shareScreen(picture, sound) {
    return this.#serially(async () => {
      const { screen, screenSound } = this.parts;
      await screen.sender.replaceTrack(picture);
      await screenSound.sender.replaceTrack(sound ?? null);
      screen.direction = picture ? "sendonly" : "inactive";
      screenSound.direction = picture && sound ? "sendonly" : "inactive";
      // As the node last agreed to, which it may not have to the newest offer.
      const isAgreed = (line) => line.direction === (line.currentDirection ?? "inactive");
      if (!isAgreed(screen) || !isAgreed(screenSound)) await this.#renegotiate();
      await this.#fulfil("screen");
    });
  }

  say(message) {
    if (this.open) this.#channel.send(JSON.stringify({ v: VERSION, ...message }));
  }

  async #renegotiate() {
    if (!this.open) throw new Problem({ title: say("node.soon"), detail: say("node.moment") });
    const pc = this.#pc;
    await pc.setLocalDescription(await pc.createOffer());
    const answered = new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(late()), ANSWER_MS);
      this.#answer = { resolve, reject, timer };
    });
    this.say({ type: "offer", sdp: pc.localDescription.sdp });
    try {
      await pc.setRemoteDescription({ type: "answer", sdp: await answered });
    } catch (problem) {
      if (pc.signalingState === "have-local-offer") await pc.setLocalDescription({ type: "rollback" });
      throw problem;
    } finally {
      clearTimeout(this.#answer?.timer);
      this.#answer = null;
    }
  }

  #hear(text) {
    let message;
    try {
      message = JSON.parse(text);
    } catch {
      return;
    }
    if (message?.v !== VERSION) return;
    if (message.type === "answer") return void this.#answer?.resolve(message.sdp);
    if (message.type === "problem" && this.#answer && /:(bad-offer|busy)$/.test(message.kind)) {
      return void this.#answer.reject(new Problem({ status: 400, type: message.kind, title: message.title, detail: message.detail }));
    }
    if (message.type === "send") {
      this.#asked.set(message.track, message);
      this.#fulfil(message.track).catch((error) => console.warn("the encoder refused", error));
    }
    this.#tell("message", message);
  }

  /** Sends no more than the tile shows: size, rate and bitrate as the node asked last. */
  async #fulfil(part) {
    const asked = this.#asked.get(part);
    const sender = this.parts[part]?.sender;
    if (!asked || !sender?.track) return;
    if (part === "camera" && asked.bitrate > 0) await fit(sender.track, asked).catch(() => {});
    const { width = 0, height = 0 } = sender.track.getSettings();
    // Read after every wait: only the newest parameters may be set.
    const parameters = sender.getParameters();
    const encoding = parameters.encodings?.[0];
    if (!encoding) return;
    const wanted = asked.width > 0 && asked.height > 0;
    // A bitrate of zero: nobody sees this picture now.
    encoding.active = asked.bitrate > 0;
    if (asked.bitrate > 0) encoding.maxBitrate = asked.bitrate;
    if (asked.fps > 0) encoding.maxFramerate = asked.fps;
    encoding.scaleResolutionDownBy = wanted ? Math.max(1, width / asked.width, height / asked.height) : 1;
    await sender.setParameters(parameters);
  }

  #gather(candidate) {
    if (candidate === null) this.#gathered = true;
    else if (candidate.candidate) this.#candidates.push(candidate);
    clearTimeout(this.#gatherTimer);
    this.#gatherTimer = setTimeout(() => this.#trickle(), this.#gathered ? 0 : GATHER_MS);
  }

  /** Candidates so far, in one PATCH; the node hears our checks anyway. */
  #trickle() {
    if (this.#closed || this.#restarting || !this.#location || (this.#candidates.length === 0 && !this.#gathered)) return;
    const body = this.#fragment(this.#candidates.splice(0));
    this.#gathered = false;
    const headers = { "Content-Type": "application/trickle-ice-sdpfrag", "If-Match": this.#etag ?? "*" };
    ask(this.#location, { method: "PATCH", headers, body }).catch((problem) => console.warn("trickle", problem.message));
  }

  #fragment(candidates) {
    const sdp = this.#pc.localDescription.sdp;
    const line = (name) => sdp.match(new RegExp(`^a=${name}:.*$`, "m"))?.[0].trim();
    const media = sdp.match(/^m=.*$/m)[0].trim();
    const lines = [line("ice-ufrag"), line("ice-pwd"), media, line("mid")];
    for (const { candidate } of candidates) lines.push(`a=${candidate}`);
    if (this.#gathered) lines.push("a=end-of-candidates");
    return `${lines.join("\r\n")}\r\n`;
  }

  /** Restarts ICE over HTTP (RFC 9725 section 4.3.3); rejects when the node no longer knows this connection. */
  restart({ patience, ...how } = HOW) {
    this.#answer?.reject(late());
    return this.#serially(async () => {
      const pc = this.#pc;
      if (!this.#location || pc.signalingState === "closed") throw new Problem({ status: 404, title: "There is no connection to restart" });
      this.#candidates.length = 0;
      this.#gathered = false;
      this.#restarting = true;
      try {
        await pc.setLocalDescription(await pc.createOffer({ iceRestart: true }));
        const headers = { "Content-Type": "application/trickle-ice-sdpfrag", "If-Match": "*" };
        const response = await ask(this.#location, { method: "PATCH", headers, body: this.#fragment([]), ...how }, patience);
        const fragment = await textOf(response);
        this.#etag = response.headers.get("ETag") ?? this.#etag;
        await pc.setRemoteDescription({ type: "answer", sdp: withIce(pc.currentRemoteDescription.sdp, fragment) });
      } catch (problem) {
        if (pc.signalingState === "have-local-offer") await pc.setLocalDescription({ type: "rollback" });
        // They are of the session that is not to be.
        this.#candidates.length = 0;
        clearTimeout(this.#gatherTimer);
        throw problem;
      } finally {
        this.#restarting = false;
      }
      this.#trickle();
    });
  }

  /** Offers never overlap. */
  #serially(task) {
    const run = this.#work.then(task);
    this.#work = run.catch(() => {});
    return run;
  }

  /** Bytes that came in, of media and data; 0 where the browser does not tell. */
  async arrived() {
    const all = [...(await this.stats()).values()];
    const sum = (type) => all.reduce((bytes, entry) => bytes + (entry.type === type ? (entry.bytesReceived ?? 0) : 0), 0);
    return sum("transport") || sum("candidate-pair");
  }

  async stats() {
    return this.#pc && this.#pc.connectionState !== "closed" ? this.#pc.getStats() : new Map();
  }

  /** Tells the node, even while the page closes, and lets go. Silently, if the seat is to be taken again. */
  farewell(silently = false) {
    this.#closed = true;
    clearTimeout(this.#gatherTimer);
    const close = () => this.#pc?.close();
    // First the goodbye: Firefox tells that it closes, and who is gone before they said so keeps a seat for a while.
    if (this.#location && !silently) fetch(this.#location, { method: "DELETE", keepalive: true, signal: AbortSignal.timeout(ASK_MS) }).then(close, close);
    else close();
    this.#location = null;
  }

  #tell(name, detail) {
    if (!this.#closed) this.dispatchEvent(new CustomEvent(name, { detail }));
  }
}

/** The node's last answer with the credentials and candidates of a restart's fragment. */
function withIce(sdp, fragment) {
  const lines = fragment.split(/\r?\n/);
  const find = (name) => lines.find((line) => line.startsWith(`a=${name}:`));
  const candidates = lines.filter((line) => line.startsWith("a=candidate:"));
  const kept = sdp.split("\r\n").filter((line) => !/^a=(candidate:|end-of-candidates)/.test(line));
  let first = true;
  return kept
    .flatMap((line) => {
      if (line.startsWith("a=ice-ufrag:")) return [find("ice-ufrag") ?? line];
      if (line.startsWith("a=ice-pwd:")) {
        const out = [find("ice-pwd") ?? line, ...(first ? candidates : [])];
        first = false;
        return out;
      }
      return [line];
    })
    .join("\r\n");
}
