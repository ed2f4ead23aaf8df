// The page: from the lobby into a call and out again. Everything a person touches is wired here.

import { Call } from "./call.js";
import * as devices from "./devices.js";
import { Tiles, avatar, listPeople, toast } from "./stage.js";
import { Problem, abilities } from "./wire.js";

/** @type {(id: string) => any} Whatever element it is: each id stands once in index.html. */
const at = (id) => document.getElementById(id);
const ROOM = /^[A-Za-z0-9._~-]{1,64}$/;
const NAME_KEY = "tessera.name";
const tiles = new Tiles(at("tiles"), at("canvas"));
const lobby = { camera: null, microphone: null, wantCamera: true, stopMeter: () => {}, problem: null };
let call = null;
let phase = "lobby";
let lastProblem = null;

/* What tests and the curious may read. */
const view = Object.freeze({
  get phase() { return phase; },
  get connected() { return call?.phase === "connected"; },
  get room() { return call?.purpose.room ?? null; },
  get participant() { return call?.me ?? null; },
  get participants() { return [...(call?.people.values() ?? [])].map((person) => ({ ...person })); },
  get tiles() { return (call?.scene?.tiles ?? []).map((tile) => ({ ...tile })); },
  get heard() { return [...(call?.speaking.heard ?? [])]; },
  get recording() { return Boolean(call?.room.recording); },
  get problem() { return lastProblem; },
  get framesDecoded() { return call?.figures.framesDecoded ?? 0; },
  get framesSent() { return call?.figures.framesSent ?? 0; },
  get audioEnergy() { return call?.figures.audioEnergy ?? 0; },
  get figures() { return { ...(call?.figures ?? {}) }; },
});
Object.defineProperty(window, "tessera", { value: view });

/* The lobby. */

function askedFor() {
  const query = new URLSearchParams(location.search);
  const fromHash = decodeURIComponent(location.hash.slice(1));
  const room = [query.get("room"), fromHash].find((text) => text && ROOM.test(text));
  return { room, watch: query.has("watch"), as: query.get("as"), name: query.get("name") };
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
  const asked = askedFor();
  at("name").value = asked.name ?? remembered();
  at("room").value = asked.room ?? freshRoom();
  if (asked.watch) {
    document.body.classList.add("watch-only");
    at("lobby-title").textContent = "Watch the call";
    at("lobby-lead").textContent = "You see and hear everyone; nobody sees or hears you.";
    at("name-field").hidden = at("no-record-field").hidden = true;
    at("watch").hidden = true;
    at("join").textContent = "Watch";
    at("preview-text").textContent = "No camera, no microphone: you only watch.";
    for (const id of ["lobby-mic", "lobby-camera", "level"]) at(id).hidden = true;
  } else {
    if (!asked.room) at("lobby-title").textContent = "Start a call";
    (at("name").value ? at("join") : at("name")).focus({ preventScroll: true });
  }
  const can = abilities();
  if (!can.rtc) return refuse("This browser has no WebRTC, so it cannot take part in calls. Use a current Chrome, Edge or Firefox.");
  if (!can.receive) return refuse("This browser can show neither AV1 nor H.264 video. Use a current Chrome, Edge or Firefox.");
  showPreview();
  if (!asked.watch) await openDevices(can);
}

function refuse(text) {
  showError(text);
  at("join").disabled = at("watch").disabled = true;
}

async function openDevices(can) {
  const note = at("lobby-note");
  at("preview-text").textContent = "Asking for your camera…";
  const { camera, microphone, problem } = await devices.both();
  if (phase !== "lobby") return [camera, microphone].forEach((track) => track?.stop());
  lobby.camera = can.send ? camera : null;
  if (!can.send) camera?.stop();
  lobby.microphone = microphone;
  lobby.problem = problem ?? (can.send ? null : "This browser can send none of AV1, VP9, H.264 and VP8, so you join without a camera.");
  note.textContent = lobby.problem ?? "";
  note.hidden = !lobby.problem;
  lobby.stopMeter();
  lobby.stopMeter = devices.meter(microphone, (level) => at("level").style.setProperty("--level", level.toFixed(2)));
  showPreview();
}

