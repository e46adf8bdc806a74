/** A search: the population moving in the accuracy-latency plane, and how the generations improve. */
import { figure, painted } from "../charts.js";
import { number, percent, quantity } from "../format.js";
import { frontSlider } from "../front_slider.js";
import { followPartLinks, loadPart } from "../part.js";
import { picksOf, wirePicks } from "../picks.js";
import { Replay } from "../replay.js";
import { followPageRun } from "../run_panel.js";
import { blankText, endedEarly, pageState } from "../state.js";
import { announce } from "../toast.js";

const state = pageState();
const FRAME_MS = 350;
/** What generations are judged by; candidates and populations are drawn at the middle of what is predicted for them. */
const judged = state.cautious ? "Lower end of the 90 % interval" : "Predicted accuracy";
/** As the table's rows are keyed: the place of the search, of which this page has one, and the rank. */
const candidates = state.candidates.map(([id, rank, latency_ms, accuracy, low, high]) => ({ id, rank, latency_ms, accuracy, low, high, key: `0.${rank}` }));
/** @type {Map<number, any>} */
const summaries = new Map(state.generations.map((generation) => [generation.number, generation]));
const kept = new Replay(state.population.points, state.population.counts, state.replayed);
let shown = Math.max(0, ...summaries.keys());
let playing = 0;

const population = figure("population", {
  name: "population",
  moves: true,
  x: { label: "Predicted latency", unit: "ms" },
  y: { label: "Predicted accuracy", unit: "%", most: 100 },
  series: [
    { id: "cloud", label: "Population", draw: "points", slot: 1, radius: 3, predicted: true },
    { id: "candidates", label: "Candidates, 95 % interval", draw: "errors", slot: 5, predicted: true },
    { id: "front", label: "Front", draw: "line", slot: 4, predicted: true },
    { id: "picked", label: "Chosen below", draw: "points", slot: 2, radius: 7, predicted: true },
    ...(state.published ? [{ id: "published", label: state.published.name, draw: /** @type {const} */ ("points"), slot: 7 }] : []),
  ],
  limits: [{ id: "limit", axis: "x", value: state.limit_ms, label: `limit ${quantity(state.limit_ms, "ms", 3)}` }],
  whole: "The table and the CSV have all candidates.",
  blank: blankText(state, "The first generation is being scored."),
  onPick: (key) => {
    const candidate = candidates.find((item) => item.key === key);
    if (candidate) location.assign(`/candidates/${candidate.id}/`);
  },
});

function drawPopulation() {
  const { points, count } = kept.at(shown);
  population?.set("cloud", points.map(([x, y]) => ({ x, y: 100 * y })), count);
  population?.set("candidates", candidates.map((item) => ({
    x: item.latency_ms, y: 100 * item.accuracy, low: 100 * item.low, high: 100 * item.high, key: item.key, note: `candidate ${item.rank}`,
  })), state.candidate_count);
  const front = (state.front?.points ?? []).filter((item) => item.on_slider ?? true);
  population?.set("front", front.map((item) => ({ x: item.latency_ms, y: 100 * item.accuracy })));
  if (candidates.length) {
    const best = candidates[0];
    population?.finding(`Best candidate: ${percent(best.accuracy, 2)} at ${quantity(best.latency_ms, "ms", 3)}, both predicted`);
  } else if (points.length) {
    const inside = points.filter(([latency]) => latency <= state.limit_ms).length;
    population?.finding(`Generation ${shown}: ${percent(inside / points.length, 0)} of the population is within the limit`);
  }
}

drawPopulation();
if (state.published) {
  population?.set("published", state.published.points.map(([label, accuracy, x]) => ({ x, y: 100 * accuracy, note: label })));
}
population?.draw();
await painted();

const progress = figure("generations", {
  name: "generations",
  x: { label: "Generation", whole: true },
  y: { label: judged, unit: "%", most: 100 },
  series: [
    { id: "spread", label: "Mean ± 1 deviation", draw: "band", slot: 1 },
    { id: "mean", label: "Mean", draw: "line", slot: 1, predicted: true },
    { id: "best", label: "Best within the limit", draw: "line", slot: 4, predicted: true, radius: 2 },
  ],
  blank: blankText(state, "No generation is scored yet."),
});

const diversity = figure("diversity", {
  name: "diversity",
  x: { label: "Generation", whole: true },
  y: { label: "Distinct genes, 1 is most", min: 0 },
  series: [{ id: "diversity", label: "Diversity", draw: "line", slot: 3 }],
  blank: blankText(state, "No generation is scored yet."),
});

/** @param {any[]} all summaries in order */
function drawDiversity(all) {
  const points = all.filter((item) => typeof item.diversity === "number").map((item) => ({ x: item.number, y: item.diversity }));
  diversity?.set("diversity", points);
  if (points.length < 2) return;
  const [first, last] = [points[0].y, points[points.length - 1].y];
  const way = last < 0.9 * first ? "fell" : last > 1.1 * first ? "rose" : "hardly changed:";
  diversity?.finding(`Diversity ${way} from ${number(first, 2)} to ${number(last, 2)}`);
}

