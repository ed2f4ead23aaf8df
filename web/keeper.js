// Keeps a connection: notices that nothing comes any more, and tries about once a second until it, or a new one, stands. No page in
// here: `Keeper` dispatches "lost", "try" before and after each attempt, "back" ({anew}: a new one), "gone" when it stops trying, and
// "refused" ({problem}) when the node wants nobody back.

import { Knock } from "./knock.js";
import { Problem } from "./wire.js";
import { say } from "./words.js";

const LOOK_MS = 500;
const LOOK_LOST_MS = 100;
/** Without a byte for so long a connection counts as lost: picture, sound and their reports come many times a second. */
const SILENT_MS = 2500;
/** The same where something tells that the network changed. */
const DOUBT_MS = 800;
/** A look so much too late: the machine slept, or the page was frozen. */
const SLEPT_MS = 3000;
/** Meanwhile what came before is read: it tells nothing. */
const LEFTOVERS_MS = 500;
/** How long a sign of the node is waited for, and then an answer. */
const KNOCK_MS = 2000;
const ASK_MS = 2500;
/** How long a connection that the node agreed to may take to stand. */
const STAND_MS = 4000;
/** After so long both are that many times as long: some ways out are slow. */
const SLOW_MS = 15_000;
const SLOWER = 3;
/** Those who lost it in the same moment do not all ask at once. */
const SPREAD_MS = 400;
/** From one attempt to the next at least, and after a while. */
const SPACING_MS = 1000;
const PATIENT_MS = 60_000;
const SPACING_LATER_MS = 3000;
/** And where there is no such room, as long as nobody begins it. */
const SPACING_NONE_MS = 10_000;
/** The longest that an answer may put off the next attempt. */
const PUT_OFF_MS = 10_000;
/** How long it tries by itself. */
const RETURN_MS = 10 * 60_000;

/** @typedef {{patience: number, credentials?: RequestCredentials, seen?: (wire: object) => Promise<void>}} How */

/** Whether the node says no for good: silence, "busy" and "too many are joining" pass. @param {Problem} problem */
export const isRefusal = ({ status }) => status >= 400 && status < 500 && status !== 429;

export class Keeper extends EventTarget {
  #make;
  #isFinal;
  /** @type {import("./wire.js").Wire | null} */
  #wire = null;
  /** Whether the wire ever stood. */
  #stood = false;
  #bytes = -1;
  #heard = 0;
  /** From when on it counts what arrives. */
  #fresh = 0;
  #looked = Date.now();
  #timer = 0;
  #spacing = LOOK_MS;
  /** Since when the connection counts as lost. @type {number | null} */
  #lost = null;
  #trying = false;
  /** @type {Knock | null} */
  #knock = null;
  #anew = false;
  /** Whether a proxy before the node wants to know who asks. */
  #withCookies = false;
  #stopped = false;
  #cut = () => {};
  /** Whether the node said when to come again. */
  #isPutOff = false;
  /** Why the last attempt failed. @type {Problem | null} */
  problem = null;

