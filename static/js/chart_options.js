/** Turns what a page says about a chart into the options and data sets of Chart.js. */
import { number, quantity } from "./format.js";
import { colour, seriesStyle } from "./palette.js";
import { logTicks } from "./series.js";

/** @typedef {import("./series.js").Point} Point */
/**
 * @typedef {object} Axis
 * @property {string} label
 * @property {string} [unit]
 * @property {"linear" | "logarithmic" | "category"} [type]
 * @property {number} [min] @property {number} [max] where the axis ends, always
 * @property {number} [most] no value can be greater: the axis never goes beyond
 * @property {string[]} [categories]
 * @property {boolean} [whole] counts steps: ticks only at whole numbers
 * @property {string} [linear] why a logarithm of this quantity would mean nothing
 */
/**
 * How a series is drawn: "points"; "line"; "lines" (one for each key); "steps"; "bars"; "band" (between `low` and `high`); "errors"
 * (points with interval bars). A measured series is solid, a predicted one hollow and dashed, always.
 * @typedef {object} Series
 * @property {string} id
 * @property {string} label
 * @property {"points" | "line" | "lines" | "steps" | "bars" | "band" | "errors"} draw
 * @property {number} slot 1..8, place in the palette
 * @property {boolean} [predicted]
 * @property {boolean} [faint]
 * @property {number} [radius]
 */
/** @typedef {{id: string, axis: "x" | "y", value: number, label: string}} Limit */
/**
 * @typedef {object} Spec
 * @property {string} name stem of the files it exports
 * @property {Axis} x @property {Axis} y
 * @property {Series[]} series
 * @property {Limit[]} [limits]
 * @property {string} [whole] where all points are, said when not all are drawn
 * @property {string} [blank] what stands in the frame while there is no data
 * @property {boolean} [horizontal] bars lie
 * @property {boolean} [moves] points glide to new places (a population), unless motion is to be reduced
 * @property {(point: Point) => string[]} [describe] more lines for the tooltip
 * @property {(key: string) => void} [onPick] a point was clicked
 * @property {{what: string, given: number, all: number, csv: string}} [part] the page was given a part of the data: so many of all; where their file is
 */

/** @param {Axis} axis */
export const axisTitle = (axis) => (axis.unit ? `${axis.label} (${axis.unit})` : axis.label);

/**
 * Whether the axis offers a logarithmic scale: every axis of a quantity does, but not one that names things or counts
 * steps, nor one that says why not.
 * @param {Axis} axis
 */
export const canBeLogarithmic = (axis) => axis.type !== "category" && !axis.whole && !axis.linear;

/** @param {Spec} spec @returns {("x" | "y")[]} */
export const logarithmicAxes = (spec) => /** @type {const} */ (["x", "y"]).filter((name) => spec[name].type === "logarithmic");

const TYPES = { points: "scatter", line: "line", lines: "line", steps: "line", bars: "bar", band: "line", errors: "scatterWithErrorBars" };

/** @param {Series} series */
function lineLook(series, style) {
  return {
    showLine: true,
    stepped: series.draw === "steps" ? "before" : false,
    borderColor: series.faint ? colour(`series-${series.slot}`, 0.3) : style.colour,
    borderWidth: series.faint ? 1 : 2,
    borderDash: series.predicted ? [6, 4] : [],
    pointRadius: series.radius ?? 0,
    pointHitRadius: 8,
    spanGaps: true,
  };
}

/** @param {Series} series */
function pointLook(series, style) {
  const strokeOnly = ["star", "crossRot", "cross", "dash"].includes(style.shape);
  return {
    pointStyle: style.shape,
    pointRadius: series.radius ?? 4,
    pointHoverRadius: (series.radius ?? 4) + 3,
    pointBorderWidth: series.predicted || strokeOnly ? 1.75 : 1,
    pointBorderColor: series.faint ? colour(`series-${series.slot}`, 0.45) : style.colour,
    pointBackgroundColor: series.predicted ? "transparent" : colour(`series-${series.slot}`, series.faint ? 0.2 : 0.65),
    borderColor: style.colour,
  };
}

/**
 * The data sets of one series; a band needs two, its lower and its upper edge, and lines need one each.
 * @param {Series} series
 * @param {any[]} points already thinned
 * @returns {object[]}
 */
export function datasets(series, points) {
  const style = seriesStyle(series.slot);
  const base = { seriesId: series.id, label: series.label, type: TYPES[series.draw], data: points };
  if (series.draw === "band") {
    const edge = { ...base, showLine: true, borderWidth: 0, pointRadius: 0, pointHitRadius: 0, edge: true };
    const fill = colour(`series-${series.slot}`, 0.16);
    return [
      { ...edge, data: points.map(({ x, low }) => ({ x, y: low })), fill: false },
      { ...edge, data: points.map(({ x, high }) => ({ x, y: high })), fill: "-1", backgroundColor: fill },
    ];
  }
  if (series.draw === "lines") {
    return [...Map.groupBy(points, ({ key }) => key).values()].map((data) => ({ ...base, ...lineLook(series, style), data }));
  }
  if (series.draw === "bars") {
    return [{ ...base, backgroundColor: colour(`series-${series.slot}`, 0.8), hoverBackgroundColor: style.colour, borderRadius: 3, maxBarThickness: 28 }];
  }
  if (series.draw === "errors") {
    const data = points.map((point) => ({ ...point, yMin: point.low, yMax: point.high }));
    const bars = { errorBarColor: style.colour, errorBarWhiskerColor: style.colour, errorBarLineWidth: 1.25, errorBarWhiskerSize: 5 };
    return [{ ...base, ...pointLook(series, style), ...bars, data }];
  }
  return [{ ...base, ...(series.draw === "points" ? pointLook(series, style) : lineLook(series, style)) }];
}

