/** The learning curves of a predictor's samples: how the loss fell, and whether it still falls at the end. */
import { figure } from "./charts.js";
import { percent } from "./format.js";
import { median } from "./series.js";

/**
 * Draws on the figure "curves", where the page has it.
 * @param {{index: number, losses: number[]}[]} known what the page came with
 * @param {string} blank what stands in the frame while no epoch is trained
 */
export function sampleCurves(known, blank) {
  /** @type {Map<number, number[]>} */
  const losses = new Map(known.map((one) => [one.index, one.losses]));
  const chart = figure("curves", {
    name: "learning-curves",
    x: { label: "Epoch", whole: true },
    y: { label: "Training loss" },
    series: [
      { id: "others", label: "Each sample", draw: "lines", slot: 8, faint: true },
      { id: "best", label: "The most accurate", draw: "lines", slot: 3, radius: 2 },
      { id: "training", label: "Training now", draw: "lines", slot: 1, radius: 2 },
    ],
    blank,
  });

  /** @param {number} index */
  const curve = (index) => (losses.get(index) ?? []).flatMap((y, place) => [{ x: place + 1, y, key: String(index), note: `sample ${index + 1}` }]);

  /** @param {any[]} samples all of the page, with index, status and accuracy */
  function draw(samples) {
    if (!chart) return;
    if (losses.size === 0) return chart.draw();
    const shown = samples.filter((sample) => losses.has(sample.index));
    const done = shown.filter((sample) => typeof sample.accuracy === "number");
    const best = done.reduce((a, b) => (a && a.accuracy >= b.accuracy ? a : b), null);
    const training = shown.filter((sample) => sample.status === "training");
    const others = shown.filter((sample) => sample !== best && sample.status !== "training");
    for (const [id, group] of Object.entries({ others, training, best: best ? [best] : [] })) {
      chart.set(id, group.flatMap((sample) => curve(sample.index)));
    }
    const falls = done.map((sample) => losses.get(sample.index) ?? []).filter((line) => line.length > 1).map((line) => 1 - line[line.length - 1] / line[line.length - 2]);
    if (falls.length) chart.finding(`In its last epoch the loss of the typical sample ${median(falls) > 0 ? "still fell" : "rose"} by ${percent(Math.abs(median(falls)))}`);
  }

  return {
    draw,
    /** @param {{index: number, epoch: number, loss?: number | null}} data an epoch that just ended */
    add({ index, epoch, loss }) {
      if (typeof loss !== "number") return;
      const line = (losses.get(index) ?? []).slice(0, epoch - 1);
      line[epoch - 1] = loss; // epochs that nobody told of stay holes
      losses.set(index, line);
    },
  };
}
