/** A predictor of energy or latency: held-out predictions against what was measured. */
import { figure } from "../charts.js";
import { followPageRun } from "../run_panel.js";
import { blankText, pageState } from "../state.js";

const state = pageState();
const chart = figure("scatter", {
  name: `predicted-against-measured-${state.quantity}`,
  x: { label: "Measured", unit: state.unit },
  y: { label: "Predicted", unit: state.unit },
  series: [
    { id: "ideal", label: "Equal", draw: "line", slot: 8, faint: true },
    { id: "points", label: "Held-out prediction, 95 % interval", draw: "errors", slot: 4, predicted: true },
  ],
  blank: blankText(state, "Shown when the predictor is fitted."),
});
const points = state.scatter;
if (chart && points.length) {
  const measured = points.map((point) => point.measured);
  chart.set("ideal", [Math.min(...measured), Math.max(...measured)].map((value) => ({ x: value, y: value })));
  chart.set("points", points.map((point) => ({ x: point.measured, y: point.predicted, low: point.low, high: point.high })));
  const held = points.filter((point) => point.low <= point.measured && point.measured <= point.high).length;
  chart.finding(`${held} of ${points.length} held-out networks lie within their 95 % interval`);
}
chart?.draw();
followPageRun({});
