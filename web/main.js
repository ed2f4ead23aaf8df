// The page: from the lobby into a call and out again. Everything a person touches is wired here.
// Other modules listen on `document`: "call" ({phase, call}) when a call begins, comes back or ends, and "scene" when the tiles lie
// elsewhere; `#arranged` is theirs, over the picture and under the names.

import { Arrangement } from "./arrange.js";
import { Call } from "./call.js";
import { Chat } from "./chat.js";
import * as devices from "./devices.js";
import { Moment } from "./moment.js";
import { People } from "./people.js";
import { REACTIONS, Tiles, avatar, float, toast } from "./stage.js";
import { bearer, hasToken, keepFor } from "./token.js";
import { Problem, abilities, ask } from "./wire.js";
import { clock, say, translate } from "./words.js";

/** @type {(id: string) => any} */
const at = (id) => document.getElementById(id);
const ROOM = /^[A-Za-z0-9._~-]{1,64}$/;
const NAME_KEY = "tessera.name";
const LAYOUTS = ["grid", "speaker", "presentation", "pip", "single"];
const tiles = new Tiles(at("tiles"), at("canvas"));
const moment = new Moment(at("composite"), { seen: drawTiles, shown: () => arrangement.draw() });
const arrangement = new Arrangement({ video: at("composite"), box: at("canvas"), over: at("arranged"), before: at("full"), redraw: drawTiles });
const people = new People(at("people-list"), at("person-menu"), moderate);
const chat = new Chat(at("chat-lines"), at("chat-to"));
/** @type {{camera: MediaStreamTrack | null, microphone: MediaStreamTrack | null, stopMeter: () => void, problem: string | null}} */
const lobby = { camera: null, microphone: null, stopMeter: () => {}, problem: null };
/** How often each device was wanted otherwise: one that opens late is for the newest wish alone. */
const wishes = { camera: 0, microphone: 0 };
/** @type {Call | null} */
let call = null;
let phase = "lobby";
let lastProblem = null;
let unread = 0;
/** Asks once more whether a host lets this person in. */
let again = 0;
/** Whether this person waits for that. */
let waits = false;

/* What tests and the curious may read. */
const view = Object.freeze({
  get phase() { return phase; },
  get connected() { return call?.phase === "connected"; },
  get room() { return call?.purpose.room ?? null; },
  get participant() { return call?.me ?? null; },
  get participants() { return [...(call?.people.values() ?? [])].map((person) => ({ ...person })); },
  get tiles() { return (call?.scene?.tiles ?? []).map((tile) => ({ ...tile })); },
  get scene() { return moment.scene; },
  get heard() { return [...(call?.speaking.heard ?? [])]; },
  get recording() { return Boolean(call?.room.recording); },
  get endsAt() { return call?.endsAt?.getTime() ?? null; },
  get layout() { return call?.layout?.layout?.layout ?? null; },
  get lines() { return [...(call?.lines.values() ?? [])].map((line) => ({ ...line })); },
  get returns() { return call?.returns ?? 0; },
  get isHost() { return call?.isHost ?? false; },
  get quality() { return { ...(call?.quality ?? {}) }; },
  get problem() { return lastProblem; },
  get framesDecoded() { return call?.figures.framesDecoded ?? 0; },
  get framesSent() { return call?.figures.framesSent ?? 0; },
  get audioEnergy() { return call?.figures.audioEnergy ?? 0; },
  get figures() { return { ...(call?.figures ?? {}) }; },
});
Object.defineProperty(window, "tessera", { value: view });

/* The lobby. */

/** What the address asks for. */
function askedFor() {
  const query = new URLSearchParams(location.search);
  const path = location.pathname.match(/^\/r\/([^/]+)$/)?.[1];
  const plain = location.hash.includes("=") ? null : decode(location.hash.slice(1));
  const room = [path && decode(path), query.get("room"), plain].find((text) => text && ROOM.test(text));
  return { room, watch: query.has("watch"), as: query.get("as"), name: query.get("name") };
}

