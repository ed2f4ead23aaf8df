// What was written and not read back yet: the node tells each text to whoever wrote it too. A connection that breaks may take some with
// it; the next one says them again, once each. No page in here.

const ENTRIES_MAX = 20;
/** So many seconds on a connection that stands, and the node did not take it: it said why. */
const TAKEN_S = 15;
/** What was written before comes within so long after `welcome`. */
const READ_MS = 1500;

export class Unsaid {
  /** `after`: the newest line when it was written. @type {{text: string, to: string, after: number, age: number}[]} */
  #all = [];
  /** Ids that this person had in the room. @type {Set<string>} */
  #selves = new Set();
  #timer = 0;

  add(text, to, after) {
    this.#all.push({ text, to, after, age: 0 });
    if (this.#all.length > ENTRIES_MAX) this.#all.shift();
  }

  /** These lines came. */
  read(lines) {
    for (const { id, from, text } of lines) {
      if (!this.#selves.has(from)) continue;
      const at = this.#all.findIndex((one) => one.text === text && id > one.after);
      if (at >= 0) this.#all.splice(at, 1);
    }
  }

  /** A second passed on a connection that stands. */
  tick() {
    for (const one of this.#all) one.age += 1;
    this.#all = this.#all.filter(({ age }) => age < TAKEN_S);
  }

  /** A new connection stands, by the id `me`: once what was written before is read, the rest is said by `say`. */
  again(me, say) {
    this.#selves.add(me);
    clearTimeout(this.#timer);
    if (this.#all.length > 0) this.#timer = setTimeout(() => this.#all.forEach(({ text, to }) => say(text, to)), READ_MS);
  }
}
