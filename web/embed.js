// The join page in another page's frame: what goes on is told to the page around it, and a few things may be asked by it.
// Which pages may be around it says the node ([http] embed_origins, as frame-ancestors), so whoever hears this is one of them.

const framed = window.parent !== window;
/** How often it is looked at what goes on, milliseconds. */
const LOOK_MS = 250;

/** @param {string} id @returns {HTMLButtonElement | null} */
const button = (id) => /** @type {HTMLButtonElement | null} */ (document.getElementById(id));
/** @param {string} id Whether a button's microphone, camera or screen is on. */
const isOn = (id) => button(id)?.getAttribute("aria-pressed") === "true";
const inLobby = () => (/** @type {any} */ (window).tessera?.phase ?? "lobby") === "lobby";
/** The lobby's buttons, or the call's. */
const mic = () => (inLobby() ? "lobby-mic" : "mic");
const camera = () => (inLobby() ? "lobby-camera" : "camera");

/** What the page around may know: no names of others, no token. */
function state() {
  const page = /** @type {any} */ (window).tessera ?? {};
  return {
    phase: page.phase ?? "lobby",
    connected: page.connected === true,
    room: page.room ?? null,
    participant: page.participant ?? null,
    people: page.participants?.length ?? 0,
    recording: page.recording === true,
    microphone: isOn(mic()),
    camera: isOn(camera()),
    screen: isOn("screen"),
  };
}

/** @param {string} id @param {unknown} on Presses a button that is not so yet. */
function turn(id, on) {
  const pressed = button(id);
  if (typeof on === "boolean" && pressed && !pressed.disabled && isOn(id) !== on) pressed.click();
}

/** @type {Record<string, (asked: any) => void>} What may be asked. */
const asked = {
  state: () => tell(state()),
  join: () => inLobby() && button("join")?.click(),
  leave: () => inLobby() || button("leave")?.click(),
  microphone: ({ on }) => turn(mic(), on),
  camera: ({ on }) => turn(camera(), on),
};

/** @param {object} what */
function tell(what) {
  window.parent.postMessage({ tessera: "state", version: 1, ...what }, "*");
}

if (framed) {
  document.documentElement.classList.add("framed");
  window.addEventListener("message", (event) => {
    // Of the page around, and of no other frame in it.
    if (event.source !== window.parent || typeof event.data !== "object" || event.data === null) return;
    const act = event.data.tessera;
    if (typeof act === "string" && Object.hasOwn(asked, act)) asked[act](event.data);
  });
  let last = "";
  setInterval(() => {
    const now = state();
    const text = JSON.stringify(now);
    if (text === last) return;
    last = text;
    tell(now);
  }, LOOK_MS);
}