function decode(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return null;
  }
}

/** The address of a room, as others are sent it. */
function roomUrl(room) {
  return new URL(`/r/${encodeURIComponent(room)}`, location.origin);
}

function freshRoom() {
  const pick = (words) => words[crypto.getRandomValues(new Uint32Array(1))[0] % words.length];
  const glaze = ["amber", "azure", "coral", "ivory", "jade", "ochre", "pearl", "russet", "slate", "umber"];
  const place = ["arch", "atrium", "court", "dome", "fountain", "garden", "hall", "portico", "terrace", "vault"];
  return `${pick(glaze)}-${pick(place)}-${100 + (crypto.getRandomValues(new Uint16Array(1))[0] % 900)}`;
}

function remembered() {
  try {
    return localStorage.getItem(NAME_KEY) ?? "";
  } catch {
    return "";
  }
}

async function openLobby() {
  translate();
  const asked = askedFor();
  if (asked.room && location.pathname === "/") {
    const url = roomUrl(asked.room);
    const query = new URLSearchParams(location.search);
    query.delete("room");
    url.search = query.toString();
    keepFor(asked.room);
    history.replaceState(null, "", url);
  }
  at("name").value = asked.name ?? remembered();
  at("room").value = asked.room ?? freshRoom();
  at("room-field").hidden = Boolean(asked.room);
  greet(asked);
  if (!asked.watch) (at("name").value ? at("join") : at("name")).focus({ preventScroll: true });
  const can = abilities();
  if (!can.rtc) return refuse(say("no.rtc"));
  if (!can.receive) return refuse(say("no.receive"));
  showPreview();
  if (asked.room) lookIn(asked);
  if (!asked.watch) await openDevices(can);
}

function greet(asked) {
  const watching = asked.watch;
  at("lobby-title").textContent = asked.room ? say(watching ? "title.watch" : "title.join", { room: asked.room }) : say("title.start");
  at("lobby-lead").textContent = say(watching ? "lead.watch" : "lead.start");
  document.title = asked.room ? `${asked.room} · Tessera` : "Tessera";
  if (!watching) return;
  document.body.classList.add("watch-only");
  for (const id of ["name-field", "no-record-field", "watch", "lobby-devices", "lobby-mic", "lobby-camera", "level"]) at(id).hidden = true;
  at("join").textContent = say("join.watch");
  at("preview-text").textContent = say("preview.watch");
}

/** Says who is there, and whether they are recorded, before anyone joins. */
async function lookIn(asked) {
  const response = await ask(`/v1/rooms/${encodeURIComponent(asked.room)}`, { headers: bearer() }).catch((problem) => problem);
  if (phase !== "lobby" || !response.status) return;
  if ([401, 403].includes(response.status)) return refuse(response.message);
  const detail = response.ok ? await response.json().catch(() => null) : null;
  const names = (detail?.participants ?? []).map((person) => person.name);
  const [name, other] = names;
  const key = ["empty", "one", "two"][names.length] ?? "many";
  if (!asked.watch) at("lobby-lead").textContent = say(`lead.${key}`, { name, other, more: names.length - 2 });
  at("lobby-recorded").hidden = !detail?.recording;
  at("lobby-recorded-text").textContent = say("recorded.now");
}

function refuse(text) {
  showError(text);
  at("join").disabled = at("watch").disabled = true;
}

async function openDevices(can) {
  at("preview-text").textContent = say("preview.asking");
  const wanted = { camera: wish("camera"), microphone: wish("microphone") };
  const { camera, microphone, problem } = await devices.both();
  if (can.send && wanted.camera()) lobby.camera = camera;
  else camera?.stop();
  if (wanted.microphone()) lobby.microphone = microphone;
  else microphone?.stop();
  if (!inLobby()) return;
  lobby.problem = problem ?? (can.send ? null : say("no.send"));
  if (!waits) note(lobby.problem);
  startMeter();
  showPreview();
  await listDevices();
}

