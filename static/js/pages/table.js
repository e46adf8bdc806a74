/** A latency table: operators as they are measured, whole networks against the sum of their operators. */
import { figure } from "../charts.js";
import { number, percent } from "../format.js";
import { refreshParts } from "../refresh.js";
import { followPageRun } from "../run_panel.js";
import { blankText, pageState } from "../state.js";

const state = pageState();
const chart = figure("calibration", {
  name: "calibration",
  x: { label: "Measured", unit: "µs" },
  y: { label: "From the table", unit: "µs" },
  series: [
    { id: "ideal", label: "Equal", draw: "line", slot: 8, faint: true },
    { id: "summed", label: "Sum of operators", draw: "points", slot: 2, predicted: true },
    { id: "predicted", label: "Calibrated", draw: "points", slot: 4, predicted: true },
  ],
  blank: blankText(state, "Whole networks are timed after the operators."),
});

function drawCalibration(points) {
  if (!chart || points.length === 0) return;
  const named = (y) => points.map((point) => ({ x: point.measured_us, y: point[y], key: point.label, note: point.label }));
  const measured = points.map((point) => point.measured_us);
  const ends = [Math.min(...measured), Math.max(...measured)];
  chart.set("ideal", ends.map((value) => ({ x: value, y: value })));
  chart.set("summed", named("summed_us"));
  chart.set("predicted", named("predicted_us").filter((point) => point.y !== null && point.y !== undefined));
}

drawCalibration(state?.points ?? []);
chart?.draw();
followPageRun({
  "table.slice": (data) => {
    const covered = document.querySelector("[data-covered]");
    const share = document.querySelector("[data-coverage]");
    if (covered) covered.textContent = number(data.measured);
    if (share) share.textContent = percent(data.measured / data.total);
    refreshParts();
  },
});
