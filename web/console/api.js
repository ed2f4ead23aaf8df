// The API as a page: what /openapi.json says, group by group.
import { Refused, ask, at, element } from "./common.js";

/** Levels of objects in objects that are shown. */
const DEPTH_SHOWN = 4;

/** @type {any} */
let api = null;

/** @param {any} of A schema, or a reference to one. */
function resolved(of) {
  const to = typeof of?.$ref === "string" && of.$ref.startsWith("#/") ? of.$ref.slice(2).split("/") : null;
  return to ? to.reduce((/** @type {any} */ node, /** @type {string} */ key) => node?.[key], api) : of;
}

/** @param {any} schema @returns {string} Its type in a word or two. */
function kind(schema) {
  const of = resolved(schema) ?? {};
  if (of.const !== undefined) return JSON.stringify(of.const);
  if (of.enum) return of.enum.map((/** @type {unknown} */ one) => JSON.stringify(one)).join(" | ");
  const some = of.oneOf ?? of.anyOf;
  if (some) return some.map(kind).join(" | ");
  if (of.type === "array") return `list of ${kind(of.items)}`;
  if (Array.isArray(of.type)) return of.type.join(" or ");
  return of.type ?? "anything";
}

/** @param {any} schema @param {number} depth @returns {Node[]} What an object's members are. */
function members(schema, depth) {
  const of = resolved(schema) ?? {};
  if (depth > DEPTH_SHOWN) return [];
  if (of.type === "array") return members(of.items, depth);
  const some = of.oneOf ?? of.anyOf;
  if (some) return some.flatMap((/** @type {any} */ one) => members(one, depth));
  if (!of.properties) return [];
  const rows = Object.entries(of.properties).map(([name, member]) => {
    const about = resolved(member)?.description ?? /** @type {any} */ (member).description ?? "";
    const optional = of.required?.includes(name) ? "" : ", may be missing";
    const row = element("li", {}, element("code", {}, name), " ", element("span", { class: "kind" }, kind(member) + optional), " ", about);
    row.append(...members(member, depth + 1));
    return row;
  });
  return [element("ul", { class: "members" }, ...rows)];
}

/** @param {any} content A body by media type. @returns {Node[]} */
function body(content) {
  return Object.entries(content ?? {}).flatMap(([type, of]) => {
    const schema = /** @type {any} */ (of).schema;
    return [element("p", {}, element("code", {}, type), schema && !resolved(schema).properties ? ` ${kind(schema)}` : ""), ...members(schema, 0)];
  });
}

/** @param {any} security */
function leave(security) {
  const names = (security ?? []).flatMap((/** @type {object} */ one) => Object.keys(one));
  if (names.length === 0) return "Anyone who reaches the node.";
  /** @type {Record<string, string>} */
  const words = { operator: "the node’s token (on loopback alone, without one, anyone)", recordings: "the recordings’ token", link: "a signed link" };
  return `Takes ${names.map((/** @type {string} */ name) => words[name] ?? name).join(", or ")}.`;
}

/** @param {string} path @param {string} method @param {any} of @param {any[]} shared */
function door(path, method, of, shared) {
  const made = element("details", { class: "door" });
  made.dataset.words = `${method} ${path} ${of.summary}`.toLowerCase();
  made.append(element("summary", {}, element("span", { class: `method ${method}` }, method.toUpperCase()), " ", element("code", {}, path), " ", element("span", { class: "quiet" }, of.summary)));
  // Filled when it is opened: nobody reads them all.
  made.addEventListener("toggle", () => {
    if (made.childElementCount > 1) return;
    const inside = element("div", { class: "inside" }, element("p", {}, leave(of.security)));
    const takes = [...shared, ...(of.parameters ?? [])];
    if (takes.length) {
      const rows = takes.map((one) => element("li", {}, element("code", {}, one.in === "path" ? `{${one.name}}` : `?${one.name}=`), " ", one.description ?? ""));
      inside.append(element("h3", {}, "Parameters"), element("ul", { class: "members" }, ...rows));
    }
    if (of.requestBody) inside.append(element("h3", {}, of.requestBody.required ? "Body" : "Body, which may be missing"), ...body(of.requestBody.content));
    inside.append(element("h3", {}, "Answers"));
    for (const [status, given] of Object.entries(of.responses)) {
      const answer = resolved(given);
      inside.append(element("p", {}, element("strong", {}, status === "default" ? "else" : status), " ", answer.description), ...body(answer.content));
    }
    made.append(inside);
  });
  return made;
}

function draw() {
  /** @type {Map<string, HTMLElement[]>} */
  const groups = new Map();
  for (const [path, of] of Object.entries(api.paths)) {
    for (const [method, operation] of Object.entries(/** @type {Record<string, any>} */ (of))) {
      if (method === "parameters") continue;
      const tag = operation.tags[0];
      groups.set(tag, [...(groups.get(tag) ?? []), door(path, method, operation, /** @type {any} */ (of).parameters ?? [])]);
    }
  }
  at("about").textContent = `${api.info.summary} Version ${api.info.version}. What goes over the data channel of a call stands in docs/signalling.md.`;
  at("doors").replaceChildren(...Array.from(groups, ([tag, doors]) => element("section", {}, element("h2", {}, tag), ...doors)));
}

function find() {
  const words = at("find").value.toLowerCase().split(/\s+/).filter(Boolean);
  let found = 0;
  for (const one of document.querySelectorAll("details.door")) {
    const of = /** @type {HTMLDetailsElement} */ (one);
    of.hidden = !words.every((/** @type {string} */ word) => of.dataset.words?.includes(word));
    found += of.hidden ? 0 : 1;
  }
  for (const group of document.querySelectorAll("#doors section")) {
    /** @type {HTMLElement} */ (group).hidden = !group.querySelector("details:not([hidden])");
  }
  at("nothing").hidden = found > 0;
}

at("find").addEventListener("input", find);
try {
  api = await ask("/openapi.json");
  draw();
} catch (error) {
  if (!(error instanceof Refused)) throw error;
  at("problem").textContent = error.message;
  at("problem").hidden = false;
}
