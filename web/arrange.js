// A layout of one's own from the one picture that everybody gets: who is enlarged, hidden or moved is drawn elsewhere from the shown frame.

import { key, ordered, own } from "./places.js";

const KEPT = "tessera.arranged";
const ROOMS_MAX = 20;
const FACES_MAX = 200;
const SVG = "http://www.w3.org/2000/svg";
const ICONS = {
  arrange: "M4 5h9v8H4zM16 5h4v3.5h-4zM16 10.5h4V13h-4zM4 16h4v3H4zM10.5 16H15v3h-4.500zM17 16h3v3h-3z",
  big: "M9 4H4v5M15 20h5v-5M4 4l6 6M20 20l-6-6",
  hide: "M3 12s3.5-6 9-6 9 6 9 6-3.5 6-9 6-9-6-9-6zM4 4l16 16",
  earlier: "M14.5 6 8.5 12l6 6",
  later: "m9.5 6 6 6-6 6",
};

/**
 * @typedef {import("./moment.js").Scene} Scene
 * @typedef {{id: string, name: string, big: boolean, hidden: boolean, at: number | null}} Wish
 */

/** What somebody wants to see of a room, kept in this browser: by id, and of who came back by name. */
class Wishes {
  #room = "";
  /** @type {Map<string, Wish>} */
  #all = new Map();

