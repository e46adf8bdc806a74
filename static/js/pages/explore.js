/** The explorer: candidates in a scatter, in parallel coordinates, in a table and as a drawing, all linked. */
import { figure, painted } from "../charts.js";
import { Candidates, countText, thinRows } from "../columns.js";
import { number, percent, quantity } from "../format.js";
import { highlight, onHighlight } from "../highlight.js";
import { drawNetwork } from "../network_drawing.js";
import { ParallelCoordinates } from "../parallel_coordinates.js";
import { followPartLinks, loadPart } from "../part.js";
import { picksOf, wirePicks } from "../picks.js";
import { pageState } from "../state.js";

const SLOTS = [1, 3, 5, 6, 7, 4];
const POINTS = 3000; // in the scatter, of those inside the ranges
const FAINT = 800;
const LINES = 1200; // in the parallel coordinates
const FAINT_LINES = 300;
const ROWS_EVERY_MS = 150; // while ranges move
const GLANCE_AFTER_MS = 80;

const state = pageState();
const form = /** @type {HTMLFormElement} */ (document.getElementById("explore"));
const axesInAddress = new URLSearchParams(location.search).has("axis");
/** @type {Candidates | null} */
let candidates = null;
/** @type {Uint8Array} */
let inside = new Uint8Array();
let sort = new URLSearchParams(location.search).get("sort") ?? "";
let page = new URLSearchParams(location.search).get("page") ?? "";
/** @type {string | null} */
let chosen = null;

const limits = new Map(state.searches.map((search) => [search.limit_ms, `limit ${quantity(search.limit_ms, "ms", 3)}`]));
const scatter = figure("scatter", {
  name: "candidates",
  x: { label: "Predicted latency", unit: "ms" },
  y: { label: "Predicted accuracy", unit: "%", most: 100 },
  series: [
    { id: "outside", label: "Outside the ranges", draw: "points", slot: 8, radius: 2, faint: true },
    ...state.searches.flatMap((search, place) => [
      { id: `inside${place}`, label: search.name, draw: /** @type {const} */ ("points"), slot: SLOTS[place], radius: 3, predicted: true },
      { id: `front${place}`, label: state.searches.length > 1 ? `Front of ${search.name}` : "Front", draw: /** @type {const} */ ("line"), slot: SLOTS[place], predicted: true },
    ]),
    { id: "marked", label: "Pointed at or chosen", draw: "points", slot: 2, radius: 8 },
  ],
  limits: [...limits].map(([value, label], place) => ({ id: `limit${place}`, axis: /** @type {const} */ ("x"), value, label })),
  whole: "The CSV of the candidates has all.",
  onPick: (key) => choose(key),
});

/** @type {Map<string, string>} */
const glances = new Map();
let glanceTimer = 0;
/** @type {AbortController | null} */
let asking = null;

drawFirst();
await painted();

/** @param {string} key "search.rank" @returns {number} row, -1 if the columns do not have it */
function rowOf(key) {
  const [search, rank] = key.split(".").map(Number);
  return candidates?.rowOf(search, rank) ?? -1;
}

/** @param {number} row */
const keyOf = (row) => (candidates ? `${candidates.search[row]}.${candidates.rank[row]}` : "");

/** @param {number} row */
function pointOf(row) {
  const table = /** @type {Candidates} */ (candidates);
  return { x: table.value("latency_ms", row), y: table.value("accuracy", row), key: keyOf(row), note: `candidate ${table.rank[row]} of ${state.searches[table.search[row]].name}` };
}

/** @param {number} row */
const isOnFront = (row) => ((candidates?.marks[row] ?? 0) & state.on_front) > 0;

/** From and to by axis, as they stand in the fields. @returns {import("../columns.js").Ranges} */
function ranges() {
  /** @type {import("../columns.js").Ranges} */
  const found = new Map();
  for (const { name } of state.axes) {
    const [from, to] = ["from", "to"].map((end) => field(end, name)?.value ?? "");
    if (from !== "" || to !== "") found.set(name, [from === "" ? -Infinity : Number(from), to === "" ? Infinity : Number(to)]);
  }
  return found;
}

/** @param {string} end @param {string} axis */
const field = (end, axis) => /** @type {HTMLInputElement | null} */ (form.elements.namedItem(`${end}.${axis}`));

/** The address of what is shown now, and of nothing else. */
function query() {
  const asked = new URLSearchParams();
  for (const [name, value] of new FormData(form)) {
    const skipped = value === "" || name === "sort" || name === "candidate" || (name === "axis" && !axesInAddress);
    if (!skipped) asked.append(name, String(value));
  }
  for (const id of picksOf(form)) asked.append("candidate", id);
  if (sort) asked.set("sort", sort);
  if (page && page !== "1") asked.set("page", page);
  return asked;
}

const remember = () => history.replaceState(null, "", `?${query()}`);

