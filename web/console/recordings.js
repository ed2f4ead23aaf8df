// The page of recordings: what there is, how long it can still be read, and what may be done with it until then.
import { Refused, Token, announce, ask, at, clock, element, moment, size, span } from "./common.js";

/**
 * @typedef {{ file: string, person: number, kind: string, duration_ms: number, bytes: number, width: number }} Track
 * @typedef {{ recording: string, expires_at: string, room: string, owner?: string, state: "recording" | "final",
 *   started: string | null, duration_ms: number, bytes: number, gap_ms: number, takes: number, tracks: Track[], captions: number }} Recording
 * @typedef {{ state: string, bytes?: number, of?: number, why?: string, kept?: boolean }} HandOver
 */

const token = new Token("tessera.recordings-token");
/** How long a player's link opens its file, seconds: an evening. The node makes it end with the recording. */
const PLAYER_LINK_SECONDS = 12 * 3600;
const DOWNLOAD_LINK_SECONDS = 600;
const HAND_OVER_LOOK_MS = 1500;

/** @type {{ list: Recording[], canHandOver: boolean, shown: Recording | null, lists: number }} */
const page = { list: [], canHandOver: false, shown: null, lists: 0 };
/** The node's time when it was last told, and this page's clock then: a device's own date may be wrong. */
let told = { node: 0, here: 0 };

/** The node's time, milliseconds since 1970. */
const now = () => told.node + (performance.now() - told.here);
/** @param {Recording} of Seconds that are left. */
const left = (of) => (Date.parse(of.expires_at) - now()) / 1000;
/** @param {Recording} of */
const path = (of) => `/v1/recordings/${encodeURIComponent(of.recording)}`;
/** @param {Recording} of */
const title = (of) => `${of.room}, ${of.started ? moment(of.started) : "not begun"}`;

/** @param {string} words Nothing: all is well. */
function problem(words) {
  at("problem").textContent = words;
  at("problem").hidden = !words;
}

/** @param {Recording} of */
function untilGone(of) {
  const seconds = left(of);
  if (seconds <= 0) return "gone";
  return seconds < 60 ? "gone in less than a minute" : `gone in ${span(seconds >= 3600 ? seconds : seconds - (seconds % 60))}`;
}

/**
 * Does `work`, and says what came in its way.
 * @param {() => Promise<void>} work
 */
async function trying(work) {
  problem("");
  try {
    await work();
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    if (error.status === 401) {
      token.forget();
      wantToken("That token opens no recordings here.");
    } else {
      problem(error.message);
      if (error.status === 410 || error.status === 404) await load(false);
    }
  }
}

/** @param {string} words */
function wantToken(words) {
  close();
  page.list = [];
  draw();
  at("token-form").hidden = false;
  for (const id of ["refresh", "forget", "vow", "empty"]) at(id).hidden = true;
  problem(words);
  at("token").value = "";
  at("token").focus();
}

/** @param {boolean} aloud Whether who cannot see the list is told. */
async function load(aloud) {
  const turn = (page.lists += 1);
  const said = await ask("/v1/recordings", { token: token.get() });
  if (turn !== page.lists) return;
  told = { node: Date.parse(said.now), here: performance.now() };
  page.list = said.recordings;
  page.canHandOver = said.can_hand_over === true;
  at("token-form").hidden = true;
  for (const id of ["refresh", "forget", "vow"]) at(id).hidden = false;
  draw();
  if (page.shown && !page.list.some((one) => one.recording === page.shown?.recording)) close();
  if (aloud) announce(page.list.length === 1 ? "One recording" : `${page.list.length} recordings`);
}

function draw() {
  const of = at("list");
  of.replaceChildren(...page.list.map(row));
  at("empty").hidden = page.list.length > 0 || at("vow").hidden;
}

/** @param {Recording} of */
function row(of) {
  const about = [clock(of.duration_ms / 1000), size(of.bytes)];
  if (of.takes > 1) about.push(`${of.takes} parts`);
  if (of.tracks.length) about.push(`${of.tracks.length} own tracks`);
  if (of.gap_ms > 0) about.push(`lacks ${span(Math.ceil(of.gap_ms / 1000))}`);
  if (of.owner) about.push(`of ${of.owner}`);
  const head = element("p", { class: "title" }, element("strong", {}, of.room));
  if (of.started) head.append(element("span", { class: "when" }, moment(of.started)));
  if (of.state === "recording") head.append(element("span", { class: "live" }, "open"));
  const gone = element("span", { class: "gone", title: `At ${moment(of.expires_at)} by the node’s clock` }, untilGone(of));
  gone.dataset.gone = of.recording;
  const hand = page.canHandOver && of.state === "final" ? [button("Hand over", of, () => handOver(of))] : [];
  return element(
    "li",
    { "data-recording": of.recording },
    element("div", {}, head, element("p", { class: "quiet about" }, about.join(" · "), " · ", gone), element("p", { class: "quiet state" })),
    element(
      "div",
      { class: "does" },
      button("Play", of, () => play(of), "strong"),
      button("Download", of, () => download(of, "video.mp4", 0)),
      ...hand,
      button("Delete", of, () => erase(of), "grave"),
    ),
  );
}