  open(/** @type {string} */ room) {
    if (room === this.#room) return;
    this.#room = room;
    const kept = read()[room];
    const good = (wish) => typeof wish?.id === "string" && typeof wish.name === "string";
    const wishes = Array.isArray(kept) ? kept.filter(good).slice(0, FACES_MAX) : [];
    const at = (wish) => (Number.isInteger(wish.at) ? wish.at : null);
    const whole = (wish) => ({ id: wish.id, name: wish.name, big: wish.big === true, hidden: wish.hidden === true, at: at(wish) });
    this.#all = new Map(wishes.map((wish) => [wish.id, whole(wish)]));
  }

  get any() {
    return this.#all.size > 0;
  }

  /** The wish about one face; `name` finds one who was here before. */
  of(/** @type {string} */ id, /** @type {string} */ name, /** @type {Set<string>} */ present) {
    const known = this.#all.get(id);
    if (known || !name) return known;
    const before = [...this.#all.values()].find((wish) => wish.name === name && !present.has(wish.id));
    if (before) {
      this.#all.delete(before.id);
      this.#all.set(id, { ...before, id });
    }
    return before && this.#all.get(id);
  }

  change(/** @type {string} */ id, /** @type {string} */ name, /** @type {Partial<Wish>} */ changed) {
    const wish = { id, name, big: false, hidden: false, at: null, ...this.#all.get(id), ...changed };
    this.#all.delete(id);
    if (wish.big || wish.hidden || wish.at !== null) this.#all.set(id, wish);
    this.#keep();
  }

  forget() {
    this.#all.clear();
    this.#keep();
  }

  #keep() {
    try {
      const { [this.#room]: _, ...others } = read();
      const rooms = Object.entries(others).slice(1 - ROOMS_MAX);
      if (this.any) rooms.push([this.#room, [...this.#all.values()].slice(-FACES_MAX)]);
      localStorage.setItem(KEPT, JSON.stringify(Object.fromEntries(rooms)));
    } catch {
      // Private windows may keep nothing.
    }
  }
}

function read() {
  try {
    const kept = JSON.parse(localStorage.getItem(KEPT) ?? "{}");
    return kept && typeof kept === "object" ? kept : {};
  } catch {
    return {};
  }
}

function icon(name) {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("aria-hidden", "true");
  const path = document.createElementNS(SVG, "path");
  path.setAttribute("d", ICONS[name]);
  svg.append(path);
  return svg;
}

function element(tag, className, ...children) {
  const made = document.createElement(tag);
  made.className = className;
  made.append(...children);
  return made;
}

export class Arrangement {
  #video;
  #box;
  #redraw;
  #wishes = new Wishes();
  /** @type {Scene | null} */
  #scene = null;
  /** @type {import("./places.js").Own | null} */
  #own = null;
  #people = new Map();
  #me = null;
  /** @type {Map<string, {canvas: HTMLCanvasElement, paint: CanvasRenderingContext2D}>} */
  #faces = new Map();
  #holes = element("div", "own-holes");
  #drawn = element("div", "own-faces");
  #panel = element("section", "own");
  #list = element("ul", "own-list");
  #button = element("button", "item", icon("arrange"), element("span", "", "Your own layout"));
  #reset = element("button", "plain", "As everyone sees it");
  #rows = "";

  /**
   * `box` holds the picture, `over` lies over it, `before` follows the button; `redraw` is called when everything lies elsewhere.
   * @param {{video: HTMLVideoElement, box: HTMLElement, over: HTMLElement, before: HTMLElement, redraw: () => void}} parts
   */
  constructor({ video, box, over, before, redraw }) {
    this.#video = video;
    this.#box = box;
    this.#redraw = redraw;
    over.append(this.#holes, this.#drawn);
    Object.assign(this.#button, { type: "button", id: "own-toggle", title: "Your own layout (L)" });
    this.#button.setAttribute("aria-expanded", "false");
    this.#button.setAttribute("aria-controls", "own");
    this.#button.addEventListener("click", () => this.toggle());
    before.before(this.#button);
    this.#furnish();
    document.body.append(this.#panel);
    box.addEventListener("dblclick", (event) => this.#enlargeAt(event));
  }

  #furnish() {
    const title = element("h2", "", "Your own layout");
    const close = element("button", "own-close", "Close");
    Object.assign(close, { type: "button" });
    Object.assign(this.#reset, { type: "button", id: "own-reset" });
    Object.assign(this.#panel, { id: "own", hidden: true });
    this.#panel.setAttribute("aria-label", "Your own layout");
    const note = element("p", "", "Only you see it so. Two clicks on a face enlarge it, two more undo it.");
    this.#panel.append(element("header", "", title, close), note, this.#list, this.#reset);
    close.addEventListener("click", () => this.toggle(false));
    this.#reset.addEventListener("click", () => {
      this.#wishes.forget();
      this.#changed();
    });
    this.#panel.addEventListener("keydown", (event) => event.key === "Escape" && this.toggle(false));
  }

  /** Opens or closes the panel. */
  toggle(open = this.#panel.hidden) {
    const within = this.#panel.contains(document.activeElement);
    this.#panel.hidden = !open;
    this.#button.setAttribute("aria-expanded", String(open));
    this.#fill();
    if (open) this.#panel.querySelector("button")?.focus();
    else if (within) this.#home().focus();
  }

  /** The button, or what opens the menu that it is in. */
  #home() {
    const menu = this.#button.closest("[popover]:not(:popover-open)");
    const opener = menu && document.querySelector(`[popovertarget="${menu.id}"]`);
    return /** @type {HTMLElement} */ (opener ?? this.#button);
  }

  /**
   * Where everything lies for this person, given where the room has it.
   * @param {string} room
   * @param {Scene | null} scene
   * @param {Map<string, {name: string}>} people
   * @param {string | null} me
   */
  lay(room, scene, people, me) {
    this.#wishes.open(room);
    this.#scene = scene;
    this.#people = people;
    this.#me = me;
    this.#own = scene && this.#wishes.any ? own(scene, this.#resolved(scene)) : null;
    this.#button.classList.toggle("on", this.#own !== null);
    this.#fit();
    this.#fill();
    return this.#own ?? scene;
  }

  #resolved(scene) {
    const present = new Set(scene.tiles.map(key));
    const wishes = { big: new Set(), hidden: new Set(), order: [] };
    const order = [];
    for (const tile of scene.tiles) {
      const wish = this.#wishes.of(key(tile), this.#name(tile), present);
      if (wish?.big) wishes.big.add(key(tile));
      if (wish?.hidden) wishes.hidden.add(key(tile));
      if (wish && wish.at !== null) order.push({ id: key(tile), at: wish.at });
    }
    wishes.order = order.sort((a, b) => a.at - b.at).map(({ id }) => id);
    return wishes;
  }

  #name(tile) {
    const name = this.#people.get(tile.participant)?.name ?? "";
    return tile.track === "screen" && name ? `${name}: screen` : name;
  }

  /** Lays out the box; only what changed touches the page. */
  #fit() {
    const place = this.#own;
    const percent = (part, whole) => `${((100 * part) / whole).toFixed(3)}%`;
    this.#video.style.height = place ? percent(this.#scene.height, place.height) : "";
    const lay = (made, { x, y, width, height }) =>
      Object.assign(made.style, {
        left: percent(x, place.width),
        top: percent(y, place.height),
        width: percent(width, place.width),
        height: percent(height, place.height),
      });
    const holes = place?.holes ?? [];
    while (this.#holes.childElementCount > holes.length) this.#holes.lastElementChild.remove();
    while (this.#holes.childElementCount < holes.length) this.#holes.append(document.createElement("i"));
    holes.forEach((hole, at) => lay(this.#holes.children[at], hole));
    const drawn = new Map((place?.tiles ?? []).filter((tile) => tile.drawn).map((tile) => [key(tile), tile]));
    for (const [id, { canvas }] of this.#faces) {
      if (drawn.has(id)) continue;
      canvas.remove();
      this.#faces.delete(id);
    }
    for (const [id, tile] of drawn) {
      const face = this.#faces.get(id) ?? this.#face(id);
      lay(face.canvas, tile);
      face.canvas.style.zIndex = String(tile.z);
    }
    this.draw();
  }

  #face(id) {
    const canvas = document.createElement("canvas");
    canvas.width = canvas.height = 2;
    canvas.dataset.of = id;
    const face = { canvas, paint: canvas.getContext("2d", { alpha: false }) };
    this.#drawn.append(canvas);
    this.#faces.set(id, face);
    return face;
  }

  /** Draws of each face that lies elsewhere its own pixels; the page makes them larger. */
  draw() {
    if (this.#faces.size === 0 || this.#video.videoWidth === 0) return;
    const by = [this.#video.videoWidth / this.#scene.width, this.#video.videoHeight / this.#scene.height];
    const even = (length) => Math.max(2, Math.round(length / 2) * 2);
    const frame = planar(this.#video);
    for (const tile of this.#own.tiles) {
      const face = this.#faces.get(key(tile));
      if (!face) continue;
      const { x, y, width, height } = tile.source;
      const [left, top] = [x * by[0], y * by[1]].map((at) => Math.round(at / 2) * 2);
      const [wide, high] = [even(width * by[0]), even(height * by[1])];
      if (face.canvas.width !== wide) face.canvas.width = wide;
      if (face.canvas.height !== high) face.canvas.height = high;
      if (!frame || !cropped(face.paint, frame, { x: left, y: top, width: wide, height: high })) {
        face.paint.drawImage(this.#video, left, top, wide, high, 0, 0, wide, high);
      }
    }
    frame?.close();
  }

  #changed() {
    this.#redraw();
    this.#fill();
  }

  #change(tile, changed) {
    this.#wishes.change(key(tile), this.#name(tile), changed);
    this.#changed();
  }

  #enlargeAt(event) {
    const place = this.#own ?? this.#scene;
    if (!place || event.target.closest?.("button")) return;
    const box = this.#box.getBoundingClientRect();
    const [x, y] = [((event.clientX - box.left) / box.width) * place.width, ((event.clientY - box.top) / box.height) * place.height];
    const hit = place.tiles.filter((tile) => x >= tile.x && y >= tile.y && x < tile.x + tile.width && y < tile.y + tile.height);
    const tile = hit.sort((a, b) => b.z - a.z)[0];
    if (tile) this.#change(tile, { big: !this.#wishes.of(key(tile), "", new Set())?.big });
  }

  /** Puts a face one place on, or back; all have their places by wish then. */
  #move(tile, by) {
    const faces = ordered(this.#scene.tiles, this.#resolved(this.#scene).order);
    const from = faces.findIndex((face) => key(face) === key(tile));
    const to = from + by;
    if (to < 0 || to >= faces.length) return;
    [faces[from], faces[to]] = [faces[to], faces[from]];
    faces.forEach((face, at) => this.#wishes.change(key(face), this.#name(face), { at }));
    this.#changed();
    this.#list.children[to]?.querySelector(`[data-act="${by < 0 ? "earlier" : "later"}"]`)?.focus();
  }

  /** The panel's rows, made anew when they read otherwise: the focus stays. */
  #fill() {
    if (this.#panel.hidden) return;
    const wishes = this.#scene ? this.#resolved(this.#scene) : null;
    const tiles = this.#scene ? ordered(this.#scene.tiles, wishes.order) : [];
    const facts = tiles.map((tile) => [key(tile), this.#name(tile), wishes.big.has(key(tile)), wishes.hidden.has(key(tile))]);
    this.#reset.toggleAttribute("disabled", !this.#wishes.any);
    const rows = JSON.stringify(facts);
    if (rows === this.#rows) return;
    this.#rows = rows;
    const focus = this.#list.contains(document.activeElement) ? /** @type {HTMLElement} */ (document.activeElement).dataset : null;
    this.#list.replaceChildren(...tiles.map((tile, at) => this.#row(tile, at, tiles.length, facts[at])));
    const again = [...this.#list.querySelectorAll("button")].find((one) => one.dataset.of === focus?.of && one.dataset.act === focus?.act);
    again?.focus();
  }

  #row(tile, at, count, /** @type {any[]} */ [id, name, big, hidden]) {
    const called = `${name || "Somebody"}${tile.participant === this.#me ? " (you)" : ""}`;
    const make = (act, does, click, pressed = null, disabled = false) => {
      const button = element("button", "own-act", icon(act), element("span", "sr", `${does}: ${called}`));
      Object.assign(button, { type: "button", title: does, disabled });
      Object.assign(button.dataset, { act, of: id });
      if (pressed !== null) button.setAttribute("aria-pressed", String(pressed));
      button.addEventListener("click", click);
      return button;
    };
    return element(
      "li",
      hidden ? "hidden-face" : "",
      element("span", "own-name", called),
      make("big", "Enlarge", () => this.#change(tile, { big: !big }), big, hidden),
      make("hide", "Hide", () => this.#change(tile, { hidden: !hidden }), hidden),
      make("earlier", "Move earlier", () => this.#move(tile, -1), null, at === 0),
      make("later", "Move later", () => this.#move(tile, 1), null, at === count - 1),
    );
  }
}

/** The shown frame where it lies as planes, of which a part costs that part; else null. */
function planar(/** @type {HTMLVideoElement} */ video) {
  if (!("VideoFrame" in globalThis)) return null;
  try {
    const frame = new VideoFrame(video);
    if (frame.format === "I420" && frame.visibleRect.x === 0 && frame.visibleRect.y === 0) return frame;
    frame.close();
  } catch {
    // No frame yet, or one that only the video itself may draw.
  }
  return null;
}

/** Draws a part of a frame; false where the browser cannot cut it out. */
function cropped(paint, frame, part) {
  try {
    const cut = new VideoFrame(frame, { visibleRect: part });
    paint.drawImage(cut, 0, 0);
    cut.close();
    return true;
  } catch {
    return false;
  }
}
