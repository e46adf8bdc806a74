/** A data set: how its images are spread over classes, and how bright they are. */
import { figure } from "../charts.js";
import { compact, percent } from "../format.js";
import { followPageRun } from "../run_panel.js";
import { blankText, pageState } from "../state.js";

const state = pageState();
const names = state.classes.map((one) => one.name);
const classes = figure("classes", {
  name: "classes",
  x: { label: "Class", type: "category", categories: names },
  y: { label: "Images", min: 0 },
  series: [{ id: "training", label: "Training and validation", draw: "bars", slot: 1 }],
  blank: blankText(state, "The images are being read."),
});
const values = figure("values", {
  name: "pixel-values",
  x: { label: "Pixel value", min: 0, max: 255, linear: "0 is black: brightness goes in even steps" },
  y: { label: "Share of pixels", unit: "%", min: 0 },
  series: (state.histogram.length === 1 ? [["Grey", 8]] : [["Red", 2], ["Green", 3], ["Blue", 1]]).map(([label, slot], place) => ({
    id: String(place), label: String(label), draw: /** @type {const} */ ("line"), slot: Number(slot), radius: 2,
  })),
  blank: blankText(state, "The images are being read."),
});

if (state.classes.length) {
  classes?.set("training", state.classes.map((one) => ({ x: one.name, y: one.training, key: String(one.index) })));
  const sorted = [...state.classes].sort((a, b) => a.training - b.training);
  const [least, most] = [sorted[0], sorted[sorted.length - 1]];
  classes?.finding(least.training === most.training
    ? `Every class has ${compact(least.training)} images`
    : `From ${compact(least.training)} images (${least.name}) to ${compact(most.training)} (${most.name})`);
}
state.histogram.forEach((bins, place) => {
  values?.set(String(place), bins.map((share, bin) => ({ x: (bin + 0.5) * (256 / bins.length), y: 100 * share })));
});
if (state.histogram.length) {
  const dark = state.histogram.reduce((sum, bins) => sum + bins[0], 0) / state.histogram.length;
  const bright = state.histogram.reduce((sum, bins) => sum + bins[bins.length - 1], 0) / state.histogram.length;
  values?.finding(`${percent(dark, 0)} of the pixels are nearly black, ${percent(bright, 0)} nearly white`);
}
classes?.draw();
values?.draw();
followPageRun();