function showPreview() {
  const live = lobby.camera?.readyState === "live";
  const preview = at("preview");
  if (live) preview.srcObject = new MediaStream([lobby.camera]);
  else preview.srcObject = null;
  at("preview-off").hidden = live;
  avatar(at("preview-avatar"), at("name").value, at("name").value);
  if (!askedFor().watch) at("preview-text").textContent = lobby.problem && !lobby.camera ? "You join without a camera" : "Your camera is off";
  const blocked = !devices.available();
  setToggle("lobby-camera", live, "camera", "Camera", blocked || !abilities().send);
  setToggle("lobby-mic", lobby.microphone?.enabled === true, "mic", "Microphone", blocked || !lobby.microphone);
}

/** A round button that is on, or off and red. */
function setToggle(id, on, symbol, label, disabled = false) {
  const button = at(id);
  button.classList.toggle("off", !on);
  button.setAttribute("aria-pressed", String(on));
  button.disabled = disabled;
  button.querySelector("use").setAttribute("href", `#i-${symbol}${on ? "" : "-off"}`);
  button.querySelector(".sr").textContent = `${label} is ${on ? "on" : "off"}`;
}

async function toggleLobbyCamera() {
  if (lobby.camera) {
    lobby.camera.stop();
    lobby.camera = null;
  } else {
    try {
      lobby.camera = await devices.camera();
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

/* Into the call. */

async function enter(watch) {
  const room = at("room").value.trim();
  const valid = ROOM.test(room) && !/^\.+$/.test(room);
  at("room").setAttribute("aria-invalid", String(!valid));
  if (!valid) {
    showError("A room has 1 to 64 letters, digits, or - _ . ~");
    return at("room").focus();
  }
  showError(null);
  const name = at("name").value.trim();
  try {
    if (!watch && name) localStorage.setItem(NAME_KEY, name);
  } catch {
    // Private windows may keep nothing; the name is typed again next time.
  }
  at("join").disabled = at("watch").disabled = true;
  const asked = askedFor();
  const purpose = watch ? { room, watch: true, as: asked.as } : { room, name, unrecorded: at("no-record").checked };
  const tracks = watch ? {} : { camera: lobby.camera, microphone: lobby.microphone };
  if (watch) closeLobbyDevices();
  call = new Call(purpose, tracks);
  listen(call);
  try {
    await call.start();
    showCall();
  } catch (error) {
    call = null;
    showError(error instanceof Problem ? error.message : `Joining failed: ${error.message}`);
    at("join").textContent = "Try again";
  } finally {
    at("join").disabled = at("watch").disabled = false;
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
  const mine = (act) => (event) => current === call && act(event.detail);
  current.addEventListener("change", mine(draw));
  current.addEventListener("media", mine(play));
  current.addEventListener("notice", mine(({ text, bad }) => toast(at("toasts"), text, { bad })));
  current.addEventListener("end", mine((problem) => backToLobby(problem.message)));
}

function showCall() {
  setPhase("call");
  lobby.stopMeter();
  at("preview").srcObject = null;
  at("lobby").hidden = true;
  at("call").hidden = false;
  at("room-name").textContent = call.purpose.room;
  at("watching").hidden = !call.watching;
  for (const id of ["mic", "camera", "screen"]) at(id).hidden = call.watching;
  at("screen").hidden ||= !devices.canShareScreen();
  document.title = `${call.purpose.room} · Tessera`;
  const url = new URL(location.href);
  url.searchParams.set("room", call.purpose.room);
  url.hash = "";
  history.replaceState(null, "", url);
  document.body.classList.toggle("no-people", matchMedia("(max-width: 64rem)").matches && !matchMedia("(max-width: 56rem)").matches);
  play();
  draw();
}

function setPhase(now) {
  phase = now;
  document.body.dataset.phase = now;
}

async function play() {
  const inward = call?.inward();
  if (!inward) return;
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
  const video = at("composite");
  const seen = call.phase === "connected" && video.videoWidth > 0;
  at("waiting").hidden = seen;
  at("waiting-text").textContent =
    call.phase === "reconnecting" ? "The connection was lost. Coming back…" : call.phase === "connected" ? "Waiting for the picture…" : "Connecting…";
  at("recording").hidden = !call.room.recording;
  const record = at("record");
  record.hidden = !call.room.may_record;
  record.classList.toggle("on", Boolean(call.room.recording));
  record.setAttribute("aria-pressed", String(Boolean(call.room.recording)));
  record.title = record.querySelector(".sr").textContent = call.room.recording ? "Stop recording" : "Record the call";
  setToggle("mic", !call.muted, "mic", "Microphone");
  setToggle("camera", call.cameraOn, "camera", "Camera", !abilities().send);
  const sharing = at("screen");
  sharing.classList.toggle("on", call.sharing);
  sharing.setAttribute("aria-pressed", String(call.sharing));
  sharing.disabled = !call.ready;
  sharing.querySelector(".sr").textContent = call.sharing ? "Stop sharing your screen" : "Share your screen";
  tiles.draw(call.scene, call.people, call.speaking);
  listPeople(at("people-list"), call.people, call.me, call.speaking);
  at("people-count").textContent = call.people.size > 0 ? String(call.people.size) : "";
  at("people-toggle").setAttribute("aria-pressed", String(!document.body.classList.contains("no-people")));
}

async function backToLobby(text) {
  call?.leave();
  call = null;
  at("composite").srcObject = null;
  if (document.fullscreenElement) document.exitFullscreen().catch(() => {});
  at("call").hidden = true;
  at("lobby").hidden = false;
  document.title = "Tessera";
  setPhase("lobby");
  at("join").textContent = askedFor().watch ? "Watch again" : "Join again";
  showError(text);
  lobby.camera = lobby.microphone = null;
  if (!askedFor().watch) await openDevices(abilities());
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

const toggleMic = doing(async () => {
  if (call && !call.watching) await (call.hasMicrophone ? call.setMuted(!call.muted) : call.openMicrophone());
}, "microphone");
const toggleCamera = doing(async () => {
  if (call && !call.watching) await call.setCamera(!call.cameraOn);
}, "camera");
const toggleScreen = doing(async () => {
  if (call?.ready) await (call.sharing ? call.stopScreen() : call.startScreen());
}, "screen");
const copyLink = doing(async () => {
  const url = new URL(location.origin);
  url.searchParams.set("room", call.purpose.room);
  try {
    await navigator.clipboard.writeText(url.href);
    toast(at("toasts"), "Link copied. Send it to whoever should come.");
  } catch {
    toast(at("toasts"), `The link to this room: ${url.href}`, { ms: 15_000 });
  }
}, "clipboard");

function togglePeople() {
  document.body.classList.toggle("no-people");
  draw();
}

function toggleFull() {
  if (document.fullscreenElement) document.exitFullscreen();
  else at("canvas").requestFullscreen?.().catch(() => {});
}

function onKey(event) {
  const typing = event.target.closest?.("input, textarea, select");
  if (phase !== "call" || typing || event.ctrlKey || event.metaKey || event.altKey || event.repeat) return;
  const act = { m: toggleMic, v: toggleCamera, s: toggleScreen, p: togglePeople, f: toggleFull }[event.key.toLowerCase()];
  if (!act) return;
  event.preventDefault();
  act();
}

async function measure() {
  if (!call || phase !== "call") return;
  const figures = await call.measure().catch(() => null);
  if (!figures) return;
  at("quality").textContent = figures.width ? `${figures.width}×${figures.height} · ${Math.round(figures.framesPerSecond)} frames/s` : "";
}

at("join-form").addEventListener("submit", (event) => {
  event.preventDefault();
  enter(askedFor().watch);
});
at("watch").addEventListener("click", () => enter(true));
at("name").addEventListener("input", () => avatar(at("preview-avatar"), at("name").value, at("name").value));
at("lobby-camera").addEventListener("click", toggleLobbyCamera);
at("lobby-mic").addEventListener("click", () => {
  if (lobby.microphone) lobby.microphone.enabled = !lobby.microphone.enabled;
  showPreview();
});
at("mic").addEventListener("click", toggleMic);
at("camera").addEventListener("click", toggleCamera);
at("screen").addEventListener("click", toggleScreen);
at("record").addEventListener("click", () => call?.record(!call.room.recording));
at("copy").addEventListener("click", copyLink);
at("people-toggle").addEventListener("click", togglePeople);
at("full").addEventListener("click", toggleFull);
at("leave").addEventListener("click", () => backToLobby(null));
at("sound").addEventListener("click", play);
at("composite").addEventListener("resize", draw);
at("composite").addEventListener("loadeddata", draw);
document.addEventListener("keydown", onKey);
// The tab closes or the phone's browser goes: the others should not look at a frozen face.
addEventListener("pagehide", () => call?.leave());
// Back from the browser's memory: the call has ended meanwhile.
addEventListener("pageshow", (event) => event.persisted && location.reload());
setInterval(measure, 1000);
openLobby();
