/** A model: its learning curve, smoothed with the raw line kept faint; its network; what it takes an image for. */
import { figure } from "../charts.js";
import { duration, number, percent } from "../format.js";
import { drawNetwork } from "../network_drawing.js";
import { refreshParts } from "../refresh.js";
import { followPageRun } from "../run_panel.js";
import { smooth } from "../series.js";
import { blankText, pageState } from "../state.js";
import { wireTrying } from "../try_image.js";

const state = pageState();
/** @type {Map<number, any>} */
const epochs = new Map(state.epochs.map((epoch) => [epoch.number, epoch]));
const smoothing = /** @type {HTMLInputElement} */ (document.querySelector("#smoothing"));

/** @param {string} name @param {string} id @param {import("../chart_options.js").Axis} y @param {number} slot */
const curve = (name, id, y, slot) => figure(id, {
  name,
  x: { label: "Epoch", whole: true },
  y,
  series: [
    { id: "raw", label: "Each epoch", draw: "line", slot, faint: true, radius: 2 },
    { id: "smooth", label: "Smoothed", draw: "line", slot },
  ],
  blank: blankText(state, "The first epoch is being trained."),
});
const accuracy = curve("validation-accuracy", "accuracy", { label: "Validation accuracy", unit: "%", most: 100 }, 3);
const loss = curve("training-loss", "loss", { label: "Loss" }, 2);

/** @param {any} chart @param {import("../series.js").Point[]} points */
function show(chart, points) {
  chart?.set("raw", points);
  chart?.set("smooth", smooth(points, Number(smoothing.value)));
}

function draw() {
  const all = [...epochs.values()].sort((a, b) => a.number - b.number);
  const last = all.at(-1);
  if (!last) return;
  const note = (epoch) => `took ${duration(epoch.seconds)}`;
  const judged = all.filter((epoch) => typeof epoch.validation_accuracy === "number");
  show(accuracy, judged.map((epoch) => ({ x: epoch.number, y: 100 * epoch.validation_accuracy, note: note(epoch) })));
  show(loss, all.map((epoch) => ({ x: epoch.number, y: epoch.loss, note: note(epoch) })));
  const best = judged.reduce((a, b) => (a && a.validation_accuracy >= b.validation_accuracy ? a : b), null);
  if (best) accuracy?.finding(`Best validation accuracy ${percent(best.validation_accuracy, 2)}, in epoch ${best.number} of ${last.number}`);
  loss?.finding(`The loss is ${number(last.loss, 3)} after ${last.number} epochs`);
}

const frame = /** @type {HTMLElement | null} */ (document.querySelector("[data-drawing-frame]"));
if (frame && state.blocks?.length) drawNetwork(frame, state.blocks, () => {});
wireTrying();
document.addEventListener("partsrefreshed", wireTrying);
smoothing.addEventListener("input", () => {
  const shown = document.querySelector("[data-smoothing]");
  if (shown) shown.textContent = smoothing.value;
  draw();
});
draw();
accuracy?.draw();
loss?.draw();
followPageRun({
  epoch: (data) => {
    epochs.set(data.number, data);
    draw();
  },
  verified: () => refreshParts(),
});
