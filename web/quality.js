// How good the connection is, in words that somebody without a degree understands.

/** Shares of packets lost, round trips and freezes in one second from which the connection is fair, and from which weak. */
const LOSS = [0.02, 0.08];
const DELAY_MS = [250, 600];
const FREEZES = [1, 3];

/**
 * Compares what the browser counted with a second ago.
 * @param {Record<string, any>} before
 * @param {Record<string, any>} now
 * @returns {{level: "good" | "fair" | "weak", why: "" | "loss" | "delay" | "freeze" | "uplink"}}
 */
export function qualityOf(before, now) {
  const since = (key) => Math.max(0, (now[key] ?? 0) - (before[key] ?? now[key] ?? 0));
  const lost = since("packetsLost");
  const loss = lost / Math.max(1, lost + since("packets"));
  const grade = (/** @type {number} */ value, /** @type {number[]} */ [fair, weak]) => (value >= weak ? 2 : value >= fair ? 1 : 0);
  /** @type {["loss" | "delay" | "freeze" | "uplink", number][]} */
  const grades = [
    ["loss", grade(loss, LOSS)],
    ["delay", grade(now.rtt_ms ?? 0, DELAY_MS)],
    ["freeze", grade(since("freezes"), FREEZES)],
    ["uplink", now.limited ? 1 : 0],
  ];
  const [why, worst] = grades.reduce((a, b) => (b[1] > a[1] ? b : a));
  return worst === 0 ? { level: "good", why: "" } : { level: worst === 1 ? "fair" : "weak", why };
}
