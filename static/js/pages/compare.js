/** Two latency tables: every operator before and after. */
import { figure } from "../charts.js";
import { percent } from "../format.js";
import { pageState } from "../state.js";

const changes = pageState()?.changes ?? [];
const chart = figure("changes", {
  name: "before-and-after",
  x: { label: "Before", unit: "µs" },
  y: { label: "After", unit: "µs" },
  series: [
    { id: "equal", label: "Equal", draw: "line", slot: 8, faint: true },
    { id: "operators", label: "Operators", draw: "points", slot: 1 },
  ],
});
if (chart && changes.length) {
  const before = changes.map((change) => change[1]);
  chart.set("equal", [Math.min(...before), Math.max(...before)].map((value) => ({ x: value, y: value })));
  chart.set("operators", changes.map(([key, x, y]) => ({ x, y, key, note: key })));
  const [key, was, is] = changes[0];
  chart.finding(`The largest change: ${key.split(",")[0]} became ${percent(Math.abs(is / was - 1), 0)} ${is > was ? "slower" : "faster"}`);
  chart.draw();
}
