// The console: rooms and who is in them, one room's picture, and how the node fared.
import { Refused, Token, announce, ask, at, element } from "./common.js";
import { Plots, canDraw } from "./plots.js";

/**
 * @typedef {{ room: string, participants: number, viewers: number }} Summary
 * @typedef {{ id: string, name: string, camera: boolean, microphone: boolean, screen: boolean, muted: boolean,
 *   hushed: boolean, hand: boolean, unrecorded?: boolean }} Person
 * @typedef {{ room: string, participants: Person[], viewers: number, recording: boolean, gives_up: string, codec: string,
 *   codec_why: string }} Room
 */

const token = new Token("tessera.operator-token");
const plots = new Plots(at("charts"));
/** Between two looks, milliseconds. */
const LOOK_MS = 2000;
/** How long a room's picture may take to come, milliseconds. */
const PICTURE_MS = 15000;

/** @type {{ room: string, watched: string, picture: Picture | null, timer: number, node: any }} */
const page = { room: "", watched: "", picture: null, timer: 0, node: null };

/** One room's smallest rung, by WHEP: it is encoded for as long as somebody looks, and for nobody else. */
class Picture {
  /** @param {string} room */
  constructor(room) {
    this.room = room;
    this.over = new AbortController();
    this.peer = new RTCPeerConnection();
    this.place = "";
  }

  /** @param {HTMLVideoElement} into */
  async show(into) {
    const { rungs } = await ask(`/whep/${encodeURIComponent(this.room)}`, { token: token.get(), signal: this.over.signal });
    const smallest = rungs.reduce((/** @type {any} */ least, /** @type {any} */ one) => (one.width < least.width ? one : least));
    this.peer.addTransceiver("video", { direction: "recvonly" });
    this.peer.addEventListener("track", ({ track }) => {
      into.srcObject = new MediaStream([track]);
    });
    await this.peer.setLocalDescription();
    await this.#gathered();
    const answer = await fetch(`/whep/${encodeURIComponent(this.room)}?rung=${encodeURIComponent(smallest.rung)}`, {
      method: "POST",
      headers: { "content-type": "application/sdp", authorization: `Bearer ${token.get()}` },
      body: this.peer.localDescription?.sdp,
      signal: this.over.signal,
    });
    if (!answer.ok) throw new Refused(answer.status, "The room’s picture cannot be had now.", "");
    this.place = answer.headers.get("location") ?? "";
    // It may have been closed meanwhile.
    if (this.over.signal.aborted) return this.#leave();
    await this.peer.setRemoteDescription({ type: "answer", sdp: await answer.text() });
  }

  #gathered() {
    return new Promise((/** @type {(value?: unknown) => void} */ done) => {
      if (this.peer.iceGatheringState === "complete") done();
      this.peer.addEventListener("icegatheringstatechange", () => this.peer.iceGatheringState === "complete" && done());
      setTimeout(done, 1000);
    });
  }

  #leave() {
    if (this.place) void fetch(this.place, { method: "DELETE", keepalive: true }).catch(() => {});
    this.place = "";
  }

  end() {
    this.over.abort();
    this.peer.close();
    this.#leave();
  }
}

/** @param {string} words Nothing: all is well. */
function problem(words) {
  if (at("problem").textContent !== words) at("problem").textContent = words;
  at("problem").hidden = !words;
}

/** @param {string} words */
function wantToken(words) {
  closeRoom();
  at("shown").hidden = true;
  at("forget").hidden = true;
  at("token-form").hidden = false;
  problem(words);
  at("token").value = "";
  at("token").focus();
}

async function look() {
  clearTimeout(page.timer);
  try {
    const history = await ask(`/v1/node/history?after=${plots.next}`, { token: token.get() });
    page.node ??= await ask("/v1/node", { token: token.get() });
    const { rooms } = await ask("/v1/rooms", { token: token.get() });
    at("token-form").hidden = true;
    at("shown").hidden = false;
    at("forget").hidden = !token.get();
    await plots.add(history);
    drawFacts(rooms);
    drawRooms(rooms);
    if (page.room) await lookAtRoom();
    problem("");
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    if (error.status === 401) {
      const had = token.get();
      token.forget();
      return wantToken(had ? "That token does not open this console." : "");
    }
    if (error.status === 403) {
      at("shown").hidden = true;
      return problem("Other machines reach this node, and it has no token, so it shows its console to nobody. Whoever runs it sets [http] token, or starts it with --token.");
    }
    problem(error.message);
  }
  page.timer = setTimeout(look, LOOK_MS);
}

