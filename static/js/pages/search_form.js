/** The form of a search: says which latencies the chosen space spans on the chosen device. */
import { percent, quantity } from "../format.js";
import { followRange } from "../latency_range.js";

const form = /** @type {HTMLFormElement} */ (document.querySelector("main form.card-plain"));

followRange(form, ({ least_ms: least, greatest_ms: greatest }) => {
  const value = (name) => Number(/** @type {HTMLInputElement} */ (form.elements.namedItem(name)).value);
  const [limit, confidence] = [value("latency_limit_ms"), value("confidence")];
  const place01 = (limit - least) / (greatest - least);
  if (!limit) return "";
  if (limit < least) return `No network is as fast as ${quantity(limit, "ms")}: choose a higher limit.`;
  if (limit >= greatest) return `Every network is predicted to meet ${quantity(limit, "ms")}${confidence > 0.5 ? `, the slowest perhaps not with ${percent(confidence, 0)} confidence` : ": the limit will not matter"}.`;
  return `Your limit lies ${place01 < 0.33 ? "in the fast third" : place01 < 0.67 ? "in the middle" : "in the slow third"} of that range.`;
});

const rows = /** @type {HTMLElement[]} */ ([...form.querySelectorAll("[data-limit-row]")]);

/** One empty row of further limits is enough to go on with. */
function showRows() {
  const filled = rows.map((row) => [...row.querySelectorAll("select, input")].some((input) => /** @type {HTMLInputElement} */ (input).value !== ""));
  const last = filled.lastIndexOf(true);
  rows.forEach((row, at) => { row.hidden = at > last + 1; });
}

form.addEventListener("input", showRows);
showRows();
