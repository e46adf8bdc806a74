/** A predictor being built: every sample as a point, what is training, how good it has become. */
import { figure } from "../charts.js";
import { number, percent } from "../format.js";
import { geneCharts } from "../gene_charts.js";
import { refreshParts } from "../refresh.js";
import { followPageRun } from "../run_panel.js";
import { sampleCurves } from "../sample_curves.js";
import { bestSoFar, changesOnly } from "../series.js";
import { blankText, endedEarly, pageState } from "../state.js";
import { announce } from "../toast.js";

const state = pageState();
/** @type {Map<number, any>} */
const samples = new Map(state.samples.map((sample) => [sample.index, sample]));
/** @type {Map<number, any>} */
const quality = new Map(state.quality.map((point) => [point.samples, point]));
/** @type {Map<number, {epoch: number, epochs: number}>} */
const epochs = new Map();
let best = 0;

const CHOSEN = [
  { id: "sobol", label: "Even spread, measured", slot: 3 },
  { id: "exploration", label: "Exploration, measured", slot: 1 },
  { id: "exploitation", label: "Exploitation, measured", slot: 2 },
  { id: "given", label: "Given, measured", slot: 3 },
];

const HONEST = "the distance from the straight line is what the chart shows, and it begins at 0";

/** What a chart says when the page was given a part of the data. @param {string} what @param {number} given @param {number} all @param {string} table */
const part = (what, given, all, table) => (given < all ? { what, given, all, csv: `?table=${table}&format=csv` } : undefined);
const qualityPart = part("measurements", state.quality.length, state.quality_count, "course");

const sampleChart = figure("samples", {
  name: "samples",
  x: { label: "Sample", whole: true, min: 0, max: state.budget + 1 },
  y: { label: "Validation accuracy", unit: "%", most: 100 },
  series: [
    { id: "predicted", label: "Predicted before training, ± 1 deviation", draw: "errors", slot: 4, predicted: true, radius: 5 },
    ...CHOSEN.filter(({ id }) => (id === "given") === state.given).map(({ id, label, slot }) => ({ id, label, slot, draw: /** @type {const} */ ("points"), radius: 5 })),
    { id: "failed", label: "Failed", draw: "points", slot: 6, radius: 6 },
    { id: "best", label: "Best so far", draw: "steps", slot: 8 },
  ],
  blank: blankText(state, "The first samples are being trained."),
  part: part("samples", state.samples.length, state.sample_count, "samples"),
});

const errorChart = figure("error", {
  name: "held-out-error",
  x: { label: "Samples", whole: true },
  y: { label: "Mean absolute error", unit: "points" },
  series: [{ id: "mae", label: "Held-out error", draw: "line", slot: 1, radius: 3 }],
  blank: blankText(state, "Cross-validation starts when there are enough samples."),
  part: qualityPart,
});

const rankChart = figure("rank", {
  name: "rank-correlation",
  x: { label: "Samples", whole: true },
  y: { label: "Rank correlation" },
  series: [
    { id: "spearman", label: "Spearman", draw: "line", slot: 1, radius: 3 },
    { id: "kendall", label: "Kendall's tau", draw: "line", slot: 2, radius: 3 },
  ],
  blank: blankText(state, "Cross-validation starts when there are enough samples."),
  part: qualityPart,
});

const scatterChart = figure("scatter", {
  name: "predicted-against-measured",
  x: { label: "Measured", unit: "%", most: 100 },
  y: { label: "Predicted", unit: "%", most: 100 },
  series: [
    { id: "ideal", label: "Equal", draw: "line", slot: 8, faint: true },
    { id: "points", label: "Held-out prediction, ± 1 deviation", draw: "errors", slot: 4, predicted: true },
  ],
  blank: blankText(state, "Shown when the predictor is fitted to its last sample."),
  part: part("held-out predictions", state.scatter.length, state.scatter_count, "held-out"),
});

