// What somebody said, over the picture: loaded once a call is captioned, by the pages that join and that watch. Each line is
// text: whatever looks like markup in it is read as it stands.

/** A line stays so long after it came, milliseconds: long ones longer. */
const SHOWN_MS = 4000;
const LETTER_MS = 45;
const LINES = 3;
const HLS_MS = 2000;

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
  /** @type {{from: number, to: number, text: string, told: boolean}[]} */
  let cues = [];
  const known = new Set();
  const get = async (url) => {
    const answer = await fetch(url, { headers: headers() }).catch(() => null);
    return answer?.ok ? answer.text() : "";
  };
  const look = async () => {
    const uri = /TYPE=SUBTITLES.*URI="([^"]+)"/.exec(await get(list))?.[1];
    if (!uri) return;
    offer(true);
    const place = new URL(uri, new URL(list, location.href));
    const parts = (await get(place)).matchAll(/PROGRAM-DATE-TIME:(\S+)\n#EXTINF:([\d.]+),\n((\d+)\.vtt)/g);
    for (const [, date, span, name, number] of parts) {
      if (known.has(name)) continue;
      known.add(name);
      // Cues say the room's time, in which segments of one length begin.
      const zero = Date.parse(date) - Number(number) * Number(span) * 1000;
      cues.push(...read(await get(new URL(name, place))).map((cue) => ({ ...cue, from: zero + cue.from, to: zero + cue.to, told: false })));
    }
  };
  const show = () => {
    const now = Number(playing());
    if (!now) return;
    for (const cue of cues) {
      const isNow = cue.from <= now && now < cue.to;
      if (isNow && !cue.told) say(cue.text, "", cue.text, cue.from, true);
      cue.told = isNow;
    }
    cues = cues.filter((cue) => cue.to > now - 600_000);
  };
  const timers = [setInterval(show, 200)];
  (async () => {
    while (going) {
      await look();
      await new Promise((resolve) => setTimeout(resolve, HLS_MS));
    }
  })();
  return () => {
    going = false;
    timers.forEach(clearInterval);
    offer(false);
  };
}

/** Milliseconds and texts of what the node writes as WebVTT. @param {string} vtt */
function read(vtt) {
  const ms = (h, m, s) => (Number(h) * 60 + Number(m)) * 60_000 + Number(s) * 1000;
  const entity = { "&lt;": "<", "&gt;": ">", "&amp;": "&" };
  const cues = vtt.matchAll(/^(\d+):(\d\d):([\d.]+) --> (\d+):(\d\d):([\d.]+)\n(.*)$/gm);
  return [...cues].map(([, h, m, s, h2, m2, s2, text]) => ({
    from: ms(h, m, s),
    to: ms(h2, m2, s2),
    text: text.replace(/&(lt|gt|amp);/g, (name) => entity[name]),
  }));
}
