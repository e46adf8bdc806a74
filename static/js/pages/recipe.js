/** A recipe: how its learning rate goes. */
import { figure } from "../charts.js";
import { number } from "../format.js";
import { pageState } from "../state.js";

const state = pageState();
const chart = figure("rates", {
  name: "learning-rate",
  x: { label: "Epoch", linear: "it begins at 0 and counts steps and parts of them" },
  y: { label: "Learning rate" },
  series: [{ id: "rate", label: "Learning rate", draw: "line", slot: 2 }],
});
chart?.set("rate", state.rates.map(([x, y]) => ({ x, y })));
const top = Math.max(...state.rates.map(([, rate]) => rate));
chart?.finding(`It rises to ${number(top, 3)} and ends at ${number(state.rates.at(-1)[1], 2)} after ${state.epochs} epoch${state.epochs > 1 ? "s" : ""}`);
chart?.draw();