const curves = sampleCurves(state.curves, blankText(state, "The first epoch is being trained."));

/** Samples are numbered from 0 in the data and from 1 for people. @param {{index: number}} sample */
const shownNumber = (sample) => sample.index + 1;

/** @param {any} sample @param {number} y accuracy, 0..1 */
const point = (sample, y) => ({ x: shownNumber(sample), y: 100 * y, key: String(sample.index), note: sample.reason });

function drawSamples() {
  if (!sampleChart) return;
  const all = [...samples.values()].sort((a, b) => a.index - b.index);
  const done = all.filter((sample) => typeof sample.accuracy === "number");
  for (const { id } of CHOSEN) if (sampleChart.data.has(id)) sampleChart.set(id, done.filter((s) => s.chosen_for === id).map((s) => point(s, s.accuracy)));
  const guessed = all.filter((sample) => typeof sample.predicted === "number");
  sampleChart.set("predicted", guessed.map((s) => ({
    ...point(s, s.predicted), low: 100 * (s.predicted - s.deviation), high: 100 * (s.predicted + s.deviation),
  })));
  const lowest = Math.min(...done.map((s) => s.accuracy), ...guessed.map((s) => s.predicted - s.deviation));
  const floor = Number.isFinite(lowest) ? lowest : 0;
  sampleChart.set("failed", all.filter((s) => s.status === "failed").map((s) => ({ ...point(s, floor), note: s.failure ?? "failed" })));
  sampleChart.set("best", changesOnly(bestSoFar(done.map((s) => point(s, s.accuracy)))));
  const top = done.reduce((a, b) => (a && a.accuracy >= b.accuracy ? a : b), null);
  if (!top) return;
  const failed = all.filter((s) => s.status === "failed").length + state.left_out.failed;
  const trained = done.length + state.left_out.trained;
  sampleChart.finding(
    `Best so far: ${percent(top.accuracy, 2)} (sample ${shownNumber(top)}); ${number(trained)} trained${failed ? `, ${number(failed)} failed` : ""}`,
  );
  const place = document.querySelector("[data-best]");
  if (place) place.textContent = percent(top.accuracy, 2);
  if (top.accuracy > best && best > 0) announce(`New best accuracy: ${percent(top.accuracy, 2)}.`);
  best = Math.max(best, top.accuracy);
}

function drawQuality() {
  const points = [...quality.values()].sort((a, b) => a.samples - b.samples);
  const last = points.at(-1);
  if (!last) return;
  errorChart?.set("mae", points.map((p) => ({ x: p.samples, y: 100 * p.mae })));
  errorChart?.finding(`With ${last.samples} samples it errs by ${number(100 * last.mae, 2)} points`);
  for (const id of ["spearman", "kendall"]) rankChart?.set(id, points.map((p) => ({ x: p.samples, y: p[id] })));
  rankChart?.finding(`Unseen networks are ranked with ${number(last.spearman, 2)}: 1 is perfect, 0 is chance`);
  const facts = { mae: percent(last.mae, 2), spearman: number(last.spearman, 2), kendall: number(last.kendall, 2) };
  for (const [name, text] of Object.entries(facts)) {
    const place = document.querySelector(`[data-${name}]`);
    if (place) place.textContent = text;
  }
}

function drawScatter(points) {
  if (!scatterChart || points.length === 0) return;
  const measured = points.map((p) => 100 * p.measured);
  const ends = [Math.min(...measured), Math.max(...measured)];
  scatterChart.set("ideal", ends.map((value) => ({ x: value, y: value })));
  scatterChart.set("points", points.map((p) => ({
    x: 100 * p.measured, y: 100 * p.predicted, low: 100 * (p.predicted - p.deviation), high: 100 * (p.predicted + p.deviation),
  })));
  scatterChart.finding(`${number(state.held)} of ${number(state.scatter_count)} held-out samples lie within their 95 % interval`);
}

