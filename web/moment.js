// Which scene does the frame on the screen show? Scenes come by the data channel before their frames, and say from which frame on
// they hold (docs/signalling.md, `scene`); what lies over the picture follows the frame that is shown, also while tiles glide.
// No page in here.

/** Of RTP timestamps of pictures (RFC 3551 section 5), a second. */
const CLOCK = 90_000;
/** A scene that holds from so much later than the frame on the screen is of another count: of a connection before, or hours ago. */
const AHEAD_MAX = 10 * CLOCK;
/** Scenes that may wait for their frames; more come of none that is shown. */
const WAITING_MAX = 32;
/** Without a frame for so long (a tab in the background, a pause), the newest scene is what there is. */
const STILL_MS = 700;

/**
 * @typedef {{participant: string, track?: string, x: number, y: number, width: number, height: number, z: number,
 *   from?: number[]}} Tile
 * @typedef {{width: number, height: number, after?: number, motion_ms?: number, tiles: Tile[]}} Scene
 */

/** How much later `after` is than `time`, both of 32 bits that wrap. */
const ahead = (after, time) => (after - time) | 0;

/**
 * Where the tiles of `scene` lie in the frame of RTP timestamp `time`; the scene itself when all are at rest.
 * @param {Scene} scene
 * @param {number | null} time
 * @returns {Scene}
 */
export function placed(scene, time) {
  if (time === null || !scene.motion_ms || !scene.tiles.some((tile) => tile.from)) return scene;
  const part = -ahead(scene.after ?? 0, time) / (CLOCK / 1000) / scene.motion_ms;
  if (part < 0 || part >= 1) return scene;
  const way = 1 - (1 - part) ** 3;
  // Rounded down one by one to even pixels, as the node draws them.
  const between = (from, to) => Math.floor(from + (to - from) * way) & ~1;
  const tiles = scene.tiles.map((tile) => {
    if (!tile.from) return tile;
    const [x, y, width, height] = [tile.x, tile.y, tile.width, tile.height].map((to, at) => between(tile.from[at], to));
    return { ...tile, x, y, width, height };
  });
  return { ...scene, tiles };
}

export class Moment {
  #video;
  #seen;
  #shown;
  /** @type {RTCRtpReceiver | null} */
  #receiver = null;
  /** @type {Scene | null} */
  #told = null;
  /** @type {Scene[]} */
  #waiting = [];
  /** @type {Scene | null} */
  #current = null;
  /** @type {number | null} */
  #time = null;
  #timer = 0;

  /**
   * `seen` is called after the places of the shown frame changed, `shown` for each frame.
   * @param {HTMLVideoElement} video
   * @param {{seen: () => void, shown: () => void}} then
   */
  constructor(video, { seen, shown }) {
    this.#video = video;
    this.#seen = seen;
    this.#shown = shown;
    this.#await();
  }

  /** The scene of the frame on the screen, its tiles where they are in it. */
  get scene() {
    return this.#current && placed(this.#current, this.#time);
  }

  /** Pictures come from a new connection: what was told before is of another count. */
  renew(/** @type {RTCRtpReceiver | null} */ receiver) {
    if (receiver === this.#receiver) return;
    this.#receiver = receiver;
    this.#time = null;
    this.#all();
  }

  /** The newest scene that was told, or null; telling it again changes nothing. */
  take(/** @type {Scene | null} */ scene) {
    if (scene === this.#told) return;
    this.#told = scene;
    if (!scene || !this.#current || this.#time === null) {
      this.#waiting = scene ? [scene] : [];
      if (!scene) this.#current = null;
      return this.#all();
    }
    this.#waiting.push(scene);
    if (this.#waiting.length > WAITING_MAX) this.#current = this.#waiting.shift();
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#all(), STILL_MS);
  }

  /** Nothing waits any longer. */
  #all() {
    clearTimeout(this.#timer);
    this.#current = this.#waiting.splice(0).at(-1) ?? this.#current;
    this.#seen();
  }

  #await() {
    if (this.#video.requestVideoFrameCallback) this.#video.requestVideoFrameCallback((_, frame) => this.#show(frame));
    else requestAnimationFrame(() => this.#show({}));
  }

  #show(/** @type {any} */ frame) {
    this.#await();
    // Where a browser does not say it of the frame (Firefox), of the one that came last out of the connection.
    const time = frame.rtpTimestamp ?? this.#receiver?.getSynchronizationSources?.()[0]?.rtpTimestamp ?? null;
    const before = this.scene;
    this.#time = time;
    while (this.#waiting.length > 0 && !this.#isAhead(this.#waiting[0])) this.#current = this.#waiting.shift();
    if (this.#waiting.length === 0) clearTimeout(this.#timer);
    // At rest it is the same object each time.
    if (this.scene !== before) this.#seen();
    else this.#shown();
  }

  #isAhead(/** @type {Scene} */ scene) {
    if (this.#time === null || scene.after === undefined) return false;
    const by = ahead(scene.after, this.#time);
    return by >= 0 && by <= AHEAD_MAX;
  }
}
