// The room goes on at another node: connects there to the same seat, and waits until its picture is decoded. Fetched when that happens.

import { bearer } from "./token.js";
import { homes } from "./wire.js";

const ASK_MS = 5000;
const SEEN_MS = 8000;
const LOOK_MS = 30;
/** The node lets nobody stay for long: what fails is tried again soon, and not often. */
const TRIES = 2;
const AGAIN_MS = 1000;

/** Resolves once a picture of `wire` was decoded, or none came for long. */
async function seen(wire) {
  const until = performance.now() + SEEN_MS;
  while (performance.now() < until) {
    const all = [...(await wire.stats()).values()];
    if (all.some((entry) => entry.type === "inbound-rtp" && entry.framesDecoded > 0)) return;
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
  }
}

/**
 * `move` makes the connection, and leaves the former node once `seen`.
 * @param {{url: string, pass?: string}} to @param {(how: object) => Promise<void>} move
 */
export async function follow({ url, pass }, move) {
  const token = pass ? { Authorization: `Bearer ${pass}` } : bearer();
  for (let tries = 1; tries <= TRIES; tries += 1) {
    // Anew each time: of one that is silent the next is asked.
    homes.unshift(url);
    try {
      return await move({ patience: ASK_MS, headers: { "Content-Type": "application/sdp", ...token }, seen });
    } catch (problem) {
      // Here it goes on until the node ends it; then the page comes back by itself.
      console.warn("the other node", problem.message);
    }
    await new Promise((resolve) => setTimeout(resolve, AGAIN_MS));
  }
}
