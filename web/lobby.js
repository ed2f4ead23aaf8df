// Who waits to be let in, for a host to decide: loaded once somebody does. Names are text, whatever looks like markup in them.

/** @typedef {{id: string, name: string, waited_s: number}} Knocker */

const box = Object.assign(document.createElement("section"), { className: "lobby-list", hidden: true });
const head = document.createElement("h2");
const list = document.createElement("ul");
box.append(head, list);
box.setAttribute("aria-label", "Waiting to be let in");
list.setAttribute("aria-live", "polite");
document.head.append(Object.assign(document.createElement("link"), { rel: "stylesheet", href: "/assets/lobby.css" }));
document.body.append(box);

/**
 * What the node says of who waits.
 * @param {Knocker[]} people
 * @param {{moderate: (wanted: object) => Promise<unknown>}} call
 */
export function show(people, call) {
  box.hidden = people.length === 0;
  head.textContent = people.length === 1 ? "Somebody waits to be let in" : `${people.length} wait to be let in`;
  list.replaceChildren(...people.map((one) => row(one, call)));
}

/** @param {Knocker} one @param {{moderate: (wanted: object) => Promise<unknown>}} call */
function row({ id, name }, call) {
  const line = document.createElement("li");
  const who = Object.assign(document.createElement("span"), { textContent: name });
  /** @param {string} text @param {boolean} admits */
  const button = (text, admits) => {
    const made = Object.assign(document.createElement("button"), { type: "button", textContent: text });
    made.setAttribute("aria-label", `${text}: ${name}`);
    made.addEventListener("click", async () => {
      made.disabled = true;
      // Who went away meanwhile is gone from the next list.
      await call.moderate({ lobby_people: { [id]: admits } }).catch((error) => console.warn("nobody was let in", error));
    });
    return made;
  };
  line.append(who, button("Let in", true), button("Refuse", false));
  return line;
}
