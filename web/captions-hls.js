// What somebody said, read of live HLS: loaded by the page that watches, once it plays that.

import { clear, offer, say } from "./captions.js";

const HLS_MS = 1000;
/** Words that were read too late are shown all the same, if they are over for less than that. */
const LATE_MS = 8000;
/** Whoever goes so far in time at once has jumped. */
const JUMP_MS = 3000;
/** So long words are known that can be gone back to; a node keeps no more than ten minutes. */
const KEPT_MS = 600_000;

/**
 * Reads the captions of live HLS until it is told to stop, and shows each when the picture is there.
 * @param {string} list the list of rungs
 * @param {() => Record<string, string>} headers
 * @param {() => Date | null} playing what time of day the picture shows
 * @returns {() => void} stops it
 */
export function follow(list, headers, playing) {
  let going = true;
  /** @type {Map<string, {from: number, to: number, name: string, text: string, late: boolean, told: boolean}>} */
  const cues = new Map();
  /** @type {URL | null} */
  let place = null;
  /** The newest segment that was read. */
  let newest = -1;
  /** What the picture showed last. */
  let before = 0;
  const get = async (url) => {
    const answer = await fetch(url, { headers: headers() }).catch(() => null);
    return answer?.ok ? answer.text().catch(() => "") : "";
  };
  const look = async () => {
    if (!place) {
      const uri = /TYPE=SUBTITLES.*URI="([^"]+)"/.exec(await get(list))?.[1];
      if (!uri) return;
      place = new URL(uri, new URL(list, location.href));
      if (going) offer(true);
    }
    const isFirst = newest < 0;
    const segments = (await get(place)).matchAll(/PROGRAM-DATE-TIME:(\S+)\n#EXTINF:([\d.]+),\n((\d+)\.vtt)/g);
    for (const [, date, span, name, number] of segments) {
      if (Number(number) <= newest) continue;
      const vtt = await get(new URL(name, place));
      // It is asked for once more at the next look.
      if (!vtt) return;
      newest = Number(number);
      // Cues say the room's time, in which segments of one length begin.
      const zero = Date.parse(date) - newest * Number(span) * 1000;
      for (const cue of read(vtt)) {
        // One that reaches into several segments stands in each of them.
        const key = `${cue.from} ${cue.name} ${cue.text}`;
        if (!cues.has(key)) cues.set(key, { ...cue, from: zero + cue.from, to: zero + cue.to, late: !isFirst, told: false });
      }
    }
  };
  const show = () => {
    const now = Number(playing());
    if (!now) return;
    // Elsewhere in time, other words are said.
    if (Math.abs(now - before) > JUMP_MS) clear();
    before = now;
    for (const [key, cue] of cues) {
      // So near to the live edge a segment is often read when its words are over already: they are late then, not lost.
      const isNow = cue.from <= now && now < cue.to + (cue.late ? LATE_MS : 0);
      if (isNow && !cue.told) say(key, cue.name, cue.text, cue.from, true);
      if (isNow) cue.late = false;
      cue.told = isNow;
      if (cue.to < now - KEPT_MS) cues.delete(key);
    }
  };
  const timer = setInterval(show, 200);
  (async () => {
    while (going) {
      await look();
      await new Promise((resolve) => setTimeout(resolve, HLS_MS));
    }
  })();
  return () => {
    going = false;
    clearInterval(timer);
    offer(false);
  };
}

/** Milliseconds, names and texts of what the node writes as WebVTT. @param {string} vtt */
function read(vtt) {
  const ms = (h, m, s) => (Number(h) * 60 + Number(m)) * 60_000 + Number(s) * 1000;
  const entity = { "&lt;": "<", "&gt;": ">", "&amp;": "&" };
  const cues = vtt.matchAll(/^(\d+):(\d\d):([\d.]+) --> (\d+):(\d\d):([\d.]+)\n(.*)$/gm);
  return [...cues].map(([, h, m, s, h2, m2, s2, line]) => {
    const said = line.replace(/&(lt|gt|amp);/g, (name) => entity[name]);
    const [, name = "", text = said] = /^(.{1,80}?): (.*)$/.exec(said) ?? [];
    return { from: ms(h, m, s), to: ms(h2, m2, s2), name, text };
  });
}
