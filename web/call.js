// One call as this person has it: who is here, what they send, and coming back when the connection breaks.
// No page in here: `Call` dispatches "change" after anything that is seen changed, "media" when picture and sound come from a
// new connection, "notice" with a text, "end" with a Problem.

import { Problem, Wire } from "./wire.js";
import * as devices from "./devices.js";

const RESTART_MS = 6000;
const DISCONNECTED_MS = 2500;
const LOOK_MS = 3000;
const BACKOFF_MS = [500, 1000, 2000, 4000, 8000, 8000, 8000, 8000];

export class Call extends EventTarget {
  /** "joining", "connected", "reconnecting" or "left". */
  phase = "joining";
  me = null;
  people = new Map();
  scene = null;
  speaking = { heard: new Set(), dominant: null };
  room = { recording: false };
  figures = {};
  #wire = null;
  #tracks;
  #screen = null;
  #muted;
  #recovering = false;
  #waiting = 0;

  /** `tracks`: {camera, microphone}, each a track or null; `purpose` as for Wire. */
  constructor(purpose, tracks = {}) {
    super();
    this.purpose = purpose;
    this.#tracks = { camera: tracks.camera ?? null, microphone: tracks.microphone ?? null };
    this.#muted = tracks.microphone ? !tracks.microphone.enabled : true;
  }

  get watching() {
    return Boolean(this.purpose.watch);
  }
  get cameraOn() {
    return this.#tracks.camera?.readyState === "live";
  }
  get hasMicrophone() {
    return this.#tracks.microphone !== null;
  }
  get muted() {
    return this.#muted;
  }
  get sharing() {
    return this.#screen !== null;
  }
  get ready() {
    return this.#wire?.open ?? false;
  }

  /** Connects for the first time; a refusal is the caller's to show. */
  async start() {
    try {
      await this.#connect();
      if (this.watching) this.#look();
    } catch (problem) {
      this.phase = "left";
      this.#wire?.farewell();
      throw problem;
    }
  }

