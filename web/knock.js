// Whether the node can be reached again. A request that was begun while the network is gone waits in TCP's back-off (RFC 6298 section 5.5,
// 1, 3, 7, 15, 31 s after it began), and browsers hand later requests to the same connections, also when the first was given up. So
// requests stay under way, begun one after another on all connections that a browser has: one of them tries again every few seconds.

/** Browsers have six connections to one server; those without credentials are apart, six more. */
const MODES = /** @type {const} */ (["omit", "same-origin"]);
const EACH_MAX = 6;
const PATIENCE_MS = 120_000;

/** @typedef {(typeof MODES)[number]} Mode */

export class Knock {
  #stop = new AbortController();
  /** How many of each mode are under way. */
  #open = { "omit": 0, "same-origin": 0 };
  #turn = 0;
  /** @type {(mode: Mode) => void} */
  #answer = () => {};
  /** By which mode the first answer came. @type {Promise<Mode>} */
  answered = new Promise((resolve) => (this.#answer = resolve));

  /** Asks once more, if there is a connection left to ask by; resolves once that failed, if it does. */
  async again() {
    const mode = MODES[this.#turn++ % MODES.length];
    if (this.#open[mode] >= EACH_MAX) return new Promise(() => {});
    this.#open[mode] += 1;
    const signal = AbortSignal.any([this.#stop.signal, AbortSignal.timeout(PATIENCE_MS)]);
    try {
      const { ok } = await fetch("/healthz", { credentials: mode, cache: "no-store", signal });
      // Without cookies a proxy before the node may answer in its place.
      if (ok || mode === "same-origin") this.#answer(mode);
    } catch {
      // No network, or nobody at that address.
    } finally {
      this.#open[mode] -= 1;
    }
  }

  end() {
    this.#stop.abort();
  }
}
