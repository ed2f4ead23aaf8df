// What somebody said, over the picture: loaded once a call is captioned, by the pages that join and that watch. Each line is
// text: whatever looks like markup in it is read as it stands.

/** A line stays so long after it came, milliseconds: long ones longer. */
const SHOWN_MS = 4000;
const LETTER_MS = 45;
const LINES = 3;
const HLS_MS = 1000;
/** Words that were read too late are shown all the same, if they are over for less than that. */
const LATE_MS = 8000;
/** Whoever goes so far in time at once has jumped. */
const JUMP_MS = 3000;
/** So long words are known that can be gone back to; a node keeps no more than ten minutes. */
const KEPT_MS = 600_000;

const box = Object.assign(document.createElement("div"), { className: "captions", hidden: true });
const button = Object.assign(document.createElement("button"), { type: "button", className: "cc", textContent: "CC", hidden: true });
/** Of each person the newest, with when it goes. @type {Map<string, {line: HTMLElement, from: number, until: number}>} */
const shown = new Map();
let wanted = localStorage.getItem("captions") !== "no";

{
  const sheet = Object.assign(document.createElement("link"), { rel: "stylesheet", href: "/assets/captions.css" });
  document.head.append(sheet);
  const row = document.querySelector(".deck .row");
  const picture = document.querySelector(".screen, #canvas");
  picture?.append(box);
  if (row) row.insertBefore(button, row.querySelector(".rungs"));
  else picture?.append(button);
  button.classList.toggle("over", !row);
  box.setAttribute("role", "log");
  box.setAttribute("aria-label", "Captions");
  button.addEventListener("click", () => {
    wanted = !wanted;
    localStorage.setItem("captions", wanted ? "yes" : "no");
    draw();
  });
  setInterval(forget, 250);
  draw();
}

/** What the node says on the data channel. @param {any} message */
export function hear(message) {
  if (message.type === "state") offer(Boolean(message.captioned));
  else if (message.type === "caption") say(message.participant, message.name, message.text, message.from_ms, message.final);
}

/** Whether there are captions to choose. @param {boolean} captioned */
function offer(captioned) {
  button.hidden = !captioned;
  if (!captioned) clear();
  draw();
}

function draw() {
  button.setAttribute("aria-pressed", String(wanted));
  button.title = `${wanted ? "Hide" : "Show"} captions: a program listens to each voice and writes down what is said`;
  box.hidden = !wanted || shown.size === 0;
}

/** @param {string} who @param {string} name @param {string} text @param {number} from @param {boolean} final */
function say(who, name, text, from, final) {
  const before = shown.get(who);
  // What stays so may come when the next words are on their way already.
  if (before && from < before.from && !final) return;
  const line = before?.line ?? document.createElement("p");
  line.className = final ? "" : "interim";
  line.replaceChildren(Object.assign(document.createElement("b"), { textContent: name ? `${name}: ` : "" }), text);
  shown.delete(who);
  shown.set(who, { line, from, until: performance.now() + SHOWN_MS + LETTER_MS * text.length });
  for (const [oldest] of shown) {
    if (shown.size <= LINES) break;
    drop(oldest);
  }
  box.append(line);
  draw();
}

/** @param {string} who */
function drop(who) {
  shown.get(who)?.line.remove();
  shown.delete(who);
}

function forget() {
  const now = performance.now();
  for (const [who, { until }] of shown) if (until < now) drop(who);
  draw();
}

function clear() {
  [...shown.keys()].forEach(drop);
}

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
