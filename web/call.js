// One call as this person has it: who is here, what they send, and coming back when the connection breaks.
// No page in here: `Call` dispatches "change" after anything that is seen changed, "media" with a new connection's picture
// and sound, "scene" with where the tiles lie, "chat" with lines, "reaction", "record" when a recording begins, "notice" with a
// text, "end" with a Problem.

import { Problem, Wire, ask } from "./wire.js";
import * as devices from "./devices.js";
import { Keeper, isRefusal } from "./keeper.js";
import { Unsaid } from "./unsaid.js";
import { qualityOf } from "./quality.js";
import { bearer } from "./token.js";
import { clock, say } from "./words.js";

const CAPTIONS = "/assets/captions.js";
const LOBBY = "/assets/lobby.js";
const MOVED = "/assets/moved.js";
let captions = null;

const LOOK_MS = 3000;
/** After so long it is said that there is no answer, and a person may try at once. */
const SILENT_MS = 12_000;
const LINES_MAX = 500;
/** Hours that are no further apart are the same. */
const MOMENT_MS = 30_000;
const PARTS = /** @type {const} */ (["camera", "microphone"]);

export class Call extends EventTarget {
  /** "joining", "connected", "reconnecting", "gone" (it came back to nothing, and waits for the person's word) or "left". */
  phase = "joining";
  me = null;
  people = new Map();
  scene = null;
  speaking = { heard: new Set(), dominant: null };
  /** @type {Record<string, any>} */
  room = { recording: false };
  /** @type {Record<string, any> | null} */
  layout = null;
  rules = { mute_on_entry: false, push_to_talk: false };
  /** When the node goes down for upkeep, by this machine's clock, and the call with it. @type {Date | null} */
  endsAt = null;
  /** What the person was told of that. @type {Date | null} */
  #endTold = null;
  /** The servers that the person was told of, which show the room. */
  #pushedTold = new Set();
  /** What was written, by id. @type {Map<number, any>} */
  lines = new Map();
  /** How often the connection broke and came back. */
  returns = 0;
  /** Whether this person may mute and remove others. */
  isHost = false;
  /** @type {Record<string, any>} */
  figures = {};
  quality = { level: "good", why: "" };
  #wire = null;
  /** What is sent: {camera, microphone}, each a track or null. */
  #tracks;
  /** How often each was wanted otherwise: one that opens late is for the newest wish alone. */
  #wishes = { camera: 0, microphone: 0 };
  #screen = null;
  #joining = null;
  #keeper;
  /** The seat to come back to: that of the newest connection that stood. */
  #seat = null;
  #hand = false;
  /** What the hand should be and is not known to be yet. @type {boolean | null} */
  #handWish = null;
  #unsaid = new Unsaid();
  /** The layout that was chosen here for everyone. @type {Record<string, any> | null} */
  #chosen = null;
  /** What a room that began anew is told once more: who was there before, and how it was laid out. */
  #before = { ids: new Set(), chosen: null };

