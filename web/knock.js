// Whether the node can be reached again. A request begun while the network is gone waits in TCP's back-off (RFC 6298 section 5.5), and
// browsers hand later ones to the same connections. So requests stay under way on all that a browser has, begun one after another.

import { homes } from "./wire.js";

/** Browsers have six connections to one server; those without credentials are apart, six more. */
const ALL_MODES = /** @type {const} */ (["omit", "same-origin"]);
const EACH_MAX = 6;
const PATIENCE_MS = 120_000;

/** @typedef {(typeof ALL_MODES)[number]} Mode */

export class Knock {
  /** What is under way. @type {Set<AbortController>} */
  #asked = new Set();
  #modes;
  /** How many of each mode are under way. */
  #open = { "omit": 0, "same-origin": 0 };
  #turn = 0;
  /** @type {(mode: Mode) => void} */
  #answer = () => {};
  /** By which mode the first answer came. @type {Promise<Mode>} */
  answered = new Promise((resolve) => (this.#answer = resolve));

  /** `withCookies`: only as a page does, for a proxy before the node wants to know who asks. */
  constructor(withCookies = false) {
    this.#modes = ALL_MODES.filter((mode) => !withCookies || mode === "same-origin");
  }

  /** Asks once more, if there is a connection left to ask by; resolves once that failed, if it does. */
  async again() {
    const mode = this.#modes[this.#turn++ % this.#modes.length];
    if (this.#open[mode] >= EACH_MAX) return new Promise(() => {});
    this.#open[mode] += 1;
    const asked = new AbortController();
    this.#asked.add(asked);
    const timer = setTimeout(() => asked.abort(), PATIENCE_MS);
    try {
      const { ok } = await fetch(new URL("/healthz", homes[0]), { credentials: mode, cache: "no-store", signal: asked.signal });
      // Without cookies a proxy before the node may answer in its place.
      if (ok || mode === "same-origin") this.#answer(mode);
    } catch {
      // No network, or nobody at that address.
    } finally {
      clearTimeout(timer);
      this.#asked.delete(asked);
      this.#open[mode] -= 1;
    }
  }

  end() {
    for (const asked of this.#asked) asked.abort();
  }
}
