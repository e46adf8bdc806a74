/** The tools around a chart: zoom, scale, exports, the table and the legend. */
import { axisTitle, canBeLogarithmic } from "./chart_options.js";
import { number } from "./format.js";
import { colour, seriesStyle } from "./palette.js";
import { toCsv } from "./series.js";

/**
 * What the tools need of a figure. (Written out: an import of charts.js, even of a type, would close a circle.)
 * @typedef {object} Figure
 * @property {HTMLElement} element
 * @property {import("./chart_options.js").Spec} spec
 * @property {any} chart of Chart.js
 * @property {Record<string, {min: number, max: number} | null>} bounds
 * @property {Set<string>} hidden ids of hidden series
 * @property {string} findingText
 * @property {(id: string) => import("./series.js").Point[]} points
 * @property {() => void} draw
 */

const TABLE_ROWS = 500;

/** @param {Blob} blob @param {string} name */
function save(blob, name) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}

/**
 * Everything the chart holds, unthinned, one row per point.
 * @param {Figure} figure
 * @returns {{head: string[], rows: (string | number | null | undefined)[][], keys: (string | undefined)[]}}
 */
export function tableOf(figure) {
  const { spec } = figure;
  const filled = spec.series.filter((series) => figure.points(series.id).length > 0);
  const several = filled.length > 1;
  const bounded = filled.some((series) => figure.points(series.id).some((point) => point.low !== undefined));
  const noted = filled.some((series) => figure.points(series.id).some((point) => point.note));
  const head = [axisTitle(spec.x), axisTitle(spec.y)];
  if (several) head.unshift("Series");
  if (bounded) head.push("Interval from", "Interval to");
  if (noted) head.push("Note");
  const rows = [];
  const keys = [];
  for (const series of filled) {
    for (const point of figure.points(series.id)) {
      const row = /** @type {(string | number | null | undefined)[]} */ ([point.x, point.y]);
      if (several) row.unshift(series.label);
      if (bounded) row.push(point.low, point.high);
      if (noted) row.push(point.note);
      rows.push(row);
      keys.push(point.key);
    }
  }
  return { head, rows, keys };
}

/** Where the page was given a part of the data, the server has all. @param {Figure} figure */
function exportCsv(figure) {
  if (figure.spec.part) return location.assign(figure.spec.part.csv);
  const { head, rows } = tableOf(figure);
  save(new Blob([toCsv(head, rows)], { type: "text/csv" }), `${figure.spec.name}.csv`);
}

/** The same as a list of objects, one a point. @param {Figure} figure */
function exportJson(figure) {
  if (figure.spec.part) return location.assign(figure.spec.part.csv.replace("format=csv", "format=json"));
  const { head, rows } = tableOf(figure);
  const records = rows.map((row) => Object.fromEntries(head.map((name, at) => [name, row[at] ?? null])));
  save(new Blob([JSON.stringify(records, null, 1)], { type: "application/json" }), `${figure.spec.name}.json`);
}

/** The picture carries its finding as a title, on the ground of the present theme. @param {Figure} figure */
function exportPng(figure) {
  const source = figure.chart.canvas;
  const ratio = source.width / source.clientWidth;
  const top = 40 * ratio;
  const canvas = document.createElement("canvas");
  canvas.width = source.width;
  canvas.height = source.height + top;
  const pen = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
  pen.fillStyle = colour("surface");
  pen.fillRect(0, 0, canvas.width, canvas.height);
  pen.fillStyle = colour("ink");
  pen.font = `600 ${15 * ratio}px ${getComputedStyle(document.body).fontFamily}`;
  pen.fillText(figure.findingText, 12 * ratio, 26 * ratio, canvas.width - 24 * ratio);
  pen.drawImage(source, 0, top);
  canvas.toBlob((blob) => blob && save(blob, `${figure.spec.name}.png`));
}

/**
 * Shows the switch of an axis that can be logarithmic.
 * @param {Figure} figure
 * @param {"x" | "y"} name
 * @param {HTMLButtonElement} button
 */
function offerLog(figure, name, button) {
  const axis = figure.spec[name];
  button.hidden = !canBeLogarithmic(axis);
  button.title = `Logarithmic scale: ${axis.label}`;
  button.setAttribute("aria-label", `${button.textContent}: logarithmic scale of ${axis.label}`);
}

/** @param {Figure} figure @param {"x" | "y"} name @param {HTMLButtonElement} button */
function toggleLog(figure, name, button) {
  const log = figure.spec[name].type !== "logarithmic";
  figure.spec[name].type = log ? "logarithmic" : "linear";
  figure.bounds[name] = null;
  button.setAttribute("aria-pressed", String(log));
  figure.chart.resetZoom("none");
  figure.draw();
}