/** Whether nobody is on the way into the call: who is took the lobby's tracks along. */
const inLobby = () => phase === "lobby" && !call;

/** A device is about to be opened in the lobby: whether it is still wanted there. @param {"camera" | "microphone"} part */
function wish(part) {
  const mine = ++wishes[part];
  return () => inLobby() && mine === wishes[part];
}

function startMeter() {
  lobby.stopMeter();
  lobby.stopMeter = devices.meter(lobby.microphone, (level) => at("level").style.setProperty("--level", level.toFixed(2)));
}

const PARTS = /** @type {const} */ (["camera", "microphone", "speaker"]);

async function listDevices() {
  at("speaker-field").hidden = !devices.canChooseSpeaker();
  for (const part of PARTS) {
    const select = at(`choose-${part}`);
    const all = await devices.list(part);
    const inUse = part === "speaker" ? null : phase === "call" ? call.inUse(part) : lobby[part]?.getSettings().deviceId;
    select.replaceChildren(...all.map(({ id, name }) => new Option(name, id)));
    if (all.length === 0) select.replaceChildren(new Option(say("device.off", { device: say(part) }), ""));
    select.disabled = all.length === 0 || (part !== "speaker" && phase === "lobby" && !inLobby());
    const wanted = [inUse, devices.choice(part)].find((id) => all.some((device) => device.id === id));
    if (wanted) select.value = wanted;
  }
}

/** Another device is chosen, in the lobby or in the call. */
async function chooseDevice(part) {
  devices.choose(part, at(`choose-${part}`).value);
  if (part === "speaker") return useSpeaker();
  if (phase === "call") return doing(() => call.changeDevice(part), part)();
  try {
    if (part === "camera" && !lobby.camera) return;
    const isWanted = wish(part);
    const track = await devices[part]();
    if (!isWanted()) return track.stop();
    if (lobby[part]) track.enabled = lobby[part].enabled;
    lobby[part]?.stop();
    lobby[part] = track;
  } catch (error) {
    toast(at("toasts"), devices.explain(error, part), { bad: true });
  }
  if (part === "microphone") startMeter();
  showPreview();
}

async function useSpeaker() {
  const id = devices.choice("speaker");
  if (!id || !devices.canChooseSpeaker()) return;
  // One that was unplugged: the system's own speaks on.
  await at("composite").setSinkId(id).catch(() => {});
}

function showPreview() {
  const live = lobby.camera?.readyState === "live";
  at("preview").srcObject = live ? new MediaStream([lobby.camera]) : null;
  at("preview-off").hidden = live;
  avatar(at("preview-avatar"), at("name").value, at("name").value);
  if (!askedFor().watch) at("preview-text").textContent = say(lobby.problem && !lobby.camera ? "preview.none" : "preview.off");
  const blocked = !devices.available();
  // On the way into the call it can still be switched off.
  setToggle("lobby-camera", live, "camera", blocked || !abilities().send || (!live && !inLobby()));
  setToggle("lobby-mic", lobby.microphone?.enabled === true, "microphone", blocked || !lobby.microphone);
}

/** A round button that is on, or off and red. */
function setToggle(id, on, part, disabled = false) {
  const button = at(id);
  const symbol = part === "camera" ? "camera" : "mic";
  button.classList.toggle("off", !on);
  button.setAttribute("aria-pressed", String(on));
  button.disabled = disabled;
  button.querySelector("use").setAttribute("href", `#i-${symbol}${on ? "" : "-off"}`);
  button.querySelector(".sr").textContent = say(on ? "device.on" : "device.off", { device: say(part) });
}

async function toggleLobbyCamera() {
  const isWanted = wish("camera");
  if (lobby.camera) {
    // Also of the call that is about to begin, which has the same track.
    call?.setCamera(false);
    lobby.camera.stop();
    lobby.camera = null;
  } else {
    try {
      const camera = await devices.camera();
      if (!isWanted()) return camera.stop();
      lobby.camera = camera;
      listDevices();
    } catch (error) {
      toast(at("toasts"), devices.explain(error, "camera"), { bad: true });
    }
  }
  showPreview();
}

