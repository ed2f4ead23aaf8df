// This person's camera, microphone and screen, and words for when there is none.

const CAMERA = { width: { ideal: 1280 }, height: { ideal: 720 }, frameRate: { ideal: 30, max: 30 } };
const MICROPHONE = { echoCancellation: true, noiseSuppression: true, autoGainControl: true };
const SCREEN = { video: { frameRate: { ideal: 15, max: 30 } }, audio: true };

/** Whether this page may ask for devices at all. */
export const available = () => Boolean(navigator.mediaDevices?.getUserMedia);
export const canShareScreen = () => Boolean(navigator.mediaDevices?.getDisplayMedia);

export const camera = async () => (await navigator.mediaDevices.getUserMedia({ video: CAMERA })).getVideoTracks()[0];
export const microphone = async () => (await navigator.mediaDevices.getUserMedia({ audio: MICROPHONE })).getAudioTracks()[0];

/** Both in one question if possible, else whichever there is: `{camera, microphone, problem}`. */
export async function both() {
  if (!available()) return { camera: null, microphone: null, problem: insecure() };
  try {
    const media = await navigator.mediaDevices.getUserMedia({ video: CAMERA, audio: MICROPHONE });
    return { camera: media.getVideoTracks()[0] ?? null, microphone: media.getAudioTracks()[0] ?? null, problem: null };
  } catch (error) {
    if (error.name === "NotAllowedError") return { camera: null, microphone: null, problem: explain(error, "camera and microphone") };
  }
  const [seen, heard] = await Promise.allSettled([camera(), microphone()]);
  const problems = [
    seen.status === "rejected" && explain(seen.reason, "camera"),
    heard.status === "rejected" && explain(heard.reason, "microphone"),
  ];
  const of = (/** @type {any} */ settled) => settled.value ?? null;
  return { camera: of(seen), microphone: of(heard), problem: problems.filter(Boolean).join(" ") || null };
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
    throw new Error(explain(error, "screen"));
  }
}

const insecure = () =>
  globalThis.isSecureContext
    ? "This browser has no access to cameras and microphones. You can still join to see and hear."
    : "Browsers give camera and microphone only over HTTPS or on localhost. You can still join to see and hear, or ask whoever runs this node to turn HTTPS on.";

export function explain(error, what) {
  switch (error?.name) {
    case "NotAllowedError":
    case "SecurityError":
      return `This browser keeps the ${what} from this page. Allow it beside the address bar, or join without.`;
    case "NotFoundError":
    case "OverconstrainedError":
      return `No ${what} was found. Plug one in, or join without.`;
    case "NotReadableError":
    case "AbortError":
      return `The ${what} is in use by another program. Close it there, or join without.`;
    default:
      return available() ? `The ${what} cannot be used (${error?.message ?? error}).` : insecure();
  }
}

/** Calls `show` with a level from 0 to 1 some 20 times a second; returns how to stop. */
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
