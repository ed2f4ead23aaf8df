// The list of people: a row each, kept while they are here, so that nobody's focus is lost; and what a host may do.

import { avatar, icon } from "./stage.js";
import { say } from "./words.js";

/** @typedef {Record<string, any>} Person */

export class People {
  #list;
  #menu;
  #act;
  /** @type {Map<string, {row: HTMLElement, who: HTMLElement, marks: HTMLElement, more: HTMLButtonElement, key: string}>} */
  #rows = new Map();
  /** Whom the menu is about. @type {Person | null} */
  #person = null;

  /** `act(person, wanted)` asks the node what a host wants. */
  constructor(list, menu, act) {
    [this.#list, this.#menu, this.#act] = [list, menu, act];
  }

  /** @param {Map<string, Person>} people @param {string | null} me */
  draw(people, me, { heard }, isHost) {
    for (const [id, { row }] of this.#rows) {
      if (people.has(id)) continue;
      row.remove();
      this.#rows.delete(id);
    }
    // Raised hands first, in the order of joining within both.
    const order = [...people.values()].sort((a, b) => Number(b.hand) - Number(a.hand));
    order.forEach((person, at) => {
      const parts = this.#rows.get(person.id) ?? this.#make(person);
      if (this.#list.children[at] !== parts.row) this.#list.insertBefore(parts.row, this.#list.children[at] ?? null);
      parts.row.classList.toggle("heard", heard.has(person.id));
      parts.row.classList.toggle("gone", Boolean(person.away));
      parts.more.hidden = !isHost || person.id === me;
      const key = JSON.stringify([person, me]);
      if (key === parts.key) return;
      parts.key = key;
      parts.who.textContent = person.id === me ? `${person.name} ${say("you")}` : person.name;
      parts.marks.replaceChildren(...marks(person));
      parts.more.querySelector(".sr").textContent = say("host.for", { name: person.name });
      parts.more.onclick = () => this.#open(people.get(person.id) ?? person, parts.more);
    });
  }

  #make(person) {
    const row = document.createElement("li");
    const face = document.createElement("span");
    face.className = "avatar";
    face.setAttribute("aria-hidden", "true");
    avatar(face, person.name, person.id);
    const who = document.createElement("span");
    who.className = "who";
    const signs = document.createElement("span");
    signs.className = "marks";
    const more = document.createElement("button");
    more.type = "button";
    more.className = "bare";
    const label = document.createElement("span");
    label.className = "sr";
    more.append(icon("more"), label);
    row.append(face, who, signs, more);
    const parts = { row, who, marks: signs, more, key: "" };
    this.#rows.set(person.id, parts);
    return parts;
  }

  #open(person, by) {
    this.#person = person;
    const item = (key, wanted) => {
      const button = document.createElement("button");
      button.type = "button";
      button.className = "item";
      button.textContent = say(key);
      button.addEventListener("click", () => {
        this.#menu.hidePopover();
        this.#act(this.#person, wanted);
      });
      return button;
    };
    const items = [item(person.hushed ? "host.unmute" : "host.mute", { muted: !person.hushed })];
    if (person.hand) items.push(item("host.lower", { hand: false }));
    items.push(item("host.remove", { remove: true }));
    items.at(-1).classList.add("red");
    this.#menu.replaceChildren(...items);
    this.#menu.showPopover();
    const [at, size] = [by.getBoundingClientRect(), this.#menu.getBoundingClientRect()];
    this.#menu.style.left = `${Math.max(8, Math.min(innerWidth - size.width - 8, at.right - size.width))}px`;
    this.#menu.style.top = `${Math.max(8, Math.min(innerHeight - size.height - 8, at.bottom + 4))}px`;
    items[0].focus();
  }
}

function marks(person) {
  const marked = [];
  const add = (name, title, kind = "") => {
    const mark = icon(name);
    mark.setAttribute("role", "img");
    mark.setAttribute("aria-label", title);
    if (kind) mark.classList.add(kind);
    marked.push(mark);
  };
  if (person.away) add("away", say("mark.away"), "red");
  if (person.hand) add("hand", say("mark.hand"), "up");
  if (person.screen) add("screen", say("mark.screen"));
  if (!person.camera) add("camera-off", say("mark.camera"));
  if (person.muted || person.hushed || !person.microphone) add("mic-off", say("mark.muted"), "red");
  return marked;
}
