// The page of a room's viewers: by WebRTC with the least delay, else by HLS, which also goes back in time. hls.js comes only when it is
// needed.

import { Keeper } from "./keeper.js";
import { bearer, hasToken } from "./token.js";
import { Problem, Wire, abilities } from "./wire.js";

/** @type {(id: string) => any} Whatever element it is: each id stands once in watch.html. */
const at = (id) => document.getElementById(id);
const ROOM = /^[A-Za-z0-9._~-]{1,64}$/;
const HLS = "/assets/hls.js";
const CAPTIONS = "/assets/captions.js";
const MOVED = "/assets/moved.js";
const HLS_CAPTIONS = "/assets/captions-hls.js";
/** Where UDP is blocked, nothing tells so: then HLS is tried. */
const CONNECT_MS = 8000;
const AGAIN_MS = 3000;
/** So long it comes back the same way, if the node answers; then others are tried. */
const SAME_WAY_MS = 15_000;
/** So long a picture may stand still before it is said. */
const DRY_MS = 1500;
/** So near to the newest part counts as live. */
const EDGE_S = 4;
const STEP_S = 5;
const video = at("video");
const room = roomOf(location.pathname);

/**
 * One way to watch. `go` resolves once pictures come and rejects with a Problem; `lost` is called when they end by themselves.
 * `wake`: something tells that the network is back.
 * @typedef {{name: string, text: string, go: (lost: (problem: Problem) => void) => Promise<void>, stop: () => void, wake: () => void,
 *   qualities: () => [string, string][], chosen: string, choose: (value: string) => void, rewinds: boolean}} Way
 */

/** @type {Way | null} */
let way = null;
let phase = "connecting";
let lastProblem = null;
let wantsRewind = false;
/** The size that whoever watches chose, in words; "" leaves it to the way. It holds on every way that has it. */
let wish = "";
/** What the room's node told last of its rungs. */
let rungs = [];
/** Who watches stopped the picture: it stands still until they want it, however often its way comes back. */
let isHeld = false;
let turn = 0;

/* What tests and the curious may read. */
Object.defineProperty(window, "tessera", {
  value: Object.freeze({
    get phase() { return phase; },
    get way() { return way?.name ?? null; },
    get room() { return room; },
    get problem() { return lastProblem; },
    get framesShown() { return video.getVideoPlaybackQuality?.().totalVideoFrames ?? 0; },
    get behind() { return behind(); },
    get qualities() { return way?.qualities() ?? []; },
  }),
});

function roomOf(path) {
  try {
    const name = decodeURIComponent(path.split("/").filter(Boolean).at(-1) ?? "");
    return ROOM.test(name) ? name : null;
  } catch {
    return null;
  }
}

const wait = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/* By WebRTC. */

const UNREACHED = () => new Problem({ title: "No pictures reach this browser directly" });

class Direct {
  name = "whep";
  text = "least delay";
  rewinds = false;
  /** Connections that are not let go, as they were made: the newest is wanted, and those before it until it is agreed to. */
  #wires = [];
  #keeper;
  /** @type {Promise<any> | null} */
  #captions = null;
  #lost = (/** @type {Problem} */ _) => {};
  chosen;