/** @param {Summary[]} rooms */
function drawFacts(rooms) {
  const sum = (/** @type {(room: Summary) => number} */ of) => rooms.reduce((all, room) => all + of(room), 0);
  const facts = [
    ["Rooms", String(rooms.length)],
    ["People", String(sum((room) => room.participants))],
    ["Viewers", String(sum((room) => room.viewers))],
    ["Cores used", `${plots.sum("Processor").toFixed(2)} of ${page.node.cores}`],
    ["Memory", `${Math.round(plots.now("Memory", "resident"))} MiB`],
    ["AV1 encoder", page.node.encoder],
    ["Compositor", page.node.compositor],
    ["Version", page.node.version],
  ];
  at("facts").replaceChildren(...facts.map(([name, value]) => element("div", {}, element("dt", {}, name), element("dd", {}, value))));
  at("why").textContent = `${page.node.encoder_reason}; ${page.node.codec.reason}.`;
}

/** @param {Summary[]} rooms */
function drawRooms(rooms) {
  at("no-rooms").hidden = rooms.length > 0;
  const list = at("rooms");
  const known = new Map(Array.from(list.children, (/** @type {any} */ item) => [item.dataset.room, item]));
  // Rows stay as they are while their rooms do: what has the focus keeps it.
  for (const { room, participants, viewers } of rooms) {
    let item = known.get(room);
    if (!item) {
      const button = element("button", { type: "button" }, element("strong", {}, room), element("span", { class: "quiet" }));
      button.addEventListener("click", () => openRoom(room));
      item = element("li", {}, button);
      item.dataset.room = room;
      list.append(item);
    }
    known.delete(room);
    const watch = viewers === 1 ? "1 viewer" : `${viewers} viewers`;
    item.querySelector(".quiet").textContent = `${participants === 1 ? "1 person" : `${participants} people`}, ${watch}`;
    item.firstElementChild.toggleAttribute("aria-current", room === page.room);
    if (room === page.room) item.firstElementChild.setAttribute("aria-current", "true");
  }
  for (const gone of known.values()) gone.remove();
  if (page.room && !rooms.some(({ room }) => room === page.room)) {
    announce(`The room ${page.room} is over`);
    closeRoom();
  }
}

/** @param {string} room */
function openRoom(room) {
  closeRoom();
  page.room = room;
  at("one-title").textContent = room;
  at("one").hidden = false;
  at("one-title").focus();
  showPicture();
  void look();
}

function showPicture() {
  page.picture?.end();
  const picture = (page.picture = new Picture(page.room));
  const video = at("live");
  video.srcObject = null;
  at("live-words").textContent = "The picture comes …";
  const late = setTimeout(() => {
    if (page.picture === picture && video.videoWidth === 0) at("live-words").textContent = "No picture came: perhaps nobody’s camera is on, or the media port cannot be reached.";
  }, PICTURE_MS);
  picture.show(video).catch((error) => {
    clearTimeout(late);
    if (page.picture === picture) at("live-words").textContent = error instanceof Refused ? error.message : "The picture cannot be shown here.";
  });
}

function closeRoom() {
  page.picture?.end();
  page.picture = null;
  page.room = "";
  at("live").srcObject = null;
  at("one").hidden = true;
  for (const button of document.querySelectorAll("#rooms [aria-current]")) button.removeAttribute("aria-current");
}

async function lookAtRoom() {
  const name = page.room;
  /** @type {Room} */
  const room = await ask(`/v1/rooms/${encodeURIComponent(name)}`, { token: token.get() });
  if (name !== page.room) return;
  const about = [room.codec.toUpperCase(), room.viewers === 1 ? "1 viewer" : `${room.viewers} viewers`];
  if (room.recording) about.push("being recorded");
  if (room.gives_up !== "none") about.push(`gives up: ${room.gives_up}`);
  at("one-words").textContent = `${about.join(" · ")}. ${room.codec_why}`;
  at("people").replaceChildren(...room.participants.map((person) => {
    const state = [];
    if (person.screen) state.push("shares a screen");
    if (!person.camera) state.push("no camera");
    if (!person.microphone) state.push("no microphone");
    else if (person.muted || person.hushed) state.push(person.hushed ? "muted by a host" : "muted");
    if (person.hand) state.push("hand raised");
    if (person.unrecorded) state.push("not recorded");
    return element("li", {}, element("span", {}, person.name), " ", element("span", { class: "quiet" }, state.join(", ")));
  }));
}

at("live").addEventListener("resize", () => {
  if (at("live").videoWidth) at("live-words").textContent = "Live, the smallest rung. It counts as a viewer.";
});
at("one-close").addEventListener("click", closeRoom);
at("token-form").addEventListener("submit", (/** @type {Event} */ event) => {
  event.preventDefault();
  token.set(at("token").value);
  void look();
});
at("forget").addEventListener("click", () => {
  clearTimeout(page.timer);
  token.forget();
  location.reload();
});
// Nobody looks: nothing is asked, and nothing is encoded for it.
document.addEventListener("visibilitychange", () => {
  clearTimeout(page.timer);
  if (document.visibilityState === "visible") {
    if (page.room) showPicture();
    void look();
  } else {
    page.picture?.end();
    page.picture = null;
  }
});
addEventListener("pagehide", () => page.picture?.end());
at("no-plots").hidden = await canDraw;
void look();