/** @param {string} words @param {Recording} of @param {() => Promise<void>} work */
function button(words, of, work, kind = "") {
  const made = element("button", { type: "button", class: `small ${kind}`, "data-does": words.toLowerCase().replace(" ", "-") }, words);
  made.append(element("span", { class: "sr" }, ` ${title(of)}`));
  made.addEventListener("click", async () => {
    made.disabled = true;
    await trying(work);
    made.disabled = false;
  });
  return made;
}

/** @param {Recording} of @param {string} file @param {number} take @param {number} seconds @returns {Promise<string>} */
async function link(of, file, take, seconds) {
  return (await ask(`${path(of)}/link`, { token: token.get(), method: "POST", body: { file, take, seconds } })).url;
}

/** @param {Recording} of @param {string} file @param {number} take */
async function download(of, file, take) {
  const made = element("a", { href: await link(of, file, take, DOWNLOAD_LINK_SECONDS), download: "" });
  document.body.append(made);
  made.click();
  made.remove();
}

/** @param {Recording} of */
async function play(of) {
  page.shown = of;
  at("player-title").textContent = title(of);
  at("player-gone").textContent = untilGone(of);
  at("player").hidden = false;
  const takes = Array.from({ length: of.takes }, (_, n) => element("option", { value: String(n) }, `${n + 1} of ${of.takes}`));
  at("takes").replaceChildren(...takes);
  at("takes-field").hidden = of.takes < 2;
  at("lacks").hidden = of.gap_ms === 0;
  at("lacks").textContent = `This recording lacks ${span(Math.ceil(of.gap_ms / 1000))} of picture or sound.`;
  at("tracks").replaceChildren(...of.tracks.map((track, n) => {
    const kind = track.width ? `picture ${size(track.bytes)}` : `sound ${size(track.bytes)}`;
    const made = element("li", {}, element("span", {}, `Person ${track.person}, ${kind}`));
    made.append(button("Download", of, () => download(of, "track.mp4", n)));
    return made;
  }));
  at("tracks-field").hidden = of.tracks.length === 0;
  at("player-title").focus();
  await playTake(of, 0);
}

/** @param {Recording} of @param {number} take */
async function playTake(of, take) {
  const video = at("video");
  const [file, poster, chapters, captions] = await Promise.all(
    ["video.mp4", "poster.jpg", "chapters.vtt", "captions.vtt"].map((name) => link(of, name, take, PLAYER_LINK_SECONDS)),
  );
  if (page.shown !== of) return;
  const track = element("track", { kind: "chapters", src: chapters, srclang: "en", label: "Chapters" });
  track.addEventListener("load", () => drawChapters(track.track, video));
  at("chapters").replaceChildren();
  at("no-chapters").hidden = false;
  video.replaceChildren(track);
  // The player's own button shows them.
  if (of.captions > 0) video.append(element("track", { kind: "captions", src: captions, label: "Captions" }));
  // Loaded, not shown.
  track.track.mode = "hidden";
  if (of.state === "final") video.poster = poster;
  else video.removeAttribute("poster");
  video.src = file;
  // A browser may want a click first.
  video.play().catch(() => {});
}

/** @param {TextTrack} track @param {HTMLVideoElement} video */
function drawChapters(track, video) {
  const cues = Array.from(track.cues ?? []);
  at("no-chapters").hidden = cues.length > 0;
  at("chapters").replaceChildren(...cues.map((cue) => {
    const text = "text" in cue ? String(cue.text) : "";
    const made = element("button", { type: "button" }, element("span", { class: "at" }, clock(cue.startTime)), element("span", {}, text));
    made.addEventListener("click", () => {
      video.currentTime = cue.startTime;
      video.play().catch(() => {});
    });
    cue.addEventListener("enter", () => made.setAttribute("aria-current", "true"));
    cue.addEventListener("exit", () => made.removeAttribute("aria-current"));
    return element("li", {}, made);
  }));
}