function showError(text) {
  const error = at("lobby-error");
  error.textContent = text ?? "";
  error.hidden = !text;
  lastProblem = text ?? null;
}

/** Says something that is nobody's fault. @param {string | null} text */
function note(text) {
  const place = at("lobby-note");
  place.hidden = !text;
  // The same words again would be read out again.
  if (text && place.textContent !== text) place.textContent = text;
}

/* Into the call. */

/** What waits while somebody is on the way into the call. */
const ENTRANCE = ["join", "watch", "choose-camera", "choose-microphone"];

async function enter(watch) {
  clearTimeout(again);
  const waited = waits;
  const room = at("room").value.trim();
  const valid = ROOM.test(room) && !/^\.+$/.test(room);
  at("room").setAttribute("aria-invalid", String(!valid));
  if (!valid) {
    showError(say("bad.room"));
    return at("room").focus();
  }
  showError(null);
  const name = at("name").value.trim();
  try {
    if (!watch && name) localStorage.setItem(NAME_KEY, name);
  } catch {
    // Private windows may keep nothing; the name is typed again next time.
  }
  for (const id of ENTRANCE) at(id).disabled = true;
  if (!waited) at("join").textContent = say("joining");
  const { as } = askedFor();
  // Where anyone on this machine may steer rooms, or whoever has the token.
  const host = hasToken() || /^(localhost$|127\.|\[::1\]$)/.test(location.hostname);
  const purpose = watch ? { room, watch: true, as } : { room, name, unrecorded: at("no-record").checked, host };
  const tracks = watch ? {} : { camera: lobby.camera, microphone: lobby.microphone };
  if (watch) closeLobbyDevices();
  call = new Call(purpose, tracks);
  listen(call);
  showPreview();
  try {
    await call.start();
    waits = false;
    showCall();
    at("join").textContent = say(watch ? "join.watch" : "join");
  } catch (error) {
    call = null;
    // Whoever waited goes on where the node has no room for them just now; of a busy one, everybody.
    waits = /:(in-lobby|node-at-limit|many-joining)$/.test(error.type) || Boolean(waited && error.status === 503 && error.after);
    // Of its detail what concerns a person: whether a host is there.
    if (waits) note(`${error.title}. ${error.detail.split(". ")[0]}.`);
    else showError(error instanceof Problem ? error.message : say("failed", { why: error.message }));
    if (!waits || !waited) at("join").textContent = say(waits ? "waits" : "join.try");
    showPreview();
    // What was allowed meanwhile was not wanted then.
    if (!waited && !watch && !lobby.camera && !lobby.microphone) openDevices(abilities());
    if (waits) again = setTimeout(() => call || enter(watch), error.after * 1000);
  } finally {
    if (!waits) note(lobby.problem);
    at("join").disabled = at("watch").disabled = waits;
    listDevices();
  }
}

function closeLobbyDevices() {
  lobby.stopMeter();
  lobby.camera?.stop();
  lobby.microphone?.stop();
  lobby.camera = lobby.microphone = null;
  at("preview").srcObject = null;
}

function listen(current) {
  const on = (name, act) => current.addEventListener(name, (event) => current === call && act(event.detail));
  on("change", draw);
  on("media", play);
  on("scene", (detail) => document.dispatchEvent(new CustomEvent("scene", { detail })));
  on("chat", read);
  on("reaction", ({ from, reaction }) => {
    const name = current.people.get(from)?.name ?? "";
    float(at("floating"), REACTIONS[reaction] ?? "", name);
    at("announce").textContent = say("reacts", { name, reaction: say(reaction) });
  });
  on("record", () => {
    const asked = phase === "call" && !current.watching && !current.purpose.unrecorded;
    at("consent").hidden = !asked;
    if (!asked) toast(at("toasts"), say("record.began"));
  });
  on("notice", ({ text, bad }) => toast(at("toasts"), text, { bad }));
  on("end", (problem) => backToLobby(problem.message));
}

