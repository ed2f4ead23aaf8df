// What people wrote, beside the picture. Each line is text: whatever looks like markup in it is read as it stands.

import { hue } from "./stage.js";
import { clock, say } from "./words.js";

const NEAR = 40;

export class Chat {
  #lines;
  #to;
  #last = { from: "", to: "" };

  /** @param {HTMLElement} lines @param {HTMLSelectElement} to */
  constructor(lines, to) {
    [this.#lines, this.#to] = [lines, to];
    this.clear();
  }

  clear() {
    this.#last = { from: "", to: "" };
    const none = document.createElement("p");
    none.className = "none";
    none.textContent = say("chat.empty");
    this.#lines.replaceChildren(none);
  }

  /** Adds lines at the end; who reads further up is left there. */
  add(lines, me) {
    const root = this.#lines;
    const follows = root.scrollHeight - root.scrollTop - root.clientHeight < NEAR;
    root.querySelector(".none")?.remove();
    for (const line of lines) root.append(this.#line(line, me));
    while (root.childElementCount > 500) root.firstElementChild.remove();
    if (follows) root.scrollTop = root.scrollHeight;
  }

  /** Whom one may write to. */
  people(people, me) {
    const wanted = [["", say("chat.everyone")], ...[...people.values()].filter(({ id }) => id !== me).map(({ id, name }) => [id, name])];
    const key = JSON.stringify(wanted);
    if (this.#to.dataset.key === key) return;
    const before = this.#to.value;
    this.#to.dataset.key = key;
    this.#to.replaceChildren(...wanted.map(([id, name]) => new Option(name, id)));
    this.#to.value = wanted.some(([id]) => id === before) ? before : "";
  }

  #line(line, me) {
    const one = document.createElement("div");
    one.className = line.from === me ? "line mine" : "line";
    const to = line.to ?? "";
    if (to) one.classList.add("alone");
    if (line.from !== this.#last.from || to !== this.#last.to) one.append(this.#head(line, me));
    this.#last = { from: line.from, to };
    const text = document.createElement("p");
    text.dir = "auto";
    text.textContent = line.text;
    one.append(text);
    return one;
  }

  #head(line, me) {
    const head = document.createElement("div");
    head.className = "head";
    const name = document.createElement("b");
    name.dir = "auto";
    name.textContent = line.name;
    name.style.setProperty("--hue", String(hue(line.from)));
    const when = document.createElement("time");
    when.dateTime = new Date(line.at_ms).toISOString();
    when.textContent = clock.format(line.at_ms);
    head.append(name);
    if (line.to) {
      const alone = document.createElement("i");
      const name = [...this.#to.options].find((option) => option.value === line.to)?.textContent ?? "…";
      alone.textContent = line.to === me ? say("chat.toYou") : say("chat.to", { name });
      head.append(alone);
    }
    head.append(when);
    return head;
  }
}
