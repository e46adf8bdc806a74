/** A study: searched and scaled networks in the plane of latency and accuracy, with every seed. */
import { figure } from "../charts.js";
import { quantity } from "../format.js";
import { refreshParts } from "../refresh.js";
import { followPageRun } from "../run_panel.js";
import { blankText, pageState } from "../state.js";
import { meanGain } from "../study_gain.js";

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
  describe: (point) => (point.measured_ms ? [`measured ${quantity(point.measured_ms, "ms", 3)}, normalisation included`] : []),
});

/** @param {any[]} points as the page or a fresh one has them */
function draw(points) {
  for (const method of ["searched", "scaled"]) {
    const mine = points.filter((point) => point.method === method).sort((a, b) => a.x - b.x);
    chart?.set(method, mine);
    chart?.set(`${method}-line`, mine.map(({ x, y }) => ({ x, y })));
  }
  tell(points);
}

/** @param {any[]} points */
function tell(points) {
  const gain = meanGain(points);
  if (!gain) {
    if (points.length) chart?.finding("No limit has both a searched and a scaled network with a test accuracy yet");
    return;
  }
  const { length } = state.limits;
  const over = gain.limits < length ? `${gain.limits} of ${length} limits` : length === 1 ? "the one limit" : "the limits";
  chart?.finding(`On average over ${over}, searched networks are ${Math.abs(gain.points).toFixed(2)} points ${gain.points >= 0 ? "above" : "below"} scaled ones`);
}

draw(state.points);
chart?.draw();
document.addEventListener("partsrefreshed", (event) => {
  const fresh = /** @type {CustomEvent} */ (event).detail;
  if (fresh) draw(fresh.points);
});
followPageRun({ trial: () => refreshParts(), progress: () => refreshParts() });