  constructor() {
    this.chosen = this.qualities().find(([, text]) => text === wish)?.[0] ?? "";
    this.#keeper = new Keeper(async (how) => {
      const wire = await this.#join(how);
      if (!wire) throw UNREACHED();
      return wire;
    });
    const on = (name, act) => this.#keeper.addEventListener(name, (/** @type {any} */ { detail }) => act(detail));
    on("lost", () => comingBack(this));
    on("back", () => isBack(this));
    on("refused", ({ problem }) => this.#lost(problem));
    on("gone", () => this.#lost(this.#keeper.problem ?? UNREACHED()));
    on("try", () => {
      const { lostFor, problem } = this.#keeper;
      if (lostFor > SAME_WAY_MS && !problem) this.#lost(UNREACHED());
    });
  }

  async go(lost) {
    this.#lost = lost;
    const can = abilities();
    if (!can.rtc || !can.receive) throw new Problem({ title: "This browser shows no WebRTC pictures of this node" });
    await this.#connect().catch((problem) => {
      // Another node has the room, with rungs of its own.
      if (!this.chosen || !/:rung-not-found$/.test(problem.type ?? "")) throw problem;
      this.chosen = "";
      rungs = [];
      return this.#connect();
    });
    fetch(`/whep/${encodeURIComponent(room)}`, { headers: bearer() }).then(async (response) => {
      if (!response.ok) return;
      rungs = (await response.json()).rungs ?? [];
      listQualities();
    }, () => {});
  }

  /** Joins, and shows what comes; null where a newer connection is wanted, or none. @param {import("./keeper.js").How} [how] */
  async #join(how) {
    const wire = new Wire({ room, watch: true, rung: this.chosen });
    this.#wires.push(wire);
    wire.addEventListener("message", (/** @type {any} */ { detail }) => {
      if (detail.type === "moved") import(MOVED).then((it) => it.follow(detail, (how) => this.#move(how)), () => {});
      // Loaded once somebody captions the call.
      if (detail.captioned || this.#captions) (this.#captions ??= import(CAPTIONS)).then((it) => it.hear(detail), () => (this.#captions = null));
    });
    const problem = await wire.join(undefined, how).then(() => how?.seen?.(wire)).catch((error) => error);
    const isWanted = this.#wires.at(-1) === wire;
    if (problem || !isWanted) {
      this.#wires = this.#wires.filter((one) => one !== wire);
      wire.farewell();
      if (isWanted) throw problem;
      return null;
    }
    this.#wires.splice(0, this.#wires.length - 1).forEach((older) => older.farewell());
    video.srcObject = wire.inward();
    return wire;
  }

  /** The room goes on at another node: first there, then away from here. @param {import("./keeper.js").How} how */
  async #move(how) {
    const wire = await this.#join(how);
    if (!wire) return;
    this.#keeper.keep(wire);
    play();
  }

  async #connect() {
    const wire = await this.#join();
    if (!wire) return;
    const connected = new Promise((/** @type {(value?: undefined) => void} */ resolve, reject) => {
      const timer = setTimeout(() => reject(UNREACHED()), CONNECT_MS);
      wire.addEventListener("state", (/** @type {any} */ { detail: state }) => {
        if (state !== "connecting" && state !== "new") clearTimeout(timer);
        if (state === "connected") resolve();
        if (state === "failed" || state === "closed") reject(UNREACHED());
      });
    });
    try {
      await connected;
    } catch (problem) {
      // Of one that was let go for another, nothing is lost.
      if (this.#wires.includes(wire)) throw problem;
    }
    if (this.#wires.at(-1) === wire) this.#keeper.keep(wire);
  }

  wake() {
    this.#keeper.wake();
  }

  stop() {
    this.#keeper.stop();
    this.#wires.splice(0).forEach((wire) => wire.farewell());
    video.srcObject = null;
  }

  /** @returns {[string, string][]} */
  qualities() {
    // One of each size: the codec is what this browser takes.
    const sizes = new Map(rungs.map((rung) => [`${rung.width}×${rung.height}`, rung.rung]));
    return [...sizes].map(([text, rung]) => /** @type {[string, string]} */ ([rung, text]));
  }

  choose(rung) {
    this.chosen = rung;
    this.#connect().then(play, (problem) => this.#lost(problem));
  }
}

/* By HLS. */

const ENDED = { title: "The room's stream ended" };

class Files {
  name = "hls";
  text = "a second or two behind";
  rewinds = true;
  chosen = "";
  #hls = null;
  #lost = (/** @type {Problem} */ _) => {};
  /** Aborted with this way: what listened to the video for it does so no longer. */
  #ears = new AbortController();
  /** Ends the captions. */
  #unfollow = () => {};
  #isStopped = false;

  async go(lost) {
    this.#lost = lost;
    const url = `/hls/${encodeURIComponent(room)}/index.m3u8`;
    const asked = await fetch(url, { headers: bearer() }).catch(() => null);
    if (!asked) throw new Problem({ title: "The node does not answer" });
    if (!asked.ok) {
      const said = await asked.json().catch(() => ({ title: `The node answered ${asked.status}` }));
      throw new Problem({ ...said, status: asked.status });
    }
    const { default: Hls } = await import(HLS).catch(() => ({ default: null }));
    if (Hls?.isSupported()) return this.#load(Hls, url);
    if (!video.canPlayType("application/vnd.apple.mpegurl")) {
      throw new Problem({ title: Hls ? "This browser plays no HLS" : "This node was built without its player for HLS" });
    }
    // Such a player sends no token: it plays what is open to all.
    if (hasToken() && !(await fetch(url).catch(() => null))?.ok) {
      throw new Problem({ title: "This browser’s player cannot show your token", detail: "Watch with another browser." });
    }
    video.src = url;
    // A player of the browser's own tells by the video alone what becomes of it.
    await new Promise((resolve, reject) => {
      this.#on("loadeddata", resolve);
      this.#on("error", () => reject(new Problem({ title: "The pictures cannot be played" })));
    });
    this.#on("error", () => lost(new Problem({ title: "The room's stream broke off" })));
    this.#on("ended", () => lost(new Problem(ENDED)));
  }

  /** Listens to the video once, and not beyond this way. */
  #on(event, act) {
    video.addEventListener(event, act, { once: true, signal: this.#ears.signal });
  }

  #load(Hls, url) {
    // Parts need no transmuxing, so a worker (and a policy that allows one) is not needed.
    const xhrSetup = (request) => Object.entries(bearer()).forEach(([name, value]) => request.setRequestHeader(name, value));
    // Whoever stalls once stays a quarter of a second farther back for it; a whole one, as hls.js would have it, is more than the way here.
    const pace = { maxLiveSyncPlaybackRate: 1.1, liveSyncOnStallIncrease: 0.25 };
    const hls = new Hls({ lowLatencyMode: true, enableWorker: false, backBufferLength: 90, ...pace, xhrSetup });
    this.#hls = hls;
    this.#on("ended", () => this.#lost(new Problem(ENDED)));
    let mended = 0;
    return /** @type {Promise<void>} */ (new Promise((resolve, reject) => {
      hls.on(Hls.Events.MANIFEST_PARSED, listQualities);
      hls.on(Hls.Events.FRAG_BUFFERED, () => resolve());
      hls.on(Hls.Events.ERROR, (_, error) => {
        if (!error.fatal) return;
        if (error.type === Hls.ErrorTypes.MEDIA_ERROR && mended++ < 2) return hls.recoverMediaError();
        const problem = new Problem({ status: error.response?.code ?? 0, title: "The room's stream ended or does not arrive" });
        reject(problem);
        this.#lost(problem);
      });
      hls.loadSource(url);
      hls.attachMedia(video);
      import(HLS_CAPTIONS).then(({ follow }) => {
        if (!this.#isStopped) this.#unfollow = follow(url, bearer, () => hls.playingDate);
      }, () => {});
    }));
  }

  wake() {
    // What hangs since before is asked for once more.
    this.#hls?.stopLoad();
    this.#hls?.startLoad();
  }

  get edge() {
    return this.#hls?.liveSyncPosition ?? (video.seekable.length > 0 ? video.seekable.end(video.seekable.length - 1) : 0);
  }

  stop() {
    this.#isStopped = true;
    this.#unfollow();
    this.#ears.abort();
    this.#hls?.destroy();
    this.#hls = null;
    video.removeAttribute("src");
    video.load();
  }

  /** @returns {[string, string][]} */
  qualities() {
    const seen = new Map();
    for (const [n, level] of (this.#hls?.levels ?? []).entries()) seen.set(`${level.width}×${level.height}`, String(n));
    return [...seen].map(([text, value]) => /** @type {[string, string]} */ ([value, text]));
  }

  choose(value) {
    this.chosen = value;
    if (this.#hls) this.#hls.nextLevel = value === "" ? -1 : Number(value);
  }
}

/* From one way to the next. */

async function watch() {
  const mine = ++turn;
  leave();
  setPhase("connecting");
  // Nothing to choose from before something is watched.
  at("quality").disabled = true;
  while (mine === turn) {
    const ways = wantsRewind ? [new Files()] : [new Direct(), new Files()];
    let problem = null;
    for (const next of ways) {
      way = next;
      try {
        await next.go((lost) => mine === turn && next === way && again(lost));
        if (mine !== turn) return next.stop();
        lastProblem = null;
        setPhase("watching");
        listQualities();
        return play();
      } catch (error) {
        next.stop();
        if (mine !== turn) return;
        // Why the first way failed tells more than that there is no second.
        problem ??= error instanceof Problem ? error : new Problem({ title: String(error.message ?? error) });
        if (isNowhere(error)) {
          // Of what begins anew, everything is seen.
          isHeld = false;
          problem = error;
          break;
        }
      }
    }
    way = null;
    tell(problem);
    // Asking again makes no token better.
    if (isDenied(problem)) return;
    await wait(AGAIN_MS);
  }
}

/** A room that is not there is there by no other way. */
const isNowhere = (problem) => /:room-not-found$/.test(problem.type ?? "");

/** The node knows who asks, or wants to, and says no. */
const isDenied = (problem) => problem.status === 401 || problem.status === 403;

function leave() {
  way?.stop();
  way = null;
}

async function again(problem) {
  const mine = turn;
  tell(problem);
  await wait(500);
  // Who chose another way meanwhile is on it.
  if (mine === turn) watch();
}

/** The way that is gone comes back by itself: its picture stays, as it was. */
function comingBack(from) {
  if (from !== way || phase !== "watching") return;
  setPhase("returning");
}

function isBack(from) {
  if (from !== way || phase !== "returning") return;
  setPhase("watching");
  play();
}

function tell(problem) {
  lastProblem = problem.message;
  setPhase("waiting");
  at("waiting-text").textContent = isNowhere(problem) ? "Nobody is in this room yet. It begins here by itself." : problem.message;
}

function setPhase(now) {
  phase = now;
  if (now === "connecting") at("waiting-text").textContent = "Connecting…";
  if (now === "returning") at("waiting-text").textContent = "The connection was lost. Coming back…";
  draw();
}

async function play() {
  if (isHeld) return draw();
  try {
    await video.play();
    at("sound").hidden = true;
  } catch (error) {
    if (error.name !== "NotAllowedError") return;
    // Browsers play sound only after a click on the page: the picture begins without.
    video.muted = true;
    at("sound").hidden = false;
    await video.play().catch(() => {});
  }
  draw();
}

/* Controls. */

function behind() {
  return way instanceof Files ? Math.max(0, way.edge - video.currentTime) : 0;
}

function listQualities() {
  const select = at("quality");
  const qualities = way?.qualities() ?? [];
  const chosen = qualities.find(([, text]) => text === wish)?.[0] ?? "";
  const options = [["", "Auto"], ...qualities].map(([value, text]) => new Option(text, value, false, value === chosen));
  select.replaceChildren(...options);
  select.disabled = options.length < 2;
  if (qualities.length > 0 && way && way.chosen !== chosen) way.choose(chosen);
}

function toggleButton(id, symbol, label, key) {
  const button = at(id);
  button.querySelector("use").setAttribute("href", `#i-${symbol}`);
  button.querySelector(".sr").textContent = label;
  button.title = `${label} (${key})`;
}

/** Since when the picture has stood still for want of files; Direct says it by itself. */
let dry = 0;
function isDry() {
  if (phase !== "watching" || !(way instanceof Files) || video.paused || video.readyState > video.HAVE_CURRENT_DATA) dry = 0;
  else dry ||= performance.now();
  return dry > 0 && performance.now() - dry > DRY_MS;
}

function draw() {
  const seen = phase === "watching" && video.videoWidth > 0 && !isDry();
  at("waiting").hidden = seen;
  if (phase === "watching" && !seen) at("waiting-text").textContent = "Waiting for the picture…";
  const isStill = phase === "watching" ? video.paused : isHeld;
  toggleButton("play", isStill ? "play" : "pause", isStill ? "Play" : "Pause", "space");
  toggleButton("mute", video.muted ? "sound-off" : "sound", video.muted ? "Turn the sound on" : "Mute", "M");
  at("mute").setAttribute("aria-pressed", String(video.muted));
  const by = behind();
  const isLive = phase === "watching" && by <= EDGE_S && !video.paused;
  at("way-text").textContent = isLive && way ? `Live, ${way.text}` : "";
  at("live").classList.toggle("edge", isLive);
  at("live-text").textContent = by <= EDGE_S ? "Live" : `${Math.round(by)} s behind`;
  const rewinds = phase === "watching" && way?.rewinds && video.seekable.length > 0;
  at("dvr").hidden = !rewinds;
  at("way").hidden = phase !== "watching" || (wantsRewind ? false : Boolean(way?.rewinds));
  at("way").textContent = wantsRewind ? "Least delay" : "Go back in time";
  if (rewinds) {
    const seek = at("seek");
    const begin = video.seekable.start(0);
    Object.assign(seek, { min: begin, max: way instanceof Files ? Math.max(begin, way.edge) : begin });
    if (document.activeElement !== seek || !seek.matches(":active")) seek.value = video.currentTime;
    seek.setAttribute("aria-valuetext", by <= EDGE_S ? "live" : `${Math.round(by)} seconds behind`);
  }
}

function togglePlay() {
  // While nothing is shown, the picture stands still whatever they wish.
  isHeld = phase === "watching" ? !video.paused : !isHeld;
  if (isHeld) video.pause();
  else play();
  draw();
}

function toggleMute() {
  video.muted = !video.muted;
  at("sound").hidden = true;
}

function goLive() {
  isHeld = false;
  if (way instanceof Files) video.currentTime = way.edge;
  play();
}

function step(by) {
  if (way instanceof Files && video.seekable.length > 0) {
    video.currentTime = Math.min(way.edge, Math.max(video.seekable.start(0), video.currentTime + by));
  }
}

function toggleFull() {
  if (document.fullscreenElement) document.exitFullscreen();
  else at("player").requestFullscreen?.().catch(() => {});
}

function onKey(event) {
  if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest?.("input, select")) return;
  if (event.key === " " && event.target.closest?.("button")) return;
  const acts = { " ": togglePlay, m: toggleMute, f: toggleFull, l: goLive, arrowleft: () => step(-STEP_S), arrowright: () => step(STEP_S) };
  const act = acts[event.key.toLowerCase()];
  if (!act) return;
  event.preventDefault();
  act();
}

at("play").addEventListener("click", togglePlay);
at("mute").addEventListener("click", toggleMute);
at("live").addEventListener("click", goLive);
at("full").addEventListener("click", toggleFull);
at("sound").addEventListener("click", () => {
  video.muted = false;
  play();
});
at("way").addEventListener("click", () => {
  isHeld = false;
  wantsRewind = !wantsRewind;
  watch();
});
at("quality").addEventListener("change", (/** @type {any} */ { target }) => {
  wish = target.value ? target.selectedOptions[0].text : "";
  way?.choose(target.value);
});
at("seek").addEventListener("input", (/** @type {any} */ event) => (video.currentTime = Number(event.target.value)));
for (const name of ["resize", "loadeddata", "play", "pause", "volumechange", "seeked"]) video.addEventListener(name, draw);
document.addEventListener("keydown", onKey);
addEventListener("online", () => way?.wake());
document.addEventListener("visibilitychange", () => document.visibilityState === "visible" && way?.wake());
addEventListener("pagehide", leave);
addEventListener("pageshow", (event) => event.persisted && location.reload());
setInterval(draw, 500);

if (room) {
  at("room-name").textContent = room;
  document.title = `${room} · Tessera`;
  watch();
} else {
  tell(new Problem({ title: "This is no room's address", detail: "A room has 1 to 64 letters, digits, or - _ . ~" }));
}
