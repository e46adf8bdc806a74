/** A study: searched and scaled networks in the plane of latency and accuracy, with every seed. */
import { figure } from "../charts.js";
import { number, quantity } from "../format.js";
import { refreshParts } from "../refresh.js";
import { followPageRun } from "../run_panel.js";
import { blankText, pageState } from "../state.js";

const state = pageState();
const chart = figure("study", {
  name: "study",
  x: { label: "Predicted latency", unit: "ms" },
  y: { label: "Test accuracy", unit: "%", most: 100 },
  series: [
    { id: "searched", label: "Searched, least to greatest of the seeds", draw: "errors", slot: 4 },
    { id: "searched-line", label: "Searched, means", draw: "line", slot: 4 },
    { id: "scaled", label: "Scaled, least to greatest of the seeds", draw: "errors", slot: 2 },
    { id: "scaled-line", label: "Scaled, means", draw: "line", slot: 2 },
  ],
  limits: state.limits.map((limit, place) => ({ id: `limit${place}`, axis: "x", value: limit, label: `limit ${quantity(limit, "ms", 3)}` })),
  blank: blankText(state, "No model is trained yet."),
  describe: (point) => (point.measured_ms ? [`measured ${quantity(point.measured_ms, "ms", 3)}`] : []),
});

for (const method of ["searched", "scaled"]) {
  const points = state.points.filter((point) => point.method === method).sort((a, b) => a.x - b.x);
  chart?.set(method, points);
  chart?.set(`${method}-line`, points.map(({ x, y }) => ({ x, y })));
}
const of = (method) => state.points.filter((point) => point.method === method);
const [searched, scaled] = [of("searched"), of("scaled")];
if (searched.length && searched.length === scaled.length) {
  const mean = (points) => points.reduce((sum, point) => sum + point.y, 0) / points.length;
  const gain = mean(searched) - mean(scaled);
  chart?.finding(`On average over the limits, searched networks are ${number(Math.abs(gain), 2)} % points ${gain >= 0 ? "above" : "below"} scaled ones`);
}
chart?.draw();
followPageRun({ trial: () => refreshParts(), progress: () => refreshParts() });
