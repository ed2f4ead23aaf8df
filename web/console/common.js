// What the pages for whoever runs a node share: tokens, requests, and words for spans, sizes and problems.

/** @param {string} id @returns {any} The element of that id; the page has it. */
export const at = (id) => /** @type {HTMLElement} */ (document.getElementById(id));

/**
 * An element with text; never markup.
 * @param {string} tag
 * @param {Record<string, string>} [attributes]
 * @param {...(Node | string)} children
 * @returns {any}
 */
export function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children);
  return made;
}

/** A token of this tab alone. It may come behind the `#` of a link, which no server sees, and leaves the address at once. */
export class Token {
  /** @param {string} name Under which the tab keeps it. */
  constructor(name) {
    this.name = name;
    const given = new URLSearchParams(location.hash.slice(1)).get("token");
    if (given) {
      history.replaceState(null, "", location.pathname + location.search);
      this.set(given);
    }
  }

  /** @returns {string} Empty: there is none. */
  get() {
    return sessionStorage.getItem(this.name) ?? "";
  }

  /** @param {string} token */
  set(token) {
    sessionStorage.setItem(this.name, token.trim());
  }

  forget() {
    sessionStorage.removeItem(this.name);
  }
}

/** Why the node did not do what was asked, in a sentence. */
export class Refused extends Error {
  /** @param {number} status @param {string} words @param {string} kind */
  constructor(status, words, kind) {
    super(words);
    this.status = status;
    this.kind = kind;
  }
}

/**
 * Asks the node.
 * @param {string} path
 * @param {{ token?: string, method?: string, body?: unknown, signal?: AbortSignal }} [how]
 * @returns {Promise<any>} What it says, if it is JSON.
 */
export async function ask(path, { token = "", method = "GET", body, signal } = {}) {
  /** @type {Record<string, string>} */
  const headers = {};
  // A header takes no other letters; such a token is wrong in any case.
  if (/^[\x20-\x7e]+$/.test(token)) headers.authorization = `Bearer ${token}`;
  if (body !== undefined) headers["content-type"] = "application/json";
  let response;
  try {
    const sent = body === undefined ? undefined : JSON.stringify(body);
    response = await fetch(path, { method, headers, body: sent, signal, cache: "no-store" });
  } catch (error) {
    if (signal?.aborted) throw error;
    throw new Refused(0, "The node cannot be reached. Is it running, and is this device online?", "unreachable");
  }
  const kind = response.headers.get("content-type") ?? "";
  const said = kind.includes("json") ? await response.json().catch(() => null) : null;
  if (response.ok) return said;
  const words = [said?.title, said?.detail].filter(Boolean).join(". ").replaceAll("..", ".");
  throw new Refused(response.status, words || `The node answered ${response.status}.`, String(said?.type ?? ""));
}

/**
 * The two largest units of a span: `6 d 3 h`, `1 min 5 s`.
 * @param {number} seconds
 */
export function span(seconds) {
  const s = Math.max(0, Math.floor(seconds));
  /** @type {[number, string][]} */
  const parts = [[Math.floor(s / 86400), "d"], [Math.floor(s / 3600) % 24, "h"], [Math.floor(s / 60) % 60, "min"], [s % 60, "s"]];
  const first = parts.findIndex(([count]) => count > 0);
  if (first < 0) return "0 s";
  return parts.slice(first, first + 2).filter(([count]) => count > 0).map(([count, unit]) => `${count} ${unit}`).join(" ");
}

/**
 * As on a clock: `1:05:09`, `5:09`.
 * @param {number} seconds
 */
export function clock(seconds) {
  const s = Math.max(0, Math.floor(seconds));
  const two = (/** @type {number} */ n) => String(n).padStart(2, "0");
  const rest = `${two(Math.floor(s / 60) % 60)}:${two(s % 60)}`;
  return s >= 3600 ? `${Math.floor(s / 3600)}:${rest}` : rest.replace(/^0/, "");
}

/** @param {number} bytes */
export function size(bytes) {
  const units = ["B", "kB", "MB", "GB", "TB"];
  let n = 0;
  for (; bytes >= 1000 && n < units.length - 1; n += 1) bytes /= 1000;
  return `${bytes >= 100 || n === 0 ? Math.round(bytes) : bytes.toFixed(1)} ${units[n]}`;
}

/** @param {string} utc RFC 3339. */
export function moment(utc) {
  return new Date(utc).toLocaleString([], { dateStyle: "medium", timeStyle: "short" });
}

/** @param {string} text Said to who cannot see it. */
export function announce(text) {
  at("announce").textContent = text;
}
