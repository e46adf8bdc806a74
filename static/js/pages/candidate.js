/** A candidate: where its latency goes, layer by layer, linked with the table of layers. */
import { figure } from "../charts.js";
import { percent } from "../format.js";
import { chooseLayer, linkLayers } from "../layer_links.js";
import { drawNetwork } from "../network_drawing.js";
import { pageState } from "../state.js";
import { followTrainingTime } from "../training_time.js";

const state = pageState();
const layers = (state?.layers ?? []).filter((layer) => layer.latency_us !== null);
const chart = figure("layers", {
  name: "latency-by-layer",
  x: { label: "Layer", type: "category", categories: layers.map((layer) => layer.name) },
  y: { label: "Predicted latency", unit: "µs" },
  series: [{ id: "latency", label: "Predicted latency", draw: "bars", slot: 4 }],
  onPick: chooseLayer,
  blank: "The latency table does not hold this network's operators.",
});

chart?.set("latency", layers.map((layer) => ({
  x: layer.name, y: layer.latency_us, key: layer.name, note: `${layer.kind}, ${percent(layer.share)} of the network`,
})));

/** @type {Map<string, number>} */
const byKind = new Map();
for (const layer of layers) byKind.set(layer.kind, (byKind.get(layer.kind) ?? 0) + layer.latency_us);
const total = [...byKind.values()].reduce((sum, value) => sum + value, 0);
const [kind, most] = [...byKind].sort((a, b) => b[1] - a[1])[0] ?? [];
if (kind) chart?.finding(`Operators of the kind “${kind}” take ${percent(most / total, 0)} of the time`);
chart?.draw();

const markBlock = linkLayers(layers, chart);
const training = /** @type {HTMLFormElement | null} */ (document.querySelector("form[data-training-form]"));
if (training) followTrainingTime(training);
const frame = /** @type {HTMLElement | null} */ (document.querySelector("[data-drawing-frame]"));
if (frame) drawNetwork(frame, state?.blocks ?? [], markBlock);