  /** A viewer has no data channel; who is here is read from the room's page. */
  async #look() {
    while (this.phase !== "left") {
      const response = await fetch(`/v1/rooms/${encodeURIComponent(this.purpose.room)}`).catch(() => null);
      if (response?.ok) {
        const detail = await response.json();
        this.people = new Map(detail.participants.map((person) => [person.id, person]));
        this.room = { ...this.room, recording: detail.recording };
        this.#change();
      }
      await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
    }
  }

  async #connect() {
    const wire = new Wire(this.purpose);
    this.#wire = wire;
    wire.addEventListener("state", (/** @type {CustomEvent} */ event) => wire === this.#wire && this.#onState(event.detail));
    wire.addEventListener("message", (/** @type {CustomEvent} */ event) => wire === this.#wire && this.#onMessage(event.detail));
    wire.addEventListener("open", () => wire === this.#wire && this.#onOpen());
    await wire.join(this.#tracks);
    this.dispatchEvent(new CustomEvent("media"));
    this.#change();
  }

  /** The picture and sound of everyone, new after each new connection. */
  inward() {
    return this.#wire?.parts.composite ? this.#wire.inward() : null;
  }

  #onState(state) {
    clearTimeout(this.#waiting);
    if (state === "connected") {
      this.phase = "connected";
      this.#change();
    } else if (state === "failed" || state === "closed") {
      this.#recover();
    } else if (state === "disconnected") {
      // Often a moment of bad radio that passes by itself.
      this.#waiting = setTimeout(() => this.#recover(), DISCONNECTED_MS);
    }
  }

  #onOpen() {
    this.#tellState();
    if (this.#screen) this.#offerScreen().catch((problem) => this.#notice(problem.message, true));
    this.#change();
  }

  #onMessage(message) {
    switch (message.type) {
      case "welcome":
        this.me = message.participant ?? null;
        break;
      case "room":
        this.#announce(message.participants);
        this.people = new Map(message.participants.map((person) => [person.id, person]));
        break;
      case "speaking":
        this.speaking = { heard: new Set(message.heard), dominant: message.dominant ?? null };
        break;
      case "scene":
        this.scene = message;
        break;
      case "state":
        if (message.recording !== this.room.recording) this.#notice(message.recording ? "This call is being recorded." : "Recording has stopped.");
        this.room = message;
        break;
      case "problem":
        this.#notice(`${message.title}. ${message.detail}`, true);
        break;
      default:
        return;
    }
    this.#change();
  }

  /** Begins or ends the recording, for those who may; everyone is told by the room's state. */
  record(recording) {
    this.#wire?.say({ type: "record", recording });
  }

  #announce(now) {
    if (this.people.size === 0) return;
    const after = new Map(now.map((person) => [person.id, person]));
    for (const [id, person] of after) if (!this.people.has(id) && id !== this.me) this.#notice(`${person.name} joined.`);
    for (const [id, person] of this.people) if (!after.has(id) && id !== this.me) this.#notice(`${person.name} left.`);
  }

  /** First ICE alone; when the node does not know us any more, anew; with growing pauses while it does not answer. */
  async #recover() {
    if (this.#recovering || this.phase === "left") return;
    this.#recovering = true;
    this.phase = "reconnecting";
    this.#change();
    try {
      await this.#retry();
    } catch (problem) {
      this.leave();
      this.dispatchEvent(new CustomEvent("end", { detail: problem }));
    } finally {
      this.#recovering = false;
    }
  }

  async #retry() {
    let last = null;
    for (const pause of BACKOFF_MS) {
      if (this.phase === "left") return;
      try {
        if (await this.#revive()) return;
      } catch (problem) {
        // A refusal does not get better by asking again; silence, "busy" and "too many are joining" may.
        if (problem.status >= 400 && problem.status < 500 && problem.status !== 429) throw problem;
        last = problem;
      }
      await new Promise((resolve) => setTimeout(resolve, pause));
    }
    throw last ?? new Problem({ title: "The connection was lost", detail: "Join again." });
  }

  /** One attempt: the old connection if the node still has it, else a new one. */
  async #revive() {
    try {
      await this.#wire.restart();
      if (await this.#connectedWithin(RESTART_MS)) return true;
    } catch (problem) {
      if (problem.status === 0) throw problem;
    }
    if (this.phase === "left") return true;
    this.#wire.farewell();
    await this.#connect();
    return this.#connectedWithin(RESTART_MS);
  }

  async #connectedWithin(ms) {
    const until = performance.now() + ms;
    while (performance.now() < until && this.phase !== "left") {
      if (this.#wire.connected) {
        this.phase = "connected";
        this.#change();
        return true;
      }
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    return false;
  }

  setMuted(muted) {
    if (!this.#tracks.microphone) return;
    this.#muted = muted;
    this.#tracks.microphone.enabled = !muted;
    this.#tellState();
    this.#change();
  }

  /** The microphone of someone who joined without one. */
  async openMicrophone() {
    this.#tracks.microphone ??= await devices.microphone();
    await this.#wire.replace("microphone", this.#tracks.microphone);
    this.setMuted(false);
  }

  /** Off means off: the camera's light goes out. */
  async setCamera(on) {
    if (on && !this.cameraOn) this.#tracks.camera = await devices.camera();
    if (!on) {
      this.#tracks.camera?.stop();
      this.#tracks.camera = null;
    }
    await this.#wire.replace("camera", this.#tracks.camera);
    this.#tellState();
    this.#change();
  }

  /** Shares a screen, with its sound where the browser has it; false when the person changed their mind. */
  async startScreen() {
    const screen = await devices.screen();
    if (!screen) return false;
    this.#screen = screen;
    screen.picture.addEventListener("ended", () => this.#screen === screen && this.stopScreen());
    try {
      await this.#offerScreen();
    } catch (problem) {
      this.#letScreenGo();
      throw problem;
    } finally {
      this.#tellState();
      this.#change();
    }
    return true;
  }

  async stopScreen() {
    this.#letScreenGo();
    this.#tellState();
    this.#change();
    await this.#wire.shareScreen(null, null).catch((problem) => this.#notice(problem.message, true));
  }

  #offerScreen() {
    return this.#wire.shareScreen(this.#screen.picture, this.#screen.sound);
  }

  #letScreenGo() {
    this.#screen?.picture.stop();
    this.#screen?.sound?.stop();
    this.#screen = null;
  }

  #tellState() {
    this.#wire?.say({ type: "state", muted: this.#muted, camera: this.cameraOn, screen: this.sharing });
  }

  /** Reads what the browser counted, into `figures`. */
  async measure() {
    const figures = { framesDecoded: 0, framesPerSecond: 0, width: 0, height: 0, freezes: 0, audioEnergy: 0, audioLevel: 0, packetsLost: 0, framesSent: 0 };
    for (const entry of (await this.#wire?.stats())?.values() ?? []) {
      if (entry.type === "inbound-rtp" && entry.kind === "video") {
        Object.assign(figures, { framesDecoded: entry.framesDecoded ?? 0, framesPerSecond: entry.framesPerSecond ?? 0 });
        Object.assign(figures, { width: entry.frameWidth ?? 0, height: entry.frameHeight ?? 0, freezes: entry.freezeCount ?? 0 });
        figures.packetsLost += entry.packetsLost ?? 0;
      } else if (entry.type === "inbound-rtp" && entry.kind === "audio") {
        Object.assign(figures, { audioEnergy: entry.totalAudioEnergy ?? 0, audioLevel: entry.audioLevel ?? 0 });
        figures.packetsLost += entry.packetsLost ?? 0;
      } else if (entry.type === "outbound-rtp" && entry.kind === "video") {
        figures.framesSent += entry.framesSent ?? 0;
      }
    }
    this.figures = figures;
    return figures;
  }

  /** Ends the call; safe to call twice, and while the page is being closed. */
  leave() {
    if (this.phase === "left") return;
    this.phase = "left";
    clearTimeout(this.#waiting);
    this.#wire?.farewell();
    this.#letScreenGo();
    for (const track of Object.values(this.#tracks)) track?.stop();
    this.#change();
  }

  #notice(text, bad = false) {
    this.dispatchEvent(new CustomEvent("notice", { detail: { text, bad } }));
  }

  #change() {
    this.dispatchEvent(new CustomEvent("change"));
  }
}