function drawGenerations() {
  const all = [...summaries.values()].sort((a, b) => a.number - b.number);
  const last = all.at(-1);
  if (!last) return;
  const line = (name) => all.filter((item) => typeof item[name] === "number").map((item) => ({ x: item.number, y: 100 * item[name] }));
  drawDiversity(all);
  progress?.set("best", line("best"));
  progress?.set("mean", line("mean"));
  const spread = all.filter((item) => typeof item.mean === "number" && typeof item.std === "number");
  progress?.set("spread", spread.map((item) => ({ x: item.number, y: null, low: 100 * (item.mean - item.std), high: 100 * (item.mean + item.std) })));
  const first = all.find((item) => typeof item.best === "number");
  if (first && typeof last.best === "number") {
    const best = state.cautious ? "The best lower end of a 90 % interval" : "The best";
    progress?.finding(`${best} within the limit rose from ${percent(first.best, 2)} to ${percent(last.best, 2)} in ${last.number} generations`);
  } else {
    progress?.finding(`No network within the limit was found in ${last.number} generations`);
  }
  const facts = { best: percent(last.best, 2), feasible: percent(last.feasible_share, 0), diversity: number(last.diversity, 2) };
  for (const [name, text] of Object.entries(facts)) {
    const place = document.querySelector(`[data-${name}]`);
    if (place) place.textContent = text;
  }
}

const replay = /** @type {HTMLElement | null} */ (document.querySelector("[data-replay]"));
const slider = /** @type {HTMLInputElement | null} */ (replay?.querySelector("input") ?? null);

function drawSlider() {
  const { numbers } = kept;
  if (!replay || !slider || numbers.length < 2) return;
  replay.hidden = false;
  slider.min = "0";
  slider.max = String(numbers.length - 1);
  slider.value = String(numbers.indexOf(shown));
  slider.setAttribute("aria-valuetext", `generation ${shown}`);
  const output = replay.querySelector("output");
  if (output) output.textContent = String(shown);
}

/** @param {number} place index into the generations that can be shown */
function showGeneration(place) {
  shown = kept.numbers[place];
  drawPopulation();
  drawSlider();
}

function playOn() {
  if (!slider || Number(slider.value) >= Number(slider.max)) return;
  showGeneration(Number(slider.value) + 1);
  playing = window.setTimeout(playOn, FRAME_MS);
}

slider?.addEventListener("input", () => {
  clearTimeout(playing);
  showGeneration(Number(slider.value));
});
replay?.querySelector("[data-play]")?.addEventListener("click", () => {
  clearTimeout(playing);
  showGeneration(0);
  playing = window.setTimeout(playOn, FRAME_MS);
});

drawGenerations();
drawSlider();
if (!summaries.size && endedEarly(state)) for (const chart of [population, progress, diversity]) chart?.finding("No generation was scored");
function drawEnergy() {
  const points = (state.front?.points ?? []).filter((point) => typeof point.energy_mj === "number");
  if (!points.length) return;
  const chart = figure("energy", {
    name: "energy-front",
    x: { label: "Predicted energy", unit: "mJ" },
    y: { label: "Predicted accuracy", unit: "%", most: 100 },
    series: [{ id: "front", label: "No other network is faster, thriftier and more accurate", draw: "points", slot: 4, predicted: true }],
    limits: state.energy_limit_mj ? [{ id: "limit", axis: "x", value: state.energy_limit_mj, label: `limit ${quantity(state.energy_limit_mj, "mJ", 3)}` }] : [],
  });
  chart?.set("front", points.map((point) => ({ x: point.energy_mj, y: 100 * point.accuracy, note: quantity(point.latency_ms, "ms", 3) })));
  const best = points.reduce((a, b) => (a.accuracy >= b.accuracy ? a : b));
  chart?.finding(`The most accurate network, ${percent(best.accuracy, 2)}, takes ${quantity(best.energy_mj, "mJ", 3)} an image`);
  chart?.draw();
}

drawEnergy();
if (state.front) {
  frontSlider(state.front, (point) => {
    population?.set("picked", [{ x: point.latency_ms, y: 100 * point.accuracy, note: "chosen below" }]);
    population?.draw();
  });
}
progress?.draw();
diversity?.draw();
const picks = /** @type {HTMLFormElement | null} */ (document.getElementById("picks"));
if (picks) {
  wirePicks(picks);
  followPartLinks((asked) => {
    asked.delete("candidate");
    for (const id of picksOf(picks)) asked.append("candidate", id);
    void loadPart(`${location.pathname}rows/?${asked}`);
    asked.delete("candidate");
    history.replaceState(null, "", `?${asked}`);
  });
}
/** The generations before the newest: a page shows without them, and they are most of what it knows. */
async function loadEarlier() {
  try {
    const answer = await fetch(state.replayed.address);
    if (!answer.ok || answer.redirected) return;
    const { points, counts } = await answer.json();
    kept.addEarlier(points, counts, shown);
    drawSlider();
  } catch {
    // Offline, or the page is being left: what came with the page stays.
  }
}

if (summaries.size > 1) window.setTimeout(() => void loadEarlier());
followPageRun({
  generation: (data) => {
    const following = shown === kept.newest;
    summaries.set(data.number, { number: data.number, ...data.summary });
    kept.add(data.number, data.points, following ? data.number : shown);
    if (following) shown = data.number;
    drawPopulation();
    drawGenerations();
    drawSlider();
    if (data.number % 25 === 0) announce(`Generation ${data.number}: best ${state.cautious ? "lower end of a 90 % interval" : "predicted accuracy"} ${percent(data.summary.best, 1)}.`);
  },
});