  /**
   * `make` joins anew, `how` as Wire takes it, and gives the new wire; `isFinal` says which refusals do not get better by
   * asking again.
   * @param {(how: How) => Promise<import("./wire.js").Wire>} make
   * @param {(problem: Problem) => boolean} [isFinal]
   */
  constructor(make, isFinal = isRefusal) {
    super();
    [this.#make, this.#isFinal] = [make, isFinal];
  }

  /** How long the connection has been lost, ms; 0: it stands. */
  get lostFor() {
    return this.#lost === null ? 0 : performance.now() - this.#lost;
  }

  /** Keeps this one from now on. @param {import("./wire.js").Wire} wire */
  keep(wire) {
    if (this.#stopped) return wire.farewell();
    [this.#wire, this.#stood, this.#bytes, this.#heard] = [wire, false, -1, performance.now()];
    wire.addEventListener("state", (/** @type {any} */ { detail }) => wire === this.#wire && this.#onState(detail));
    if (this.#timer === 0) this.#lookEvery(LOOK_MS);
    if (wire.connected) this.#onState("connected");
  }

  #lookEvery(spacing) {
    clearInterval(this.#timer);
    this.#spacing = spacing;
    this.#looked = Date.now();
    this.#timer = setInterval(() => this.#look(), spacing);
  }

  stop() {
    this.#stopped = true;
    clearInterval(this.#timer);
    this.#forgetKnock();
    this.#cut();
  }

  /** The network changed, or the machine woke: nothing is waited for. */
  wake() {
    if (this.#stopped || !this.#wire) return;
    if (this.#lost === null) this.#doubt();
    else if (!this.#trying) this.again();
    else if (!this.#isPutOff) this.#cut();
  }

  /** Tries at once, also after "gone". */
  again() {
    if (this.#stopped || this.#lost === null) return this.wake();
    if (this.#trying) return this.#cut();
    this.#lost = performance.now();
    this.#retry();
  }

  #onState(state) {
    if (state === "connected") {
      this.#stood = true;
      this.#heard = performance.now();
      this.#stands();
    } else if (state === "failed" || state === "closed") {
      this.#lose();
    } else if (state === "disconnected") {
      this.#doubt();
    }
  }

  /** Unless something comes very soon, the connection is lost. */
  #doubt() {
    this.#heard = Math.min(this.#heard, performance.now() - SILENT_MS + DOUBT_MS);
    setTimeout(() => this.#look(), DOUBT_MS + 50);
  }

  async #look() {
    if (this.#stopped) return;
    // The wall clock goes on while a machine sleeps.
    const late = Date.now() - this.#looked - this.#spacing;
    this.#looked = Date.now();
    if (late > SLEPT_MS) {
      this.#fresh = performance.now() + LEFTOVERS_MS;
      this.#cut();
      if (this.#stood) this.#lose();
    }
    const wire = this.#wire;
    const bytes = await wire.arrived().catch(() => this.#bytes);
    if (wire !== this.#wire || this.#stopped) return;
    const arrived = this.#bytes >= 0 && bytes > this.#bytes;
    this.#bytes = bytes;
    if (arrived) {
      this.#heard = performance.now();
      if (wire.connected && this.#heard > this.#fresh) this.#stands();
    } else if (this.#stood && bytes > 0 && performance.now() - this.#heard > SILENT_MS) {
      this.#lose(Math.random() * SPREAD_MS);
    }
  }

  /** `wait`: before the first attempt, ms. */
  #lose(wait = 0) {
    if (this.#lost !== null || this.#stopped) return;
    this.#lost = performance.now();
    this.#anew = false;
    this.#lookEvery(LOOK_LOST_MS);
    this.dispatchEvent(new CustomEvent("lost"));
    this.#retry(wait);
  }

  /** Also amid an attempt, which goes on: the node may have heard it. */
  #stands() {
    if (this.#lost === null || this.#stopped) return;
    this.#lost = null;
    this.problem = null;
    this.#forgetKnock();
    this.#cut();
    this.#lookEvery(LOOK_MS);
    this.dispatchEvent(new CustomEvent("back", { detail: { anew: this.#anew } }));
  }

  async #retry(wait = 0) {
    if (this.#trying) return;
    this.#trying = true;
    try {
      if (wait > 0) await this.#pause(wait);
      while (this.#lost !== null && !this.#stopped) {
        if (this.lostFor > RETURN_MS) {
          this.#lookEvery(LOOK_MS);
          return void this.dispatchEvent(new CustomEvent("gone"));
        }
        const began = performance.now();
        this.dispatchEvent(new CustomEvent("try"));
        const putOff = await this.#attempt();
        const later = this.problem?.status === 404 ? SPACING_NONE_MS : SPACING_LATER_MS;
        const spacing = this.lostFor > PATIENT_MS ? later : SPACING_MS;
        if (this.#lost === null || this.#stopped) return;
        this.dispatchEvent(new CustomEvent("try"));
        this.#isPutOff = putOff > 0;
        await this.#pause(Math.max(began + spacing - performance.now(), putOff));
        this.#isPutOff = false;
      }
    } catch (problem) {
      if (!this.#stopped) this.dispatchEvent(new CustomEvent("refused", { detail: { problem } }));
    } finally {
      this.#trying = false;
    }
  }

  /** One attempt: the old connection if the node has it, else a new one. Returns how long the node puts the next off, ms. */
  async #attempt() {
    this.#knock ??= new Knock(this.#withCookies);
    const mode = await Promise.race([this.#knock.answered, this.#knock.again(), this.#pause(KNOCK_MS)]);
    if (!mode) return this.#failed(new Problem({ title: say("node.silent") }));
    this.#forgetKnock();
    /** @type {How} */
    const how = { patience: ASK_MS * this.#slower, credentials: mode };
    if (this.#lost === null || this.#stopped) return 0;
    try {
      await this.#wire.restart(how);
      this.problem = null;
      if (await this.#standing()) return 0;
    } catch (error) {
      const problem = error instanceof Problem ? error : null;
      if (problem?.status === 0) return this.#failed(problem);
      if (!problem) console.warn("ICE was not restarted", error);
    }
    if (this.#lost === null || this.#stopped) return 0;
    try {
      const before = this.#wire;
      const wire = await this.#make(how);
      // No goodbye: it would give the seat away.
      before.farewell(true);
      this.#anew = true;
      this.keep(wire);
      this.problem = null;
      await this.#standing();
      return 0;
    } catch (problem) {
      return this.#failed(problem, how);
    }
  }

  /** @param {any} problem @param {How} [how] */
  #failed(problem, how) {
    if (how?.credentials === "omit" && !(problem.after > 0)) {
      // A proxy may let all ask how the node is, and nothing else without a cookie.
      this.#withCookies = true;
    } else if (problem instanceof Problem && this.#isFinal(problem)) throw problem;
    if (!(problem instanceof Problem)) {
      console.warn("the attempt failed", problem);
      problem = new Problem({ title: say("node.silent") });
    }
    this.problem = problem;
    // Not all at once, who were put off together.
    return problem.after > 0 ? Math.min(problem.after * 1000 * (1 + Math.random() / 4), PUT_OFF_MS) : 0;
  }

  get #slower() {
    return this.lostFor > SLOW_MS ? SLOWER : 1;
  }

  /** Whether the connection stands within patience. */
  async #standing() {
    const until = performance.now() + STAND_MS * this.#slower;
    while (this.#lost !== null && !this.#stopped && performance.now() < until) await this.#pause(100);
    return this.#lost === null;
  }

  #forgetKnock() {
    this.#knock?.end();
    this.#knock = null;
  }

  /** A pause that ends early when something tells that the network is back. */
  #pause(ms) {
    return new Promise((/** @type {(value?: undefined) => void} */ resolve) => {
      const timer = setTimeout(resolve, Math.max(ms, 0));
      this.#cut = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}
