// What somebody said, over the picture: loaded once a call is captioned, by the pages that join and that watch. Each line is
// text: whatever looks like markup in it is read as it stands.

/** A line stays so long after it came, milliseconds: long ones longer. */
const SHOWN_MS = 4000;
const LETTER_MS = 45;
const LINES = 3;

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
export function offer(captioned) {
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
export function say(who, name, text, from, final) {
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

export function clear() {
  [...shown.keys()].forEach(drop);
}