function drawReliability(points) {
  const chart = figure("reliability", {
    name: "reliability",
    x: { label: "Probability of the interval", unit: "%", min: 0, max: 100, linear: HONEST },
    y: { label: "Held-out samples inside", unit: "%", min: 0, max: 100, linear: HONEST },
    series: [
      { id: "ideal", label: "Honest", draw: "line", slot: 8, faint: true },
      { id: "held", label: "Cross-validated", draw: "line", slot: 4, radius: 4 },
    ],
  });
  if (!chart || points.length === 0) return;
  chart.set("ideal", [{ x: 0, y: 0 }, { x: 100, y: 100 }]);
  chart.set("held", points.map(([level, share]) => ({ x: 100 * level, y: 100 * share })));
  const [level, share] = points.find(([at]) => at === 0.9) ?? points[points.length - 1];
  const word = Math.abs(share - level) <= 0.06 ? "about as often as they say" : share < level ? "less often than they say" : "more often than they say, they are cautious";
  chart.finding(`Intervals hold ${word}: those of ${percent(level, 0)} held ${percent(share, 0)}`);
  chart.draw();
}

/** What trains now, each with its epochs. */
function drawTraining() {
  const list = document.querySelector("[data-training]");
  if (!list) return;
  const items = [...samples.values()]
    .filter((sample) => sample.status === "training")
    .map((sample) => {
      const item = document.createElement("li");
      const at = epochs.get(sample.index);
      const bar = document.createElement("progress");
      bar.className = "bar is-slim";
      bar.setAttribute("aria-label", `Sample ${shownNumber(sample)}`);
      if (at) Object.assign(bar, { max: at.epochs, value: at.epoch });
      const words = at ? `epoch ${at.epoch} of ${at.epochs}` : "starting";
      const guess = typeof sample.predicted === "number" ? `, predicted ${percent(sample.predicted)}` : "";
      item.append(`Sample ${shownNumber(sample)}: ${words}${guess}`, bar);
      return item;
    });
  list.replaceChildren(...items);
}

function explainLast() {
  const last = [...samples.values()].reduce((a, b) => (a && a.index > b.index ? a : b), null);
  const reason = document.querySelector("[data-reason]");
  const chosen = document.querySelector("[data-chosen]");
  if (!last || !reason || !chosen) return;
  reason.textContent = last.reason;
  chosen.textContent = `sample ${shownNumber(last)}, chosen for ${last.chosen_for === "sobol" ? "an even spread" : last.chosen_for}`;
}

/** @param {any} data @param {string} status */
function change(data, status) {
  const sample = samples.get(data.index) ?? { index: data.index };
  samples.set(data.index, { ...sample, status, ...data });
  drawTraining();
  curves.draw([...samples.values()]);
}

function drawAll() {
  drawSamples();
  drawQuality();
  drawTraining();
  explainLast();
  curves.draw([...samples.values()]);
}

drawAll();
drawScatter(state.scatter ?? []);
drawReliability(state.reliability ?? []);
if (!samples.size && endedEarly(state)) {
  for (const chart of [sampleChart, errorChart, rankChart, scatterChart]) chart?.finding("No sample was trained");
}
for (const chart of [sampleChart, errorChart, rankChart, scatterChart]) chart?.draw();
geneCharts(state.genes ?? []);
followPageRun({
  "sample.proposed": (data) => {
    change(data, samples.get(data.index)?.status ?? "waiting");
    explainLast();
    drawSamples();
  },
  "sample.started": (data) => change(data, "training"),
  "sample.epoch": (data) => {
    epochs.set(data.index, data);
    curves.add(data);
    change({ index: data.index }, "training");
  },
  "sample.finished": (data) => {
    change(data, data.status);
    drawSamples();
    refreshParts();
  },
  quality: (data) => {
    quality.set(data.samples, data);
    drawQuality();
  },
});
