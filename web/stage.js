// What lies over and beside the picture: names and outlines on the tiles, the list of people, short notices.

const SVG = "http://www.w3.org/2000/svg";

/** One of the symbols in the page. */
export function icon(name) {
  const svg = document.createElementNS(SVG, "svg");
  const use = document.createElementNS(SVG, "use");
  use.setAttribute("href", `#i-${name}`);
  svg.append(use);
  return svg;
}

/** Up to two initials, as the node's placeholders show them. */
export function initials(name) {
  const words = name.trim().split(/\s+/).filter(Boolean);
  const first = (word) => (word ? [...word][0].toLocaleUpperCase() : "");
  return first(words[0]) + (words.length > 1 ? first(words.at(-1)) : "");
}

/** A colour of one's own, 0 to 359. */
export function hue(text) {
  let sum = 7;
  for (const letter of text) sum = (sum * 31 + letter.codePointAt(0)) % 360;
  // The golden angle parts the colours of names that differ in one letter.
  return (sum * 137) % 360;
}

export function avatar(element, name, seed = name) {
  element.textContent = initials(name) || "?";
  element.style.setProperty("--hue", hue(seed));
}

/** Draws names and outlines where the scene says the tiles lie. */
export class Tiles {
  #root;
  #canvas;
  #shown = new Map();

  constructor(root, canvas) {
    this.#root = root;
    this.#canvas = canvas;
  }

  draw(scene, people, speaking) {
    // A screen carries no name of its own: it lies over what people would read.
    const tiles = (scene?.tiles ?? []).filter((tile) => tile.track !== "screen");
    if (scene) this.#canvas.style.setProperty("--ratio", (scene.width / scene.height).toFixed(4));
    const present = new Set(tiles.map((tile) => tile.participant));
    for (const [id, { tile }] of this.#shown) {
      if (!present.has(id)) {
        tile.remove();
        this.#shown.delete(id);
      }
    }
    for (const place of tiles) this.#place(place, scene, people.get(place.participant), speaking);
  }

  #place(place, scene, person, { heard, dominant }) {
    const parts = this.#shown.get(place.participant) ?? this.#make(place.participant);
    const { tile, name, muted } = parts;
    const percent = (part, whole) => `${((100 * part) / whole).toFixed(3)}%`;
    Object.assign(tile.style, {
      left: percent(place.x, scene.width),
      top: percent(place.y, scene.height),
      width: percent(place.width, scene.width),
      height: percent(place.height, scene.height),
      zIndex: String(place.z),
    });
    name.textContent = person?.name ?? "";
    name.parentElement.hidden = !person;
    muted.toggleAttribute("hidden", !person?.muted);
    tile.classList.toggle("heard", heard.has(place.participant));
    tile.classList.toggle("dominant", dominant === place.participant);
  }

  #make(id) {
    const tile = document.createElement("div");
    tile.className = "tile";
    tile.dataset.of = id;
    const label = document.createElement("div");
    label.className = "label";
    const name = document.createElement("span");
    const muted = icon("mic-off");
    label.append(muted, name);
    tile.append(label);
    this.#root.append(tile);
    const parts = { tile, name, muted };
    this.#shown.set(id, parts);
    return parts;
  }
}

/** Fills the list of people. */
export function listPeople(list, people, me, { heard }) {
  const rows = [...people.values()].map((person) => {
    const row = document.createElement("li");
    row.classList.toggle("heard", heard.has(person.id));
    const face = document.createElement("span");
    face.className = "avatar";
    face.setAttribute("aria-hidden", "true");
    avatar(face, person.name, person.id);
    const who = document.createElement("span");
    who.className = "who";
    who.textContent = person.name;
    if (person.id === me) {
      const you = document.createElement("small");
      you.textContent = " (you)";
      who.append(you);
    }
    row.append(face, who, ...marks(person));
    return row;
  });
  list.replaceChildren(...rows);
}

function marks(person) {
  const marked = [];
  const add = (name, title, red) => {
    const mark = icon(name);
    mark.setAttribute("role", "img");
    mark.setAttribute("aria-label", title);
    if (red) mark.classList.add("red");
    marked.push(mark);
  };
  if (person.screen) add("screen", "shares a screen");
  if (!person.camera) add("camera-off", "no camera");
  if (person.muted || !person.microphone) add("mic-off", "muted", true);
  return marked;
}

/** A short notice at the foot of the page. */
export function toast(root, text, { bad = false, ms = 5000 } = {}) {
  const note = document.createElement("div");
  note.className = bad ? "toast bad" : "toast";
  note.textContent = text;
  root.append(note);
  while (root.childElementCount > 3) root.firstElementChild.remove();
  setTimeout(() => note.remove(), ms);
}
