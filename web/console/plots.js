// Plots of the node's last quarter of an hour: its lines in charts, with the figures of now in words beside each.
import { element } from "./common.js";

/**
 * @typedef {{ name: string, values: number[] }} Line
 * @typedef {{ name: string, unit: string, lines: Line[] }} Chart
 * @typedef {{ spacing_ms: number, first: number, next: number, charts: Chart[] }} History
 */

/** Points that are drawn, as many as the node keeps. */
const POINTS_SHOWN = 900;
const HEIGHT = 130;
const COLOURS = 7;

/** @param {number} value */
const figure = (value) => (Math.abs(value) >= 100 ? Math.round(value).toString() : value.toFixed(Math.abs(value) >= 10 ? 1 : 2));

/** uPlot, if this build carries it. @type {Promise<any>} */
const library = import(/** @type {string} */ ("/assets/uplot.js")).then((loaded) => loaded.default, () => null);

/** Whether this build can draw. */
export const canDraw = library.then((found) => found !== null);

/** All charts of a node, drawn into `place`. */
export class Plots {
  /** @param {HTMLElement} place */
  constructor(place) {
    this.place = place;
    /** Which point comes next. */
    this.next = 0;
    this.spacing = 1;
    /** @type {{ chart: Chart, words: HTMLElement[], area: HTMLElement, plot: any }[]} */
    this.drawn = [];
    addEventListener("resize", () => this.#resize());
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => void this.#redraw());
    canDraw.then((can) => {
      if (can) document.head.append(element("link", { rel: "stylesheet", href: "/assets/uplot.css" }));
    });
  }

  /** @param {History} history What is new. A node that started anew begins again. */
  async add(history) {
    const library_ = await library;
    this.spacing = history.spacing_ms / 1000;
    if (history.next < this.next || this.drawn.length !== history.charts.length || history.first > this.next) this.#begin(history.charts);
    this.next = history.next;
    this.drawn.forEach((one, n) => {
      one.chart.lines.forEach((line, m) => {
        line.values.push(...history.charts[n].lines[m].values);
        line.values.splice(0, Math.max(0, line.values.length - POINTS_SHOWN));
        one.words[m].textContent = figure(line.values.at(-1) ?? 0);
      });
      if (library_ && !one.plot) one.plot = this.#plot(library_, one);
      else one.plot?.setData(this.#data(one.chart));
    });
  }

  /** @param {string} chart @param {string} line The newest value. */
  now(chart, line) {
    const lines = this.drawn.find((one) => one.chart.name === chart)?.chart.lines;
    return lines?.find((one) => one.name === line)?.values.at(-1) ?? 0;
  }

  /** @param {string} chart The newest values of all its lines together. */
  sum(chart) {
    const lines = this.drawn.find((one) => one.chart.name === chart)?.chart.lines ?? [];
    return lines.reduce((sum, line) => sum + (line.values.at(-1) ?? 0), 0);
  }

  /** @param {Chart[]} charts */
  #begin(charts) {
    this.drawn = charts.map(({ name, unit, lines }) => {
      const words = lines.map(() => element("b", {}, "0"));
      const legend = lines.map((line, n) => element("li", {}, element("i", { class: `swatch c${n % COLOURS}` }), ` ${line.name} `, words[n]));
      const area = element("div", { class: "area", role: "img", "aria-label": `${name}, the last 15 minutes` });
      const head = element("h3", {}, name, unit ? element("span", { class: "quiet" }, ` ${unit}`) : "");
      const chart = { name, unit, lines: lines.map((line) => ({ name: line.name, values: [] })) };
      return { chart, words, area, plot: null, card: element("section", { class: "card chart" }, head, area, element("ul", { class: "legend" }, ...legend)) };
    });
    this.place.replaceChildren(...this.drawn.map((one) => /** @type {any} */ (one).card));
  }

  /** @param {Chart} chart Minutes before now, and each line. */
  #data(chart) {
    const length = chart.lines[0]?.values.length ?? 0;
    const at = Array.from({ length }, (_, n) => ((n - length + 1) * this.spacing) / 60);
    return [at, ...chart.lines.map((line) => line.values)];
  }

  /** @param {any} UPlot @param {{ chart: Chart, area: HTMLElement }} one */
  #plot(UPlot, { chart, area }) {
    // A probe of the page's own colours: light-dark() is only resolved where it is used.
    const probe = element("i", { class: "swatch" });
    area.append(probe);
    const resolved = (/** @type {string} */ kind) => {
      probe.className = `swatch ${kind}`;
      return getComputedStyle(probe).backgroundColor;
    };
    const strokes = chart.lines.map((_, n) => resolved(`c${n % COLOURS}`));
    const [ink, line] = [resolved("ink"), resolved("line")];
    probe.remove();
    const axis = { stroke: ink, grid: { stroke: line, width: 1 }, ticks: { show: false }, font: "11px system-ui, sans-serif" };
    return new UPlot(
      {
        width: Math.max(100, area.clientWidth),
        height: HEIGHT,
        legend: { show: false },
        cursor: { show: false },
        scales: { x: { time: false, range: [-POINTS_SHOWN * this.spacing / 60, 0] }, y: { range: (/** @type {any} */ _, /** @type {number} */ least, /** @type {number} */ most) => [Math.min(0, least ?? 0), Math.max(most ?? 0, 0.1) * 1.05] } },
        axes: [
          { ...axis, values: (/** @type {any} */ _, /** @type {number[]} */ all) => all.map((minutes) => (minutes === 0 ? "now" : `${minutes} min`)), space: 60 },
          { ...axis, size: 44, space: 28 },
        ],
        series: [{}, ...chart.lines.map((one, n) => ({ label: one.name, stroke: strokes[n], width: 1.5, points: { show: false } }))],
      },
      this.#data(chart),
      area,
    );
  }

  #resize() {
    for (const { plot, area } of this.drawn) plot?.setSize({ width: Math.max(100, area.clientWidth), height: HEIGHT });
  }

  async #redraw() {
    const library_ = await library;
    for (const one of this.drawn) {
      one.plot?.destroy();
      one.plot = library_ ? this.#plot(library_, one) : null;
    }
  }
}
