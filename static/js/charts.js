/** The one chart of the application: a figure that grows live, follows the theme, and can be read as a table. */
import { chartOptions, datasets, logarithmicAxes } from "./chart_options.js";
import { drawLegend, fillTable, wireTools } from "./chart_tools.js";
import { number } from "./format.js";
import { heldKey, highlight, linkPage, onHighlight } from "./highlight.js";
import { aboveZero, steadyBounds, steadyLogBounds, thinCloud, thinLine } from "./series.js";

/** @typedef {import("./chart_options.js").Spec} Spec */
/** @typedef {import("./series.js").Point} Point */

const MOST_POINTS = 4000;
const MOST_ON_LINE = 1500;
const REDRAW_EVERY_MS = 120;

export class Figure {
  /**
   * @param {HTMLElement} element the figure of components/chart.html
   * @param {Spec} spec
   */
  constructor(element, spec) {
    this.element = element;
    this.spec = spec;
    /** @type {Map<string, Point[]>} */
    this.data = new Map(spec.series.map((series) => [series.id, []]));
    /** How many points a series stands for, where it was thinned before it came here. @type {Map<string, number>} */
    this.totals = new Map();
    /** @type {Set<string>} */
    this.hidden = new Set();
    this.bounds = { x: null, y: null };
    this.places = new Map();
    this.drawnAt = 0;
    /** Of the drawing that is due, 0 where none is. */
    this.timer = 0;
    this.chart = new globalThis.Chart(/** @type {HTMLCanvasElement} */ (element.querySelector("canvas")), {
      type: "scatter",
      data: { datasets: [] },
      options: this.#options(),
    });
    this.#listen();
  }

  /** @param {string} id @returns {Point[]} all points of a series, unthinned */
  points(id) {
    return this.data.get(id) ?? [];
  }

  /** @param {string} id @param {Point[]} points @param {number} [total] how many there are, if these are only some */
  set(id, points, total = points.length) {
    this.data.set(id, points);
    this.totals.set(id, total);
    this.redraw();
  }

  /** @param {string} id @param {Point[]} points */
  add(id, ...points) {
    this.points(id).push(...points);
    this.totals.set(id, (this.totals.get(id) ?? 0) + points.length);
    this.redraw();
  }

  /** @param {import("./chart_options.js").Limit[]} limits */
  setLimits(limits) {
    this.spec.limits = limits;
    this.redraw();
  }

  /** Draws the legend anew after the series were renamed. */
  relabel() {
    drawLegend(this);
  }

  /** Marks the points of these keys as the pointer does. @param {Iterable<string>} keys */
  mark(keys) {
    this.chart.setActiveElements([...keys].flatMap((key) => this.places.get(key) ?? []));
    this.chart.render();
  }

  /** States what the chart shows; also its name for those who do not see it. @param {string} text */
  finding(text) {
    const title = this.element.querySelector("[data-finding]");
    if (title && title.textContent !== text) title.textContent = text;
  }

  get findingText() {
    return this.element.querySelector("[data-finding]")?.textContent?.trim() ?? "";
  }

  /** Draws soon: many changes in a moment are one drawing. */
  redraw() {
    this.timer ||= window.setTimeout(() => this.draw(), Math.max(0, this.drawnAt + REDRAW_EVERY_MS - performance.now()));
  }

  /** Draws now, and so what was due. The first drawing does not move: there is nothing that it came from. */
  draw() {
    clearTimeout(this.timer);
    const moves = this.spec.moves && this.drawnAt > 0;
    [this.timer, this.drawnAt] = [0, performance.now()];
    let drawn = 0;
    let all = 0;
    const lost = { left: 0, cut: 0 };
    const sets = [];
    const logarithmic = logarithmicAxes(this.spec);
    for (const series of this.spec.series) {
      if (this.hidden.has(series.id)) continue;
      const { points, left, cut } = aboveZero(this.points(series.id), logarithmic);
      const cloud = ["points", "errors"].includes(series.draw);
      const thinned = ["bars", "lines"].includes(series.draw) ? points : cloud ? thinCloud(points, MOST_POINTS) : thinLine(points, MOST_ON_LINE);
      drawn += thinned.length;
      all += (this.totals.get(series.id) ?? points.length + left) - left;
      lost.left += left;
      lost.cut += cut;
      sets.push(...datasets(series, thinned));
    }
    this.#tell(drawn, all, lost);
    this.#steady();
    this.chart.data.datasets = this.#reuse(sets);
    if (!this.chart.isZoomedOrPanned?.()) this.chart.options = this.#options();
    this.#indexKeys();
    this.chart.update(moves ? undefined : "none");
    const held = heldKey();
    if (held !== null) this.mark([held]);
    fillTable(this);
  }

