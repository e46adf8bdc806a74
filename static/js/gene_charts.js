/** What a finished predictor has learned about single hyperparameters: their relevance, and the effect of one. */
import { figure } from "./charts.js";
import { percent } from "./format.js";

/** @typedef {{name: string, label: string, relevance: number, choices: number[], mean: number[], low: number[], high: number[]}} Gene */

/** @param {Gene[]} genes the most relevant first */
export function geneCharts(genes) {
  const select = /** @type {HTMLSelectElement | null} */ (document.querySelector("[data-gene]"));
  if (!genes.length || !select) return;
  const relevance = figure("relevance", {
    name: "relevance",
    x: { label: "Hyperparameter", type: "category", categories: genes.map((gene) => gene.name) },
    y: { label: "Share of the variation", unit: "%" },
    series: [{ id: "share", label: "Share of the predicted accuracy's variation", draw: "bars", slot: 4 }],
  });
  relevance?.set("share", genes.map((gene) => ({ x: gene.name, y: 100 * gene.relevance, key: gene.name, note: gene.label })));
  relevance?.finding(`“${genes[0].label}” accounts for ${percent(genes[0].relevance, 0)} of the predicted variation`);
  relevance?.draw();

  const dependence = figure("dependence", {
    name: "partial-dependence",
    x: { label: "Value" },
    y: { label: "Predicted accuracy", unit: "%", most: 100 },
    series: [
      { id: "range", label: "10th to 90th percentile", draw: "band", slot: 1 },
      { id: "mean", label: "Mean", draw: "line", slot: 1, predicted: true, radius: 3 },
    ],
  });
  function show() {
    const gene = genes.find((one) => one.name === select?.value) ?? genes[0];
    dependence?.set("range", gene.choices.map((x, at) => ({ x, y: null, low: 100 * gene.low[at], high: 100 * gene.high[at] })));
    dependence?.set("mean", gene.choices.map((x, at) => ({ x, y: 100 * gene.mean[at] })));
    const best = gene.mean.indexOf(Math.max(...gene.mean));
    dependence?.finding(`“${gene.label}” is best at ${gene.choices[best]} on average: ${percent(gene.mean[best], 2)}, ${percent(Math.min(...gene.mean), 2)} at worst`);
    dependence?.draw();
  }
  select.addEventListener("change", show);
  show();
}