let [rowsTimer, rowsAskedAt] = [0, -ROWS_EVERY_MS];
/** The table anew: now, unless it was asked for a moment ago. */
function loadRows() {
  clearTimeout(rowsTimer);
  const wait = rowsAskedAt + ROWS_EVERY_MS - performance.now();
  if (wait > 0) {
    rowsTimer = window.setTimeout(loadRows, wait);
    return;
  }
  rowsAskedAt = performance.now();
  void loadPart(`${state.rows}?${query()}`);
}

/** The front in this plane: faster first, each more accurate than all before. @param {{x: number, y: number}[]} points */
function frontOf(points) {
  let best = -Infinity;
  return [...points].sort((a, b) => a.x - b.x || b.y - a.y).filter(({ y }) => {
    const leads = y > best;
    if (leads) best = y;
    return leads;
  });
}

/** The candidates in the page itself, while the columns are on their way. */
function drawFirst() {
  state.searches.forEach((search, place) => {
    const mine = state.drawn.filter(([of]) => of === place);
    const points = mine.map(([of, rank, x, y]) => ({ x, y: 100 * y, key: `${of}.${rank}`, note: `candidate ${rank} of ${search.name}` }));
    scatter?.set(`inside${place}`, points, place === 0 ? state.count - state.drawn.length + points.length : points.length);
    scatter?.set(`front${place}`, frontOf(points.filter((_, at) => mine[at][4] & state.on_front)));
  });
  tellBest(state.drawn.map(([, , x, y]) => [x, 100 * y]));
  scatter?.draw();
}

/** @param {number[][]} points latency and accuracy in percent */
function tellBest(points) {
  const best = points.reduce((a, b) => (b[1] > a[1] ? b : a), [NaN, -Infinity]);
  scatter?.finding(points.length ? `The most accurate shown: ${percent(best[1] / 100, 2)} at ${quantity(best[0], "ms", 3)}, both predicted` : "No candidate is inside every range");
}

function drawScatter() {
  const table = /** @type {Candidates} */ (candidates);
  const drawn = thinRows(inside, 1, POINTS, isOnFront);
  const faint = thinRows(inside, 0, FAINT);
  scatter?.set("outside", faint.rows.map(pointOf), faint.total + table.every - table.count);
  state.searches.forEach((_, place) => {
    const mine = drawn.rows.filter((row) => table.search[row] === place);
    const total = place === 0 ? drawn.total - drawn.rows.length + mine.length : mine.length;
    scatter?.set(`inside${place}`, mine.map(pointOf), total);
    scatter?.set(`front${place}`, frontOf(mine.filter(isOnFront).map(pointOf)));
  });
  let best = -1;
  const column = table.columns.get("accuracy")?.data ?? [];
  for (let row = 0; row < table.count; row += 1) if (inside[row] && (best < 0 || column[row] > column[best])) best = row;
  tellBest(best < 0 ? [] : [[table.value("latency_ms", best), table.value("accuracy", best)]]);
}

const place = /** @type {HTMLElement} */ (document.querySelector(".parallel"));
const parallel = new ParallelCoordinates(place, {
  axes: state.axes,
  slotOf: (row) => SLOTS[candidates?.search[row] ?? 0],
  ranges,
  onBrush: (axis, range) => {
    for (const [end, at] of /** @type {const} */ ([["from", 0], ["to", 1]])) {
      const input = field(end, axis);
      if (input) input.value = range ? String(range[at]) : "";
    }
    updateSoon();
  },
  onHover: (row) => highlight(row === null ? null : keyOf(row), place),
  onPick: (row) => choose(keyOf(row)),
});

function drawParallel() {
  if (!candidates) return;
  const lines = thinRows(inside, 1, LINES, isOnFront);
  const faint = thinRows(inside, 0, FAINT_LINES);
  parallel.draw(candidates, { inside: lines.rows, outside: faint.rows });
  const notice = /** @type {HTMLElement} */ (document.querySelector("[data-parallel-notice]"));
  const drawn = lines.rows.length + faint.rows.length;
  notice.hidden = drawn >= candidates.every;
  const front = candidates.count < candidates.every ? "" : ", all of the front among them";
  notice.textContent = `Thinned: ${number(drawn)} of ${number(candidates.every)} lines are drawn${front}. The table and the CSV have all.`;
}

/** Everything that follows from the ranges, at once; the table comes from the server. */
function update() {
  if (!candidates) return;
  const feasible = /** @type {HTMLInputElement} */ (form.elements.namedItem("feasible"));
  inside = candidates.within(ranges(), feasible.checked ? state.keeps : 0);
  tellCount();
  drawScatter();
  drawParallel();
}

let frame = 0;
function updateSoon() {
  page = "";
  cancelAnimationFrame(frame);
  frame = requestAnimationFrame(() => {
    remember();
    loadRows(); // on its way while the charts are drawn
    update();
  });
}

function tellCount() {
  const target = document.querySelector("[data-count]");
  if (target && candidates) target.textContent = countText(inside.reduce((sum, one) => sum + one, 0), candidates);
}