function showCall() {
  setPhase("call");
  lobby.stopMeter();
  lobby.camera = lobby.microphone = null;
  at("preview").srcObject = null;
  at("lobby").hidden = true;
  at("call").hidden = false;
  at("room-name").textContent = call.purpose.room;
  at("watching").hidden = !call.watching;
  for (const id of ["mic", "camera", "screen", "hand", "react", "choose-devices"]) at(id).hidden = call.watching;
  at("screen").hidden ||= !devices.canShareScreen();
  at("tab-chat").hidden = at("chat-toggle").hidden = call.watching;
  document.title = `${call.purpose.room} · Tessera`;
  const url = roomUrl(call.purpose.room);
  url.search = askedFor().watch ? location.search : "";
  keepFor(call.purpose.room);
  history.replaceState(null, "", url);
  at("dialog-devices").append(at("devices"));
  chat.clear();
  showPanel(roomy() ? "people" : null);
  useSpeaker();
  play();
  draw();
}

/** Whether the panel has room beside the picture, or below it. */
const roomy = () => matchMedia("(min-width: 64rem) and (min-height: 30rem), (max-width: 40rem) and (orientation: portrait)").matches;

function setPhase(now) {
  phase = now;
  holds = false;
  document.body.dataset.phase = now;
  document.dispatchEvent(new CustomEvent("call", { detail: { phase: now, call } }));
}

async function play() {
  const inward = call?.inward();
  if (!inward) return;
  moment.renew(call.receiver);
  const video = at("composite");
  video.srcObject = inward;
  try {
    await video.play();
    at("sound").hidden = true;
  } catch (error) {
    // Browsers play sound only after a click on the page.
    if (error.name === "NotAllowedError") at("sound").hidden = false;
  }
}

function draw() {
  if (!call || phase !== "call") return;
  const seen = call.phase === "connected" && at("composite").videoWidth > 0;
  at("waiting").hidden = seen;
  const comesBack = call.phase === "reconnecting" || call.phase === "gone";
  const text = comesBack ? call.trouble : say(call.phase === "connected" ? "wait.picture" : "wait.connecting");
  // The same words again would be read out again.
  if (at("waiting-text").textContent !== text) at("waiting-text").textContent = text;
  at("try-now").hidden = !call.mayTry;
  drawControls();
  moment.take(call.scene);
  drawTiles();
  people.draw(call.people, call.me, call.speaking, call.isHost);
  chat.people(call.people, call.me);
  at("tab-people").textContent = call.people.size > 0 ? say("people.count", { count: call.people.size }) : say("people.count", { count: 0 });
}

/** A round button that does something, and is lit while it is done. */
function light(id, on, text, shown = true) {
  const button = at(id);
  button.hidden = !shown;
  button.classList.toggle("on", on);
  button.setAttribute("aria-pressed", String(on));
  button.title = button.querySelector(".sr").textContent = text;
}

function drawControls() {
  const taking = !call.watching;
  const recording = Boolean(call.room.recording);
  at("recording").hidden = !recording;
  const pushed = call.room.pushed ?? [];
  at("pushed").hidden = pushed.length === 0;
  at("pushed").title = say("pushed", { to: pushed.join(", ") });
  at("upkeep").hidden = !call.endsAt;
  const time = call.endsAt ? clock.format(call.endsAt) : "";
  [at("upkeep").textContent, at("upkeep").title] = [say("upkeep.short", { time }), say("upkeep", { time })];
  if (!recording) at("consent").hidden = true;
  setToggle("mic", !call.muted, "microphone");
  setToggle("camera", call.cameraOn, "camera", !abilities().send);
  light("screen", call.sharing, say(call.sharing ? "share.stop" : "share.start"), taking && devices.canShareScreen());
  at("screen").disabled = !call.ready;
  light("hand", call.handUp, say(call.handUp ? "hand.lower" : "hand.raise"), taking);
  light("record", recording, say(recording ? "record.stop" : "record.start"), Boolean(call.room.may_record));
  at("more-record").textContent = at("record").title;
  at("layout").hidden = !call.layout?.may_choose;
  for (const item of at("more-menu").querySelectorAll("[data-does]")) item.hidden = at(item.dataset.does).hidden;
  for (const item of at("layout-list").children) item.setAttribute("aria-pressed", String(item.dataset.layout === call.layout?.layout?.layout));
  const { page = 1, pages = 1 } = call.layout ?? {};
  at("pages").hidden = pages < 2;
  at("page-text").textContent = say("page.of", { page, pages });
  [at("page-back").disabled, at("page-on").disabled] = [page <= 1, page >= pages];
}

