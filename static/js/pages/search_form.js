/** The form of a search: says which latencies the chosen space spans on the chosen device. */
import { quantity } from "../format.js";
import { pageState } from "../state.js";

const ranges = pageState("ranges") ?? {};
const form = /** @type {HTMLFormElement} */ (document.querySelector("main form"));
const place = /** @type {HTMLElement} */ (document.querySelector("[data-range]"));

/** @param {string} name */
const field = (name) => /** @type {HTMLInputElement | HTMLSelectElement} */ (form.elements.namedItem(name));

function showRange() {
  const range = ranges[`${field("predictor").value}|${field("table").value}`];
  place.hidden = !range;
  if (!range) return;
  if (range.problem) {
    place.textContent = range.problem;
    return;
  }
  const [least, greatest] = [range.least_ms, range.greatest_ms];
  const limit = Number(field("latency_limit_ms").value);
  const span = `Networks of this space take ${quantity(least, "ms", 3)} to ${quantity(greatest, "ms", 3)} on this device.`;
  const place01 = (limit - least) / (greatest - least);
  if (!limit) place.textContent = span;
  else if (limit < least) place.textContent = `${span} No network is as fast as ${quantity(limit, "ms")}: choose a higher limit.`;
  else if (limit >= greatest) place.textContent = `${span} Every network meets ${quantity(limit, "ms")}: the limit will not matter.`;
  else place.textContent = `${span} Your limit lies ${place01 < 0.33 ? "in the fast third" : place01 < 0.67 ? "in the middle" : "in the slow third"} of that range.`;
}

const rows = /** @type {HTMLElement[]} */ ([...form.querySelectorAll("[data-limit-row]")]);

/** One empty row of further limits is enough to go on with. */
function showRows() {
  const filled = rows.map((row) => [...row.querySelectorAll("select, input")].some((input) => /** @type {HTMLInputElement} */ (input).value !== ""));
  const last = filled.lastIndexOf(true);
  rows.forEach((row, at) => { row.hidden = at > last + 1; });
}

form.addEventListener("input", showRows);
showRows();
form.addEventListener("input", showRange);
showRange();