/** @param {string} key @returns {Promise<string | null>} HTML of a candidate at a glance; null where another was asked for meanwhile */
async function glance(key) {
  const known = glances.get(key);
  if (known) return known;
  const [search, rank] = key.split(".").map(Number);
  asking?.abort();
  asking = new AbortController();
  try {
    const response = await fetch(state.searches[search].glance.replace("/0/", `/${rank}/`), { signal: asking.signal });
    if (!response.ok) return null;
    const text = await response.text();
    glances.set(key, text);
    return text;
  } catch {
    return null;
  }
}

/** @param {string | null} html */
function showGlance(html) {
  if (html === null) return;
  const fresh = new DOMParser().parseFromString(html, "text/html").querySelector("[data-glance]");
  const old = document.querySelector("[data-glance]");
  if (!fresh || !old) return;
  const open = old.querySelector("details")?.open ?? false;
  fresh.querySelector("details")?.toggleAttribute("open", open);
  old.replaceWith(fresh);
  drawGlance();
}

function drawGlance() {
  const holder = /** @type {HTMLElement | null} */ (document.querySelector("[data-glance] [data-blocks]"));
  const target = /** @type {HTMLElement | null} */ (holder?.querySelector("[data-drawing-frame]") ?? null);
  if (target) drawNetwork(target, JSON.parse(holder?.dataset.blocks ?? "[]"), () => {});
}

/** @param {string | null} key */
function point(key) {
  const shown = key ?? chosen;
  const row = shown === null ? -1 : rowOf(shown);
  parallel.mark(row < 0 ? [] : [row]);
  scatter?.set("marked", row < 0 ? [] : [pointOf(row)]);
  clearTimeout(glanceTimer);
  if (shown !== null) {
    glanceTimer = window.setTimeout(async () => showGlance(await glance(shown)), GLANCE_AFTER_MS);
  }
}

/** Keeps a candidate in view, and in the address. @param {string} key */
async function choose(key) {
  const html = await glance(key);
  if (html === null) return;
  chosen = key;
  showGlance(html);
  const id = /** @type {HTMLElement | null} */ (document.querySelector("[data-glance]"))?.dataset.candidate ?? "";
  /** @type {HTMLInputElement} */ (form.elements.namedItem("chosen")).value = id;
  point(null);
  remember();
}

function clearRanges() {
  for (const { name } of state.axes) for (const end of ["from", "to"]) {
    const input = field(end, name);
    if (input) input.value = "";
  }
  updateSoon();
}

/** The ends of an axis stand in its empty fields. */
function hintRanges() {
  for (const { name } of state.axes) {
    const column = candidates?.columns.get(name);
    const ends = column?.choices ? [column.choices[0], column.choices.at(-1)] : [column?.low, column?.high];
    ["from", "to"].forEach((end, at) => {
      const input = field(end, name);
      if (input) input.placeholder = String(Number(Number(ends[at]).toPrecision(4)));
    });
  }
}

function listen() {
  document.addEventListener("input", (event) => {
    const input = /** @type {HTMLInputElement} */ (event.target);
    if (input.form === form && (input.type === "number" || input.name === "feasible")) updateSoon();
  });
  document.addEventListener("change", (event) => {
    const input = /** @type {HTMLInputElement} */ (event.target);
    if (!input.hasAttribute("data-reloads")) return;
    const asked = query();
    asked.delete("axis");
    if (axesInAddress || input.name === "axis") for (const name of new FormData(form).getAll("axis")) asked.append("axis", String(name));
    location.assign(`?${asked}`);
  });
  document.querySelector("[data-clear]")?.addEventListener("click", (event) => {
    event.preventDefault();
    clearRanges();
  });
  followPartLinks((asked) => {
    [sort, page] = [asked.get("sort") ?? "", asked.get("page") ?? ""];
    remember();
    void loadPart(`${state.rows}?${query()}`);
  });
  wirePicks(form, remember);
  form.addEventListener("submit", (event) => {
    if (event.defaultPrevented) return;
    event.preventDefault();
    location.assign(`?${query()}`);
  });
  onHighlight((key) => point(key));
}

async function loadColumns() {
  const response = await fetch(state.columns);
  if (!response.ok) return; // What the page itself holds stays drawn.
  candidates = new Candidates(await response.arrayBuffer());
  const shown = /** @type {HTMLElement | null} */ (document.querySelector("[data-glance]"));
  const search = state.searches.findIndex(({ id }) => id === shown?.dataset.search);
  if (shown && search >= 0) chosen = `${search}.${shown.dataset.rank}`;
  hintRanges();
  update();
  const row = chosen === null ? -1 : rowOf(chosen);
  if (row >= 0) scatter?.set("marked", [pointOf(row)]);
  if (row >= 0) parallel.mark([row]);
  document.documentElement.dataset.explorer = "ready";
}

drawGlance();
listen();
requestAnimationFrame(() => setTimeout(loadColumns));