function close() {
  const video = at("video");
  page.shown = null;
  video.pause();
  video.removeAttribute("src");
  video.removeAttribute("poster");
  video.replaceChildren();
  video.load();
  at("player").hidden = true;
}

/**
 * A question; true when it is answered with yes.
 * @param {string} head @param {string} text @param {string} yes @param {boolean} withKeep
 * @returns {Promise<boolean>}
 */
function sure(head, text, yes, withKeep) {
  const dialog = at("ask");
  at("ask-title").textContent = head;
  at("ask-text").textContent = text;
  at("ask-yes").textContent = yes;
  at("ask-yes").classList.toggle("grave", !withKeep);
  at("ask-keep-field").hidden = !withKeep;
  at("ask-keep").checked = false;
  dialog.returnValue = "no";
  dialog.showModal();
  return new Promise((answer) => {
    dialog.addEventListener("close", () => answer(dialog.returnValue === "yes"), { once: true });
  });
}

/** @param {Recording} of */
async function erase(of) {
  const text = `${title(of)}. Nobody can read it afterwards, and no backup brings it back.`;
  if (!(await sure("Delete this recording?", text, "Delete", false))) return;
  await ask(path(of), { token: token.get(), method: "DELETE" });
  announce("Deleted");
  await load(false);
}

/** @param {Recording} of */
async function handOver(of) {
  const text = `${title(of)}. It is copied to the file host that whoever runs this node has chosen, compared there, and then erased here. What lies there does not expire by itself.`;
  if (!(await sure("Hand this recording over?", text, "Hand over", true))) return;
  const keep = at("ask-keep").checked;
  /** @type {HandOver} */
  let state = await ask(`${path(of)}/hand-over`, { token: token.get(), method: "POST", body: { keep } });
  for (;;) {
    const line = document.querySelector(`li[data-recording="${CSS.escape(of.recording)}"] .state`);
    const words = said(state);
    if (line) line.textContent = words;
    if (state.state === "done" || state.state === "failed") {
      announce(words);
      if (state.state === "done" && !state.kept) await load(false);
      return;
    }
    await new Promise((wake) => setTimeout(wake, HAND_OVER_LOOK_MS));
    state = await ask(`${path(of)}/hand-over`, { token: token.get() });
  }
}

/** @param {HandOver} of */
function said(of) {
  const part = of.of ? ` ${Math.floor((100 * (of.bytes ?? 0)) / of.of)} %` : "";
  switch (of.state) {
    case "waiting": return "Waits to be handed over";
    case "sending": return `Being copied${part}`;
    case "verifying": return `Being compared${part}`;
    case "done": return of.kept ? "Handed over; kept here too" : "Handed over";
    default: return `Could not be handed over: ${of.why ?? "nobody knows why"}`;
  }
}

function tick() {
  for (const line of document.querySelectorAll("[data-gone]")) {
    const of = page.list.find((one) => one.recording === /** @type {HTMLElement} */ (line).dataset.gone);
    const words = of ? untilGone(of) : "gone";
    if (line.textContent !== words) line.textContent = words;
  }
  if (page.shown) at("player-gone").textContent = untilGone(page.shown);
  const gone = page.list.filter((of) => left(of) <= 0);
  if (gone.length === 0) return;
  // The node has let go of them at the same moment; so does the page.
  if (page.shown && gone.includes(page.shown)) close();
  page.list = page.list.filter((of) => !gone.includes(of));
  draw();
  announce("A recording has expired");
}

at("token-form").addEventListener("submit", (/** @type {Event} */ event) => {
  event.preventDefault();
  token.set(at("token").value);
  void trying(() => load(true));
});
at("refresh").addEventListener("click", () => void trying(() => load(true)));
at("forget").addEventListener("click", () => {
  token.forget();
  wantToken("");
});
at("player-close").addEventListener("click", close);
at("takes").addEventListener("change", () => {
  const of = page.shown;
  if (of) void trying(() => playTake(of, Number(at("takes").value)));
});
at("video").addEventListener("error", () => {
  if (page.shown && at("video").getAttribute("src")) problem("This browser cannot play the recording, or it is gone. Downloading it may help.");
});
// A device that slept has no idea how late it is.
document.addEventListener("visibilitychange", () => {
  if (document.visibilityState === "visible" && token.get()) void trying(() => load(false));
});
setInterval(tick, 1000);
if (token.get()) void trying(() => load(true));
else wantToken("");