/** @param {Figure} figure */
export function wireTools(figure) {
  /** @type {Record<string, (button: HTMLButtonElement) => void>} */
  const tools = {
    "zoom-in": () => figure.chart.zoom(1.5),
    "zoom-out": () => figure.chart.zoom(1 / 1.5),
    reset: () => {
      figure.chart.resetZoom("none");
      figure.draw();
    },
    "log-x": (button) => toggleLog(figure, "x", button),
    "log-y": (button) => toggleLog(figure, "y", button),
    csv: () => exportCsv(figure),
    json: () => exportJson(figure),
    png: () => exportPng(figure),
  };
  for (const button of /** @type {NodeListOf<HTMLButtonElement>} */ (figure.element.querySelectorAll("[data-tool]"))) {
    const tool = button.dataset.tool ?? "";
    if (tool.startsWith("log-")) offerLog(figure, tool === "log-x" ? "x" : "y", button);
    button.addEventListener("click", () => tools[tool]?.(button));
  }
  const fold = figure.element.querySelector("details");
  fold?.addEventListener("toggle", () => fillTable(figure));
}

/** Fills the table when it is open; long ones say that the rest is in the CSV. @param {Figure} figure */
export function fillTable(figure) {
  const fold = figure.element.querySelector("details");
  const table = fold?.querySelector("table");
  if (!fold?.open || !table) return;
  const { head, rows, keys } = tableOf(figure);
  const headRow = document.createElement("tr");
  for (const text of head) headRow.append(Object.assign(document.createElement("th"), { textContent: text, scope: "col" }));
  table.tHead?.replaceChildren(headRow);
  const lines = rows.slice(0, TABLE_ROWS).map((row, place) => {
    const line = document.createElement("tr");
    if (keys[place]) line.dataset.key = keys[place];
    for (const value of row) {
      const isText = typeof value === "string";
      const cell = document.createElement("td");
      cell.textContent = isText ? value : number(value, 6);
      if (!isText) cell.className = "number";
      line.append(cell);
    }
    return line;
  });
  table.tBodies[0].replaceChildren(...lines);
  const caption = table.caption ?? table.createCaption();
  caption.textContent = figure.spec.part
    ? `${number(lines.length)} rows of the part that is drawn; the CSV has all.`
    : rows.length > TABLE_ROWS ? `The first ${TABLE_ROWS} of ${number(rows.length)} rows; the CSV has all.` : `${number(rows.length)} rows`;
}

/** Outlines of the marker shapes in a box of 14 by 14. */
const OUTLINES = {
  circle: "M2.5 7a4.5 4.5 0 1 0 9 0a4.5 4.5 0 1 0-9 0z",
  triangle: "M7 2 12 11.5H2z",
  rect: "M3 3h8v8H3z",
  rectRot: "M7 1.5 12.5 7 7 12.5 1.5 7z",
  star: "M7 1.5v11M2.2 4.2l9.6 5.6M11.8 4.2 2.2 9.8",
  crossRot: "M3 3l8 8M11 3l-8 8",
  cross: "M7 2v10M2 7h10",
  dash: "M2 7h10",
};

/** @param {import("./chart_options.js").Series} series @returns {SVGSVGElement} */
function swatch(series) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  const path = document.createElementNS("http://www.w3.org/2000/svg", "path");
  const dots = ["points", "errors"].includes(series.draw);
  const block = ["bars", "band"].includes(series.draw);
  svg.setAttribute("viewBox", dots ? "0 0 14 14" : "0 0 28 14");
  svg.setAttribute("height", "14");
  svg.setAttribute("aria-hidden", "true");
  path.setAttribute("d", dots ? OUTLINES[seriesStyle(series.slot).shape] : block ? "M0 2h28v10H0z" : "M0 7h28");
  const token = `var(--series-${series.slot})`;
  path.style.stroke = series.draw === "band" ? "none" : token;
  path.style.strokeWidth = "2";
  path.style.fill = series.predicted && dots ? "none" : token;
  if (series.draw === "band") path.style.fillOpacity = "0.3";
  if (series.predicted && !dots) path.style.strokeDasharray = "6 4";
  if (series.faint) path.style.opacity = "0.5";
  svg.append(path);
  return svg;
}

/** A legend of buttons: each shows or hides its series. @param {Figure} figure */
export function drawLegend(figure) {
  const list = figure.element.querySelector("[data-legend]");
  if (!list || figure.spec.series.length < 2) return;
  const items = figure.spec.series.map((series) => {
    const button = document.createElement("button");
    button.type = "button";
    button.setAttribute("aria-pressed", String(!figure.hidden.has(series.id)));
    button.append(swatch(series), series.label);
    button.addEventListener("click", () => {
      if (!figure.hidden.delete(series.id)) figure.hidden.add(series.id);
      button.setAttribute("aria-pressed", String(!figure.hidden.has(series.id)));
      figure.draw();
    });
    const item = document.createElement("li");
    item.append(button);
    return item;
  });
  list.replaceChildren(...items);
}