/** Names and outlines over the frame that is shown, wherever this person wants its faces. */
function drawTiles() {
  if (call) tiles.draw(arrangement.lay(call.purpose.room, moment.scene, call.people, call.me), call.people, call.speaking);
}

async function backToLobby(text) {
  call?.leave();
  call = null;
  at("composite").srcObject = null;
  if (document.fullscreenElement) document.exitFullscreen().catch(() => {});
  for (const popup of document.querySelectorAll(":popover-open")) {
    if (popup instanceof HTMLElement) popup.hidePopover();
  }
  at("devices-dialog").close();
  at("call").hidden = true;
  at("lobby").hidden = false;
  at("lobby-devices").append(at("devices"));
  setPhase("lobby");
  const asked = askedFor();
  greet(asked);
  at("room-field").hidden = Boolean(asked.room);
  at("join").textContent = say("join.again");
  at("join").focus({ preventScroll: true });
  showError(text);
  lookIn(asked);
  lobby.camera = lobby.microphone = null;
  if (!asked.watch) await openDevices(abilities());
}

/* In the call. */

/** Runs what a button asks for; says so when it cannot be. */
function doing(act, what) {
  return async () => {
    try {
      await act();
    } catch (error) {
      toast(at("toasts"), error instanceof Problem || error.constructor === Error ? error.message : devices.explain(error, what), { bad: true });
    }
    draw();
  };
}

const taking = () => call !== null && !call.watching;
const toggleMic = doing(async () => {
  if (taking()) await (call.hasMicrophone ? call.setMuted(!call.muted) : call.openMicrophone());
}, "microphone");
const toggleCamera = doing(async () => {
  if (taking()) await call.setCamera(!call.cameraOn);
}, "camera");
const toggleScreen = doing(async () => {
  if (call?.ready) await (call.sharing ? call.stopScreen() : call.startScreen());
}, "screen");
const toggleHand = doing(async () => {
  if (taking()) call.raiseHand(!call.handUp);
}, "microphone");
const copyLink = doing(async () => {
  const link = roomUrl(call.purpose.room).href;
  try {
    await navigator.clipboard.writeText(link);
    toast(at("toasts"), say("link.copied"));
  } catch {
    toast(at("toasts"), say("link.shown", { link }), { ms: 15_000 });
  }
}, "microphone");

/** What a host wants of one person. */
function moderate(person, wanted) {
  return doing(() => call.moderate({ participants: { [person.id]: wanted } }), "microphone")();
}

/** Shows people, chat or neither. @param {"people" | "chat" | null} tab */
function showPanel(tab) {
  document.body.dataset.panel = tab ?? "none";
  at("panel").hidden = tab === null;
  for (const name of ["people", "chat"]) {
    const chosen = name === tab;
    at(name).hidden = !chosen;
    at(`tab-${name}`).setAttribute("aria-selected", String(chosen));
    at(`tab-${name}`).tabIndex = chosen || (tab === null && name === "people") ? 0 : -1;
    at(`${name}-toggle`).setAttribute("aria-expanded", String(chosen));
    at(`${name}-toggle`).classList.toggle("on", chosen);
  }
  if (tab === "chat") {
    unread = 0;
    at("chat-lines").scrollTop = at("chat-lines").scrollHeight;
  }
  drawUnread();
}

