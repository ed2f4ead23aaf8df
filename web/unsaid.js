// What was written and not read back yet: the node tells each text to whoever wrote it too. A connection that breaks may take some with
// it; the next one says them again, once each. No page in here.

const ENTRIES_MAX = 20;
/** So many seconds on a connection that stands, and the node did not take it: it said why. */
const TAKEN_S = 15;
/** What was written before comes within so long after `welcome`. */
const READ_MS = 1500;
/** So many are taken in one go, and then one each so often. */
const BURST = 5;
const SPACING_MS = 1100;

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

  /**
   * A new connection stands, by the id `me`: once what was written before is read, the rest of it is said by `say`, which
   * returns the newest line then.
   */
  again(me, say) {
    this.#selves.add(me);
    clearTimeout(this.#timer);
    // What is written from here on goes by the new connection, and not twice.
    const before = [...this.#all];
    let said = 0;
    const next = () => {
      const one = before.find((each) => this.#all.includes(each));
      if (!one) return;
      before.splice(0, before.indexOf(one) + 1);
      // Lines of a room that began anew are counted anew.
      [one.after, one.age] = [say(one.text, one.to), 0];
      said += 1;
      this.#timer = setTimeout(next, said < BURST ? 0 : SPACING_MS);
    };
    if (before.length > 0) this.#timer = setTimeout(next, READ_MS);
  }
}
