// Where do faces lie in a layout of one's own? As little as possible moves: what stays is shown by the picture already. No page in here.

/**
 * @typedef {import("./moment.js").Scene} Scene
 * @typedef {import("./moment.js").Tile} Tile
 * @typedef {{x: number, y: number, width: number, height: number}} Rect
 * @typedef {{big: Set<string>, hidden: Set<string>, order: string[]}} Wishes
 * @typedef {Tile & {source: Rect, drawn: boolean}} Placed `drawn`: the picture does not show it where it lies now
 * @typedef {{width: number, height: number, tiles: Placed[], holes: Rect[]}} Own `holes`: where the picture shows what is elsewhere now
 */

/** So many times as wide and high is who is enlarged. */
const GROWTH = 2;
/** A place so much wider than one's own is taken instead, and its holder takes the other. */
const WIDER = 1.8;
/** Who finds no place in the picture is at most such a part of it high, below it. */
const BELOW = 1 / 4;
/** Below this nobody would see it. */
const GROWTH_MIN = 1.1;

/** What a tile is called among wishes. */
export const key = (/** @type {Tile} */ tile) => (tile.track === "screen" ? `${tile.participant}/screen` : tile.participant);

const rect = ({ x, y, width, height }) => ({ x, y, width, height });
const same = (a, b) => a.x === b.x && a.y === b.y && a.width === b.width && a.height === b.height;
const meet = (a, b) => a.x < b.x + b.width && b.x < a.x + a.width && a.y < b.y + b.height && b.y < a.y + a.height;

/**
 * The tiles in the order that somebody chose; who came since is last.
 * @param {Tile[]} tiles
 * @param {string[]} order
 */
export function ordered(tiles, order) {
  const rank = new Map(order.map((id, at) => [id, at]));
  const at = (tile) => rank.get(key(tile)) ?? order.length;
  return tiles.map((tile, n) => ({ tile, n })).sort((a, b) => at(a.tile) - at(b.tile) || a.n - b.n).map(({ tile }) => tile);
}

/** `source` as large as it can be in the middle of `place`. */
function fitted(source, place) {
  const by = Math.min(place.width / source.width, place.height / source.height);
  const [width, height] = [source.width * by, source.height * by];
  return { x: place.x + (place.width - width) / 2, y: place.y + (place.height - height) / 2, width, height };
}

/** Twice as large, over its own place, where it covers the fewest others and none that is `taken`. */
function grown(place, scene, others, taken) {
  const by = Math.min(GROWTH, scene.width / place.width, scene.height / place.height);
  if (by < GROWTH_MIN) return null;
  const [width, height] = [place.width * by, place.height * by];
  const inside = (at, extent, whole) => Math.max(0, Math.min(at, whole - extent));
  const options = [place.y, place.y + place.height - height].flatMap((y) =>
    [place.x, place.x + place.width - width].map((x) => ({
      x: inside(x, width, scene.width),
      y: inside(y, height, scene.height),
      width,
      height,
    })),
  );
  const free = options.filter((option) => !taken.some((other) => meet(option, other)));
  const covers = (option) => others.filter((other) => meet(option, other)).length;
  return free.sort((a, b) => covers(a) - covers(b))[0] ?? null;
}

/** Places for those who have none: in line with others, else in rows below the picture. */
function housed(homeless, scene, shown) {
  const corners = scene.tiles.flatMap((row) => scene.tiles.map((column) => ({ x: column.x, y: row.y })));
  let [x, y, row] = [0, scene.height, 0];
  const housed = shown.filter((tile) => !homeless.includes(tile));
  for (const one of homeless) {
    const inside = ({ x, y }) => x + one.width <= scene.width && y + one.height <= scene.height;
    const isFree = (corner) => inside(corner) && !housed.some((other) => meet(other, { ...rect(one), ...corner }));
    const corner = corners.find(isFree);
    if (corner) {
      Object.assign(one, corner);
      housed.push(one);
      continue;
    }
    Object.assign(one, fitted(one, { x: 0, y: 0, width: scene.width, height: Math.min(one.height, scene.height * BELOW) }));
    if (x > 0 && x + one.width > scene.width) [x, y, row] = [0, y + row, 0];
    Object.assign(one, { x, y });
    [x, row] = [x + one.width, Math.max(row, one.height)];
  }
  return y + row;
}

/**
 * Where everything lies by somebody's wishes; null: as the scene has it.
 * @param {Scene} scene
 * @param {Wishes} wishes
 * @returns {Own | null}
 */
export function own(scene, wishes) {
  const seats = scene.tiles.map(rect);
  /** @type {Placed[]} */
  const all = ordered(scene.tiles, wishes.order).map((tile, seat) => {
    const source = rect(tile);
    return { ...tile, source, drawn: false, ...(same(source, seats[seat]) ? source : fitted(source, seats[seat])) };
  });
  const shown = all.filter((tile) => !wishes.hidden.has(key(tile)));
  const homeless = [];
  const taken = [];
  for (const tile of shown.filter((tile) => wishes.big.has(key(tile)))) {
    const others = shown.filter((other) => other !== tile && !homeless.includes(other) && !taken.includes(other));
    const wider = others.filter((other) => other.width >= tile.width * WIDER).sort((a, b) => b.width - a.width)[0];
    if (wider) {
      const [mine, its] = [rect(tile), rect(wider)];
      Object.assign(tile, fitted(tile.source, its));
      Object.assign(wider, fitted(wider.source, mine));
      taken.push(tile);
      continue;
    }
    const place = grown(tile, scene, others, taken);
    if (!place) continue;
    // Its own place may be needed by who is covered, unless it is covered itself.
    Object.assign(tile, place);
    taken.push(tile);
    const home = homeless.indexOf(tile);
    if (home >= 0) homeless.splice(home, 1);
    homeless.push(...others.filter((other) => meet(other, tile)));
  }
  const height = housed(homeless, scene, shown);
  const now = new Map(shown.map((tile) => [key(tile), rect(tile)]));
  const stays = (tile) => now.has(key(tile)) && same(now.get(key(tile)), tile);
  const holes = scene.tiles.filter((tile) => !stays(tile)).map(rect);
  for (const tile of shown) tile.drawn = !same(tile, tile.source) || holes.some((hole) => meet(hole, tile));
  if (holes.length === 0) return null;
  return { width: scene.width, height: Math.max(height, scene.height), tiles: shown, holes };
}