/** @param {Axis} axis @param {{min?: number, max?: number} | null} bounds */
function scale(axis, bounds) {
  const type = axis.type ?? "linear";
  const fixed = type === "category" ? {} : bounds ?? {};
  return {
    type,
    labels: axis.categories,
    ...(type === "logarithmic" ? { afterBuildTicks: (it) => { it.ticks = logTicks(it.min, it.max).map((value) => ({ value })); } } : {}),
    min: type === "logarithmic" ? fixed.min : axis.min ?? fixed.min,
    max: axis.max ?? (fixed.max === undefined ? undefined : Math.min(fixed.max, axis.most ?? Infinity)),
    title: { display: true, text: axisTitle(axis), color: colour("ink-2"), font: { size: 12, weight: 500 } },
    grid: { color: colour("grid"), drawTicks: false },
    border: { color: colour("line") },
    ticks: {
      color: colour("ink-3"),
      font: { size: 12 },
      padding: 6,
      // Names are all said, upright where they are many; numbers are told apart by a few.
      ...(type === "category" ? { maxRotation: 90, autoSkipPadding: 2 } : { maxRotation: 0, autoSkipPadding: 14 }),
      includeBounds: false,
      precision: axis.whole ? 0 : undefined,
      ...(type === "category" ? {} : { callback: (value) => number(Number(value), 3) }),
    },
  };
}

/** @param {Limit} limit @param {number} place among the limits: their labels stand one below the other */
function limitLine(limit, place) {
  const upright = limit.axis === "x";
  return {
    type: "line",
    scaleID: limit.axis,
    value: limit.value,
    borderColor: colour("limit"),
    borderWidth: 1.5,
    borderDash: [2, 3],
    label: {
      display: true,
      content: limit.label,
      position: upright ? "start" : "end",
      yAdjust: upright ? 18 * place : 0,
      backgroundColor: colour("surface", 0.9),
      color: colour("limit"),
      font: { size: 11, weight: 600 },
      padding: 3,
    },
  };
}

/** @param {Spec} spec */
function tooltip(spec) {
  return {
    backgroundColor: colour("ink"),
    titleColor: colour("surface"),
    bodyColor: colour("surface"),
    padding: 10,
    cornerRadius: 8,
    displayColors: false,
    filter: (item) => !item.dataset.edge,
    callbacks: {
      title: () => "",
      label: (item) => {
        const point = item.raw;
        const [x, y] = spec.horizontal ? [spec.y, spec.x] : [spec.x, spec.y];
        const value = (axis, at) => (axis.type === "category" ? String(at) : quantity(at, axis.unit, 5));
        const lines = [item.dataset.label, `${x.label}: ${value(x, point.x)}`, `${y.label}: ${value(y, point.y)}`];
        if (point.low !== undefined) lines.push(`interval: ${number(point.low)} to ${quantity(point.high, y.unit)}`);
        return [...lines, ...(point.note ? [point.note] : []), ...(spec.describe?.(point) ?? [])];
      },
    },
  };
}

const ZOOM = {
  zoom: {
    mode: "xy",
    drag: { enabled: true, threshold: 8 },
    wheel: { enabled: true, modifierKey: "ctrl" },
  },
  pan: { enabled: true, mode: "xy", modifierKey: "shift" },
};

/**
 * @param {Spec} spec
 * @param {{x: {min: number, max: number} | null, y: {min: number, max: number} | null}} bounds
 * @returns {object} options of Chart.js
 */
export function chartOptions(spec, bounds) {
  const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
  return {
    responsive: true,
    maintainAspectRatio: false,
    parsing: spec.series.some((series) => series.draw === "bars") ? { xAxisKey: "x", yAxisKey: "y" } : false,
    normalized: true,
    clip: 8,
    animation: spec.moves && !still ? { duration: 450 } : false,
    indexAxis: spec.horizontal ? "y" : "x",
    font: { family: getComputedStyle(document.body).fontFamily },
    interaction: { mode: "nearest", intersect: true },
    scales: { x: scale(spec.x, bounds.x), y: scale(spec.y, bounds.y) },
    plugins: {
      legend: { display: false },
      tooltip: tooltip(spec),
      zoom: ZOOM,
      ...(spec.limits ? { annotation: { annotations: Object.fromEntries(spec.limits.map((limit, place) => [limit.id, limitLine(limit, place)])) } } : {}),
    },
  };
}