const shownPanel = () => document.body.dataset.panel;

function togglePanel(tab) {
  if (tab === "chat" && !taking()) return;
  const opens = shownPanel() !== tab;
  showPanel(opens ? tab : null);
  if (opens && tab === "chat" && !matchMedia("(pointer: coarse)").matches) at("chat-text").focus();
}

function drawUnread() {
  at("unread").hidden = unread === 0;
  at("unread").textContent = unread > 99 ? "99+" : String(unread);
  at("chat-toggle-text").textContent = unread > 0 ? say("chat.unread", { count: unread }) : say("chat.none");
}

function read({ lines, anew }) {
  if (anew) return chat.clear();
  chat.add(lines, call.me);
  const others = lines.filter((line) => line.from !== call.me);
  if (shownPanel() === "chat" || others.length === 0) return;
  // What was written before one came is no news.
  const news = others.filter((line) => line.at_ms > Date.now() - 10_000);
  unread += news.length;
  drawUnread();
  const last = news.at(-1);
  if (last) at("announce").textContent = say("chat.said", { name: last.name, text: last.text.slice(0, 200) });
}

function sendChat() {
  const text = at("chat-text").value.trim();
  if (!text || !taking()) return;
  call.write(text, at("chat-to").value);
  at("chat-text").value = "";
  grow();
}

/** The field is as high as what is written, up to a few lines. */
function grow() {
  const field = at("chat-text");
  field.style.height = "auto";
  field.style.height = `${Math.min(field.scrollHeight, 120)}px`;
}

function toggleFull() {
  if (document.fullscreenElement) document.exitFullscreen();
  else at("stage").requestFullscreen?.().catch(() => {});
}

/** Whether the key is held that makes one heard. */
let holds = false;

function hold(held) {
  if (holds === held) return;
  holds = held;
  call?.talk(held);
}

function onKey(event) {
  if (event.type === "keyup" && event.key === " " && holds) {
    // Wherever the focus went meanwhile.
    event.preventDefault();
    return hold(false);
  }
  const typing = event.target.closest?.("input, textarea, select, dialog");
  if (phase !== "call" || typing || event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.key === " " && call.rules.push_to_talk && !event.target.closest?.("button")) {
    event.preventDefault();
    if (event.type === "keydown" && !event.repeat) hold(true);
    return;
  }
  if (event.type !== "keydown" || event.repeat) return;
  const keys = { m: toggleMic, v: toggleCamera, s: toggleScreen, h: toggleHand, f: toggleFull, l: () => arrangement.toggle() };
  const act = { ...keys, p: () => togglePanel("people"), c: () => togglePanel("chat") }[event.key.toLowerCase()];
  if (!act) return;
  event.preventDefault();
  act();
}

async function measure() {
  if (!call || phase !== "call") return;
  if (!(await call.measure().catch(() => null)) || !call) return;
  const { level, why } = call.quality;
  const quality = at("quality");
  quality.hidden = false;
  quality.dataset.level = level;
  const text = say(`quality.${level}`) + (why ? `: ${say(`quality.why.${why}`)}` : "");
  at("quality-text").textContent = text;
  const { width, height, framesPerSecond } = call.figures;
  quality.title = width ? `${width}×${height} · ${Math.round(framesPerSecond)} frames/s` : "";
}

/* What the page is made of. */

function fillMenus() {
  for (const [reaction, emoji] of Object.entries(REACTIONS)) {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "emoji";
    button.textContent = emoji;
    button.title = say(reaction);
    button.setAttribute("aria-label", say(reaction));
    button.addEventListener("click", () => {
      call?.react(reaction);
      at("reactions").hidePopover();
    });
    at("reactions").append(button);
  }
  for (const layout of LAYOUTS) {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "item";
    button.dataset.layout = layout;
    const drawing = document.createElement("span");
    drawing.className = `drawing ${layout}`;
    drawing.append(...Array.from({ length: 4 }, () => document.createElement("i")));
    drawing.setAttribute("aria-hidden", "true");
    button.append(drawing, say(layout === "speaker" ? "speaker.layout" : layout));
    button.addEventListener("click", () => {
      call?.arrange({ layout: { layout } });
      at("layouts").hidePopover();
    });
    at("layout-list").append(button);
  }
}

