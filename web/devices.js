// This person's camera, microphone, screen and speaker, and words for when there is none.

import { say } from "./words.js";

const CAMERA = { width: { ideal: 1280 }, height: { ideal: 720 }, frameRate: { ideal: 30, max: 30 } };
const MICROPHONE = { echoCancellation: true, noiseSuppression: true, autoGainControl: true };
const SCREEN = { video: { frameRate: { ideal: 15, max: 30 } }, audio: true };
const KEY = "tessera.devices";

/** @typedef {"camera" | "microphone" | "speaker"} Part */
/** @typedef {{camera: MediaStreamTrack | null, microphone: MediaStreamTrack | null, problem: string | null}} Both */

/** @type {Record<Part, MediaDeviceKind>} */
const KINDS = { camera: "videoinput", microphone: "audioinput", speaker: "audiooutput" };

/** Whether this page may ask for devices at all. */
export const available = () => Boolean(navigator.mediaDevices?.getUserMedia);
export const canShareScreen = () => Boolean(navigator.mediaDevices?.getDisplayMedia);
export const canChooseSpeaker = () => "setSinkId" in HTMLMediaElement.prototype;

/** @type {Partial<Record<Part, string>>} */
let chosen = {};
try {
  chosen = JSON.parse(localStorage.getItem(KEY) ?? "{}") ?? {};
} catch {
  // Private windows may keep nothing; the browser's own choice holds.
}

/** The device chosen for a part; empty: the browser's own choice. @param {Part} part */
export const choice = (part) => chosen[part] ?? "";

/** Keeps a choice for this browser. @param {Part} part @param {string} id */
export function choose(part, id) {
  chosen = { ...chosen, [part]: id };
  try {
    localStorage.setItem(KEY, JSON.stringify(chosen));
  } catch {
    // It holds for this page alone, then.
  }
}

/** Every device for a part, with a name to show; browsers tell names once they gave one. @param {Part} part */
export async function list(part) {
  const all = await (navigator.mediaDevices?.enumerateDevices?.() ?? Promise.resolve([]));
  const fitting = all.filter((device) => device.kind === KINDS[part] && device.deviceId);
  return fitting.map(({ deviceId, label }, n) => ({
    id: deviceId,
    name: label || say("device.unnamed", { device: say(part), number: n + 1 }),
  }));
}

// The one that was chosen may be unplugged: then any other is better than none.
const preferred = (part) => (choice(part) ? { deviceId: { ideal: choice(part) } } : {});
const wanted = {
  camera: () => ({ ...CAMERA, ...preferred("camera") }),
  microphone: () => ({ ...MICROPHONE, ...preferred("microphone") }),
};

export const camera = async () => (await navigator.mediaDevices.getUserMedia({ video: wanted.camera() })).getVideoTracks()[0];
export const microphone = async () =>
  (await navigator.mediaDevices.getUserMedia({ audio: wanted.microphone() })).getAudioTracks()[0];

/** Both in one question if possible, else whichever there is. @returns {Promise<Both>} */
export async function both() {
  if (!available()) return { camera: null, microphone: null, problem: insecure() };
  try {
    const media = await navigator.mediaDevices.getUserMedia({ video: wanted.camera(), audio: wanted.microphone() });
    return { camera: media.getVideoTracks()[0] ?? null, microphone: media.getAudioTracks()[0] ?? null, problem: null };
  } catch (error) {
    if (error.name === "NotAllowedError") return { camera: null, microphone: null, problem: explain(error, "both") };
  }
  const [seen, heard] = await Promise.allSettled([camera(), microphone()]);
  const problems = [
    seen.status === "rejected" && explain(seen.reason, "camera"),
    heard.status === "rejected" && explain(heard.reason, "microphone"),
  ];
  return {
    camera: seen.status === "fulfilled" ? seen.value : null,
    microphone: heard.status === "fulfilled" ? heard.value : null,
    problem: problems.filter(Boolean).join(" ") || null,
  };
}

/** Captures what is asked of the camera, in whole steps: it does not change with every tile.
 * @param {MediaStreamTrack} track @param {{width: number, height: number, fps: number}} asked */
export async function fit(track, asked) {
  const height = [180, 360, 720].find((step) => step >= asked.height) ?? 720;
  const frameRate = asked.fps > 0 ? { ideal: Math.min(30, asked.fps), max: 30 } : CAMERA.frameRate;
  const now = track.getConstraints();
  if (now.height?.["ideal"] === height && now.frameRate?.["ideal"] === frameRate.ideal) return;
  await track.applyConstraints({ ...preferred("camera"), height: { ideal: height }, width: { ideal: (height * 16) / 9 }, frameRate });
}

/** The screen and, where the browser offers it, its sound; null when the person changed their mind. */
export async function screen() {
  try {
    const media = await navigator.mediaDevices.getDisplayMedia(SCREEN);
    const picture = media.getVideoTracks()[0];
    if ("contentHint" in picture) picture.contentHint = "detail";
    return { picture, sound: media.getAudioTracks()[0] ?? null };
  } catch (error) {
    if (error.name === "NotAllowedError") return null;
    throw new Error(explain(error, "screen"), { cause: error });
  }
}

const insecure = () => say(globalThis.isSecureContext ? "devices.missing" : "devices.insecure");

/** Why a device cannot be used, and what to do. @param {any} error @param {string} what */
export function explain(error, what) {
  const device = say(`thing.${what}`);
  switch (error?.name) {
    case "NotAllowedError":
    case "SecurityError":
      return say("device.kept", { device });
    case "NotFoundError":
    case "OverconstrainedError":
      return say("device.none", { device });
    case "NotReadableError":
    case "AbortError":
      return say("device.taken", { device });
    default:
      return available() ? say("device.failed", { device, why: error?.message ?? String(error) }) : insecure();
  }
}

/** Calls `show` with a level from 0 to 1 some 20 times a second; returns how to stop.
 * @param {MediaStreamTrack | null} track @param {(level: number) => void} show */
export function meter(track, show) {
  if (!track || !globalThis.AudioContext) return () => {};
  const context = new AudioContext();
  const analyser = new AnalyserNode(context, { fftSize: 512 });
  context.createMediaStreamSource(new MediaStream([track])).connect(analyser);
  const samples = new Float32Array(analyser.fftSize);
  const timer = setInterval(() => {
    analyser.getFloatTimeDomainData(samples);
    const power = samples.reduce((sum, x) => sum + x * x, 0) / samples.length;
    // −55 dB is the bottom of the bar, −10 dB its top.
    show(track.enabled ? Math.min(1, Math.max(0, (10 * Math.log10(power + 1e-9) + 55) / 45)) : 0);
  }, 50);
  return () => {
    clearInterval(timer);
    show(0);
    context.close().catch(() => {});
  };
}
