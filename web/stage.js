// What lies over the picture: names and outlines on the tiles, reactions, short notices.

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
    const { tile, name, muted, hand } = parts;
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
    muted.toggleAttribute("hidden", !person?.muted && !person?.hushed);
    hand.toggleAttribute("hidden", !person?.hand);
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
    const hand = icon("hand");
    hand.classList.add("up");
    label.append(hand, muted, name);
    tile.append(label);
    this.#root.append(tile);
    const parts = { tile, name, muted, hand };
    this.#shown.set(id, parts);
    return parts;
  }
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

export const REACTIONS = { thumbs_up: "👍", heart: "❤️", laugh: "😂", clap: "👏", party: "🎉", surprise: "😮" };
const FLOATS_MAX = 24;

/** A reaction that rises over the picture and is gone. */
export function float(root, emoji, name) {
  const one = document.createElement("div");
  one.className = "float";
  one.style.left = `${6 + Math.random() * 30}%`;
  const sign = document.createElement("b");
  sign.textContent = emoji;
  const who = document.createElement("span");
  who.textContent = name;
  one.append(sign, who);
  root.append(one);
  while (root.childElementCount > FLOATS_MAX) root.firstElementChild.remove();
  one.addEventListener("animationend", () => one.remove());
}