  #options() {
    const options = chartOptions(this.spec, this.bounds);
    return {
      ...options,
      onHover: (_event, active) => this.#hover(active),
      onClick: (_event, active) => {
        const key = this.#keyOf(active[0]);
        if (key) this.spec.onPick?.(key);
      },
    };
  }

  /** Keeps the identity of data sets, so that moving points glide instead of starting anew. @param {any[]} sets */
  #reuse(sets) {
    const old = this.chart.data.datasets;
    const same = old.length === sets.length && sets.every((set, i) => set.seriesId === old[i].seriesId);
    return same ? sets.map((set, i) => Object.assign(old[i], set)) : sets;
  }

  /**
   * Says what of the data is not drawn, and stands in for a chart without data.
   * @param {number} drawn @param {number} all that could be drawn
   * @param {{left: number, cut: number}} lost to a logarithmic axis
   */
  #tell(drawn, all, { left, cut }) {
    const notice = /** @type {HTMLElement | null} */ (this.element.querySelector("[data-notice]"));
    const { part } = this.spec;
    const said = [];
    if (part) said.push(`Thinned: ${number(part.given)} of ${number(part.all)} ${part.what} are drawn. ${this.spec.whole ?? "The CSV has all."}`);
    else if (drawn < all) said.push(`Thinned: ${number(drawn)} of ${number(all)} points are drawn. ${this.spec.whole ?? "The CSV has all."}`);
    if (left) said.push(`${number(left)} ${left > 1 ? "points" : "point"} at or below zero cannot be shown on a logarithmic axis.`);
    if (cut) said.push(`${number(cut)} ${cut > 1 ? "intervals reach" : "interval reaches"} zero or below: ${cut > 1 ? "they end" : "it ends"} at the axis's edge.`);
    if (notice) {
      notice.hidden = !said.length;
      notice.textContent = said.join(" ");
    }
    const blank = /** @type {HTMLElement | null} */ (this.element.querySelector("[data-blank]"));
    if (!blank) return;
    const empty = all + left === 0;
    blank.hidden = !empty;
    this.chart.canvas.hidden = empty;
    // What was hidden by hand can be shown again: then tools and legend stay.
    const hidden = empty && this.hidden.size > 0;
    this.element.classList.toggle("is-blank", empty && !hidden);
    if (hidden) blank.textContent = "Every series with data is hidden. The legend shows them again.";
    else if (this.spec.blank) blank.textContent = this.spec.blank;
  }

  /** Widens the axes when the data outgrow them. */
  #steady() {
    const limits = this.spec.limits ?? [];
    for (const name of /** @type {const} */ (["x", "y"])) {
      if (this.spec[name].type === "category") continue;
      const log = this.spec[name].type === "logarithmic";
      const values = limits.filter((limit) => limit.axis === name).map((limit) => limit.value);
      for (const series of this.spec.series) {
        if (this.hidden.has(series.id)) continue;
        if (series.draw === "bars") values.push(0);
        for (const point of this.points(series.id)) {
          if (typeof point[name] === "number") values.push(point[name]);
          if (name === "y" && point.low !== undefined) values.push(point.low, /** @type {number} */ (point.high));
        }
      }
      let low = Infinity;
      let high = -Infinity;
      for (const value of values) {
        if (log && value <= 0) continue;
        if (value < low) low = value;
        if (value > high) high = value;
      }
      // A bar grows from the edge of a logarithmic axis: the shortest is to be seen too.
      if (log && this.spec.series.some((series) => series.draw === "bars")) low /= 2;
      if (low <= high) this.bounds[name] = (log ? steadyLogBounds : steadyBounds)(this.bounds[name], low, high);
    }
  }

  #indexKeys() {
    this.places.clear();
    this.chart.data.datasets.forEach((set, datasetIndex) => {
      set.data.forEach((point, index) => {
        if (!point.key) return;
        const places = this.places.get(point.key) ?? [];
        places.push({ datasetIndex, index });
        this.places.set(point.key, places);
      });
    });
  }

  #keyOf(active) {
    return active ? (this.chart.data.datasets[active.datasetIndex]?.data[active.index]?.key ?? null) : null;
  }

  #hover(active) {
    const key = this.#keyOf(active[0]);
    this.chart.canvas.style.cursor = key && this.spec.onPick ? "pointer" : "";
    highlight(key, this);
    // After this event Chart.js takes away every mark but the pointer's.
    const held = heldKey();
    if (key === null && held !== null) queueMicrotask(() => this.mark([held]));
  }

  #listen() {
    wireTools(this);
    drawLegend(this);
    linkPage();
    onHighlight((key, source) => {
      if (source !== this) this.mark(key === null ? [] : [key]);
    });
    this.chart.canvas.addEventListener("pointerleave", () => highlight(null, this));
    document.addEventListener("themechange", () => this.draw());
  }
}

/** Resolves once a frame was drawn; soon where none is, as in a tab in the background. */
export function painted() {
  const frame = new Promise((done) => requestAnimationFrame(() => setTimeout(done)));
  return Promise.race([frame, new Promise((done) => setTimeout(done, 100))]);
}

/**
 * The figure with an id on this page, or null where the page shows none.
 * @param {string} id as given to components/chart.html
 * @param {Spec} spec
 * @returns {Figure | null}
 */
export function figure(id, spec) {
  const element = document.getElementById(`chart-${id}`);
  return element && globalThis.Chart ? new Figure(element, spec) : null;
}