  /** `tracks`: {camera, microphone}, each a track or null; `purpose` as for Wire. */
  constructor(purpose, tracks = {}) {
    super();
    this.purpose = purpose;
    this.#tracks = { camera: tracks.camera ?? null, microphone: tracks.microphone ?? null };
    // Others are on their way back too: a room that is not there yet is there in a moment.
    const isFinal = (/** @type {Problem} */ problem) => isRefusal(problem) && !(this.watching && problem.status === 404);
    this.#keeper = new Keeper((how) => this.#connect(how), isFinal);
    const on = (name, act) => this.#keeper.addEventListener(name, (/** @type {CustomEvent} */ event) => this.phase !== "left" && act(event.detail));
    on("lost", () => this.#turn("reconnecting"));
    on("try", () => this.#turn("reconnecting"));
    on("gone", () => this.#turn("gone"));
    on("back", () => this.#returned());
    on("refused", ({ problem }) => this.#end(problem));
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
    return !this.#tracks.microphone?.enabled;
  }
  get sharing() {
    return this.#screen !== null;
  }
  get handUp() {
    return this.#handWish ?? this.people.get(this.me)?.hand ?? false;
  }
  get ready() {
    return this.#wire?.open ?? false;
  }

  /** While it comes back, the words that tell how that goes. */
  get trouble() {
    if (this.phase === "gone") return say("wait.gone");
    if (navigator.onLine === false) return say("wait.offline");
    const { lostFor, problem } = this.#keeper;
    if (lostFor < SILENT_MS) return say("wait.back");
    // The node answered, and the connection is yet to stand.
    if (!problem) return say("wait.back");
    return problem.status ? say("wait.refused", { title: problem.title }) : say("wait.silent");
  }
  /** Whether there is use in a button that tries at once. */
  get mayTry() {
    return this.phase === "gone" || (this.phase === "reconnecting" && this.#keeper.lostFor >= SILENT_MS);
  }

  /** Connects for the first time; a refusal is the caller's to show. */
  async start() {
    try {
      this.#keeper.keep(await this.#connect());
      if (this.watching) this.#look();
    } catch (problem) {
      this.phase = "left";
      throw problem;
    }
  }

  /** A viewer has no data channel; who is here is read from the room's page. */
  async #look() {
    while (this.phase !== "left") {
      const response = await fetch(`/v1/rooms/${encodeURIComponent(this.purpose.room)}`, { headers: bearer() }).catch(() => null);
      if (response?.ok) {
        const detail = await response.json();
        this.people = new Map(detail.participants.map((person) => [person.id, person]));
        this.room = { ...this.room, recording: detail.recording };
        this.#change();
      }
      await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
    }
  }

  /** Joins, anew where there was a connection before. @param {import("./keeper.js").How} [how] */
  async #connect(how) {
    const wire = new Wire({ ...this.purpose, seat: this.#seat });
    this.#joining = wire;
    // What comes before the joining is over on this side waits for that.
    const early = [];
    const on = (name, act) => wire.addEventListener(name, (/** @type {CustomEvent} */ { detail }) => {
      if (wire === this.#wire) act(detail);
      else if (wire === this.#joining) early.push(() => act(detail));
    });
    on("state", (state) => this.#onState(state));
    on("message", (message) => this.#onMessage(message));
    on("open", () => this.#onOpen());
    try {
      await wire.join(this.#tracks, how);
      await how?.seen?.(wire);
    } catch (problem) {
      wire.farewell(true);
      throw problem;
    } finally {
      this.#joining = null;
    }
    this.#wire = wire;
    this.#catchUp().catch((error) => console.warn("a track was not taken over", error));
    this.dispatchEvent(new CustomEvent("media"));
    for (const act of early) act();
    this.#change();
    return wire;
  }

  /** Goes to another node: first there, then away from here. */
  async #move(how) {
    const before = this.#wire;
    this.#keeper.keep(await this.#connect(how));
    before.farewell();
  }

  /** The picture and sound of everyone, new after each new connection. */
  inward() {
    return this.#wire?.parts.composite ? this.#wire.inward() : null;
  }

  get receiver() {
    return this.#wire?.parts.composite?.receiver ?? null;
  }

  #onState(state) {
    if (state !== "connected") return;
    this.#seat = this.#wire.seat ?? this.#seat;
    this.#turn("connected");
  }

  #turn(phase) {
    this.phase = phase;
    this.#change();
  }

  /** The network or the page is there again: nothing is waited for any longer. */
  wake() {
    this.#keeper.wake();
  }

  /** The person wants another try, now. */
  tryAgain() {
    if (this.phase === "gone") this.#turn("reconnecting");
    this.#keeper.again();
  }

  #returned() {
    this.#seat = this.#wire.seat ?? this.#seat;
    this.returns += 1;
    this.#turn("connected");
    this.#notice(say("back"));
    this.#reopen();
  }

  /** Sends over a new connection what was switched while it was made. */
  async #catchUp() {
    for (const part of PARTS) {
      const sender = this.#wire.parts[part]?.sender;
      if (sender && sender.track !== this.#tracks[part]) await this.#wire.replace(part, this.#tracks[part]);
    }
  }

  /**
   * Opens a device. Undefined, and nothing stays open, where meanwhile the call was left or something else was wanted of it.
   * @param {"camera" | "microphone"} part @returns {Promise<MediaStreamTrack | undefined>}
   */
  async #open(part) {
    const wish = ++this.#wishes[part];
    const isWanted = () => this.phase !== "left" && wish === this.#wishes[part];
    try {
      const track = await devices[part]();
      if (isWanted()) return track;
      track.stop();
    } catch (error) {
      if (isWanted()) throw error;
    }
    return undefined;
  }

  /** Sends this from now on, muted as what was sent before, which ends. @param {MediaStreamTrack | null} track */
  async #take(part, track) {
    const before = this.#tracks[part];
    if (before && track) track.enabled = before.enabled;
    this.#tracks[part] = track;
    before?.stop();
    await this.#wire?.replace(part, track);
    this.#tellState();
    this.#change();
  }

  /** Cameras and microphones may end while a machine sleeps. */
  async #reopen() {
    for (const part of PARTS) {
      if (this.#tracks[part]?.readyState !== "ended") continue;
      const track = await this.#open(part).catch(() => null);
      if (track !== undefined) await this.#take(part, track);
    }
  }

  /** @param {"camera" | "microphone"} part */
  inUse(part) {
    return this.#tracks[part]?.getSettings().deviceId;
  }

  #onOpen() {
    this.#tellState();
    if (this.#screen) this.#offerScreen().catch((problem) => this.#notice(problem.message, true));
    this.#change();
  }

  #onMessage(message) {
    if (message.captioned || captions) (captions ??= import(CAPTIONS)).then((it) => it.hear(message), () => (captions = null));
    switch (message.type) {
      case "welcome":
        this.#welcome(message.participant ?? null);
        break;
      case "room":
        this.#remind(message.participants);
        this.#announce(message.participants);
        this.people = new Map(message.participants.map((person) => [person.id, person]));
        break;
      case "speaking":
        this.speaking = { heard: new Set(message.heard), dominant: message.dominant ?? null };
        break;
      case "scene":
        this.scene = message;
        this.dispatchEvent(new CustomEvent("scene", { detail: message }));
        break;
      case "state":
        this.#roomState(message);
        break;
      case "layout":
        this.layout = message;
        break;
      case "rules":
        if (message.push_to_talk && !this.rules.push_to_talk) this.#notice(say("push"));
        this.rules = message;
        break;
      case "lobby":
        import(LOBBY).then((it) => it.show(message.people, this));
        return;
      case "node":
        this.#nodeEnds(message.ends_in_s);
        break;
      case "moved":
        return void import(MOVED).then((it) => it.follow(message, (how) => this.#move(how)));
      case "chat":
        this.#read(message.lines);
        break;
      case "reaction":
        this.dispatchEvent(new CustomEvent("reaction", { detail: message }));
        return;
      case "problem":
        // Nobody comes back from that by themselves.
        if (message.kind?.endsWith(":removed")) return this.#end(new Problem(message));
        this.#notice(`${message.title}. ${message.detail}`, true);
        break;
      default:
        return;
    }
    this.#change();
  }

  /** Begins or ends the recording, for those who may; everyone is told by the room's state. */
  record(recording) {
    this.#sayNow({ type: "record", recording });
  }

  /** The node goes down in so many seconds, or not any more. @param {number | undefined} seconds */
  #nodeEnds(seconds) {
    this.endsAt = seconds === undefined ? null : new Date(Date.now() + seconds * 1000);
    // Who came back is told again, and knows it.
    if (Math.abs(Number(this.endsAt) - Number(this.#endTold)) < MOMENT_MS) return;
    this.#endTold = this.endsAt;
    this.#notice(this.endsAt ? say("upkeep", { time: clock.format(this.endsAt) }) : say("upkeep.off"));
  }

  #welcome(me) {
    // A node that goes down says so after this.
    this.endsAt = null;
    const before = this.me;
    this.me = me;
    // Only now there is a room for sure.
    if (this.purpose.host) this.becomeHost();
    // It may have been said into a connection that was lost.
    this.#wire.say({ type: "recordable", recordable: !this.purpose.unrecorded });
    // All that was written comes again; of a room that began anew nothing does.
    this.lines.clear();
    this.dispatchEvent(new CustomEvent("chat", { detail: { lines: [], anew: true } }));
    this.#unsaid.again(me, (text, to) => this.#chat(text, to));
    // Another id: the seat was not kept, so what it held is said once more.
    const isOther = before !== null && before !== me;
    const hand = this.#handWish ?? (isOther && this.#hand ? true : null);
    if (hand !== null) this.raiseHand(hand);
    const wasHeard = isOther && this.people.get(before)?.hushed === false;
    if (wasHeard && !this.muted && this.rules.mute_on_entry && !this.rules.push_to_talk) this.talk(true);
    const isAsChosen = this.layout?.layout?.layout === this.#chosen?.layout;
    this.#before = { ids: new Set(isOther ? this.people.keys() : []), chosen: isOther && isAsChosen ? this.#chosen : null };
  }

  /** Lays out a room that began anew as this person had it. */
  #remind(participants) {
    const { ids, chosen } = this.#before;
    this.#before = { ids: new Set(), chosen: null };
    // Said at once: that the connection stands is noticed a moment later.
    if (chosen && !participants.some(({ id }) => ids.has(id))) this.#wire.say({ type: "layout", layout: chosen });
  }

  #roomState(message) {
    const began = message.recording && !this.room.recording;
    if (!message.recording && this.room.recording) this.#notice(say("record.ended"));
    for (const to of message.pushed ?? []) {
      // One that breaks off and comes again is no news.
      if (!this.#pushedTold.has(to)) this.#notice(say("pushed", { to }));
      this.#pushedTold.add(to);
    }
    this.room = message;
    if (began) this.dispatchEvent(new CustomEvent("record"));
  }

  #read(lines) {
    const fresh = lines.filter((line) => !this.lines.has(line.id));
    for (const line of fresh) this.lines.set(line.id, line);
    this.#unsaid.read(fresh);
    while (this.lines.size > LINES_MAX) this.lines.delete(this.lines.keys().next().value);
    this.dispatchEvent(new CustomEvent("chat", { detail: { lines: fresh, anew: false } }));
  }

  /** Writes to everyone, or to the one of that id; while the connection is lost, once it stands again. */
  write(text, to = "") {
    // An open channel delivers it also after a while; of one that is replaced, `#unsaid` knows.
    this.#unsaid.add(text, to, this.#chat(text, to));
    if (!this.#isReady) this.#notice(say("chat.later"));
  }

  /** Sends a line; the newest that there was before it. */
  #chat(text, to) {
    this.#wire?.say({ type: "chat", text, ...(to && { to }) });
    return Math.max(-1, ...this.lines.keys());
  }

  get #isReady() {
    return this.phase === "connected" && this.ready;
  }

  /** Says what is of the moment, or that it cannot be said now. */
  #sayNow(message) {
    if (this.#isReady) this.#wire.say(message);
    else this.#notice(`${say("node.soon")}. ${say("node.moment")}`, true);
  }

  react(reaction) {
    this.#sayNow({ type: "reaction", reaction });
  }

  raiseHand(raised) {
    this.#hand = this.#handWish = raised;
    this.#wire?.say({ type: "hand", raised });
    this.#change();
  }

  /** Says whether this person is to be heard: once where they were muted on entry, and while the key is held. */
  talk(talking) {
    this.#wire?.say({ type: "talk", talking });
  }

  /** Whether recordings may show and sound this person. */
  consent(recordable) {
    this.purpose.unrecorded = !recordable;
    if (this.#joining) this.#joining.purpose.unrecorded = !recordable;
    this.#wire?.say({ type: "recordable", recordable });
  }

  /** Lays the room out for everyone, or turns its page. */
  arrange(wanted) {
    if (wanted.layout) this.#chosen = wanted.layout;
    this.#sayNow({ type: "layout", ...wanted });
  }

  /** What a host asks: `{participants: {id: {muted}}}`. */
  async moderate(wanted) {
    const { room } = this.purpose;
    const headers = { "Content-Type": "application/json", ...bearer() };
    const init = { method: "PATCH", headers, body: JSON.stringify(wanted) };
    await ask(`/v1/rooms/${encodeURIComponent(room)}/moderation`, init);
  }

  /** Whether the node takes that from this person: an empty wish changes nothing. */
  async becomeHost() {
    if (this.isHost) return;
    this.isHost = await this.moderate({}).then(() => true, () => false);
    this.#change();
  }

  #announce(now) {
    if (this.people.size === 0) return;
    const after = new Map(now.map((person) => [person.id, person]));
    const tell = (key, person) => person.id !== this.me && this.#notice(say(key, { name: person.name }));
    for (const [id, person] of after) {
      const before = this.people.get(id);
      if (!before) tell("joined", person);
      else if (person.away !== before.away) tell(person.away ? "away" : "returned", person);
      else if (person.hand && !before.hand) tell("hand.raised", person);
      if (id === this.me && person.hushed && before && !before.hushed && !this.rules.push_to_talk) this.#notice(say("hushed"), true);
    }
    for (const [id, person] of this.people) if (!after.has(id)) tell("left", person);
    this.#hand = after.get(this.me)?.hand ?? this.#hand;
    if (this.#hand === this.#handWish) this.#handWish = null;
  }

  setMuted(muted) {
    if (!this.#tracks.microphone) return;
    this.#tracks.microphone.enabled = !muted;
    this.#tellState();
    // Who was muted on entry is heard by asking for it.
    if (!muted && !this.rules.push_to_talk && this.people.get(this.me)?.hushed) this.talk(true);
    this.#change();
  }

  /** The microphone of someone who joined without one. */
  async openMicrophone() {
    if (!this.#tracks.microphone) {
      const track = await this.#open("microphone");
      if (!track) return;
      await this.#take("microphone", track);
    }
    this.setMuted(false);
  }

  /** Off means off: the camera's light goes out. */
  async setCamera(on) {
    if (!on) {
      this.#wishes.camera += 1;
      return this.#take("camera", null);
    }
    if (this.cameraOn) return;
    const track = await this.#open("camera");
    if (track) await this.#take("camera", track);
  }

  /** Another camera or microphone than before, which was chosen in `devices`. */
  async changeDevice(part) {
    if (!(part === "camera" ? this.cameraOn : this.hasMicrophone)) return;
    const track = await this.#open(part);
    if (track) await this.#take(part, track);
  }

  /** Shares a screen, with its sound where the browser has it; false when the person changed their mind. */
  async startScreen() {
    const screen = await devices.screen();
    if (!screen) return false;
    // Only one is shared, and none once the call was left.
    this.#letScreenGo();
    this.#screen = screen;
    if (this.phase === "left") {
      this.#letScreenGo();
      return false;
    }
    screen.picture.addEventListener("ended", () => this.#screen === screen && this.stopScreen());
    try {
      await this.#offerScreen();
    } catch (problem) {
      if (this.#screen === screen) this.#letScreenGo();
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
    this.#wire?.say({ type: "state", muted: this.muted, camera: this.cameraOn, screen: this.sharing });
  }

  /** Reads what the browser counted, into `figures` and `quality`. */
  async measure() {
    const figures = { framesDecoded: 0, framesPerSecond: 0, width: 0, height: 0, freezes: 0, audioEnergy: 0, audioLevel: 0, packetsLost: 0, packets: 0, framesSent: 0, rtt_ms: 0, limited: false };
    for (const entry of (await this.#wire?.stats())?.values() ?? []) {
      if (entry.type === "inbound-rtp" && entry.kind === "video") {
        Object.assign(figures, { framesDecoded: entry.framesDecoded ?? 0, framesPerSecond: entry.framesPerSecond ?? 0 });
        Object.assign(figures, { width: entry.frameWidth ?? 0, height: entry.frameHeight ?? 0, freezes: entry.freezeCount ?? 0 });
      } else if (entry.type === "inbound-rtp" && entry.kind === "audio") {
        Object.assign(figures, { audioEnergy: entry.totalAudioEnergy ?? 0, audioLevel: entry.audioLevel ?? 0 });
      } else if (entry.type === "outbound-rtp" && entry.kind === "video") {
        figures.framesSent += entry.framesSent ?? 0;
      } else if (entry.type === "candidate-pair" && entry.nominated && entry.currentRoundTripTime) {
        figures.rtt_ms = entry.currentRoundTripTime * 1000;
        // Less than the node asks for; an encoder held to that is no lack.
        figures.limited = (entry.availableOutgoingBitrate ?? Infinity) < 0.7 * (this.#wire?.asked ?? 0);
      }
      if (entry.type === "inbound-rtp") {
        figures.packetsLost += entry.packetsLost ?? 0;
        figures.packets += entry.packetsReceived ?? 0;
      }
    }
    this.quality = this.phase === "connected" ? qualityOf(this.figures, figures) : { level: "lost", why: "" };
    this.figures = figures;
    if (this.#isReady) this.#unsaid.tick();
    return figures;
  }

  /** Nobody is wanted back. @param {Problem} problem */
  #end(problem) {
    this.leave();
    this.dispatchEvent(new CustomEvent("end", { detail: problem }));
  }

  /** Ends the call; safe to call twice, and while the page is being closed. */
  leave() {
    if (this.phase === "left") return;
    this.phase = "left";
    this.#keeper.stop();
    this.#joining?.farewell();
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