const turn = (by) => call?.arrange({ page: (call.layout?.page ?? 1) + by });
const onClick = (id, act) => at(id).addEventListener("click", act);

at("join-form").addEventListener("submit", (event) => {
  event.preventDefault();
  enter(askedFor().watch);
});
at("chat-form").addEventListener("submit", (event) => {
  event.preventDefault();
  sendChat();
});
at("chat-text").addEventListener("input", grow);
at("chat-text").addEventListener("keydown", (event) => {
  if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
  event.preventDefault();
  sendChat();
});
at("name").addEventListener("input", () => avatar(at("preview-avatar"), at("name").value, at("name").value));
for (const part of PARTS) at(`choose-${part}`).addEventListener("change", () => chooseDevice(part));
navigator.mediaDevices?.addEventListener?.("devicechange", listDevices);
onClick("watch", () => enter(true));
onClick("lobby-camera", toggleLobbyCamera);
onClick("lobby-mic", () => {
  if (lobby.microphone) lobby.microphone.enabled = !lobby.microphone.enabled;
  showPreview();
});
onClick("mic", toggleMic);
onClick("camera", toggleCamera);
onClick("screen", toggleScreen);
onClick("hand", toggleHand);
onClick("record", () => call?.record(!call.room.recording));
onClick("page-back", () => turn(-1));
onClick("page-on", () => turn(1));
onClick("copy", copyLink);
onClick("choose-devices", () => {
  listDevices();
  at("devices-dialog").showModal();
});
onClick("full", toggleFull);
onClick("people-toggle", () => togglePanel("people"));
onClick("chat-toggle", () => togglePanel("chat"));
onClick("panel-close", () => showPanel(null));
for (const tab of /** @type {const} */ (["people", "chat"])) {
  onClick(`tab-${tab}`, () => showPanel(tab));
  at(`tab-${tab}`).addEventListener("keydown", (event) => {
    if (!["ArrowLeft", "ArrowRight"].includes(event.key) || !taking()) return;
    showPanel(tab === "people" ? "chat" : "people");
    at(`tab-${shownPanel()}`).focus();
  });
}
onClick("consent-yes", () => (at("consent").hidden = true));
onClick("consent-no", () => {
  call?.consent(false);
  at("consent").hidden = true;
  toast(at("toasts"), say("record.refused"));
});
onClick("leave", () => backToLobby(null));
onClick("sound", play);
onClick("try-now", () => call?.tryAgain());
// A menu's own buttons close it; those that stand for a button of the bar press it.
at("more-menu").addEventListener("click", (event) => {
  const item = event.target.closest(".item");
  if (!item) return;
  at("more-menu").hidePopover();
  if (item.dataset.does) at(item.dataset.does).click();
});
at("composite").addEventListener("resize", draw);
at("composite").addEventListener("loadeddata", draw);
document.addEventListener("keydown", onKey);
document.addEventListener("keyup", onKey);
// The network is back, or the laptop awake.
addEventListener("online", () => call?.wake());
addEventListener("offline", draw);
/** @type {any} */ (navigator).connection?.addEventListener("change", () => call?.wake());
document.addEventListener("visibilitychange", () => (document.visibilityState === "visible" ? call?.wake() : hold(false)));
// A key that is let go in another window is not heard of.
addEventListener("blur", () => hold(false));
// The others should not look at a frozen face.
addEventListener("pagehide", () => call?.leave());
// Back from the browser's memory: the call has ended meanwhile.
addEventListener("pageshow", (event) => event.persisted && location.reload());
setInterval(measure, 1000);
fillMenus();
openLobby();
