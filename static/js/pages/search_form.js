/** The form of a search: says which latencies the chosen space spans on the chosen device, and how long the search will take. */
import { duration, number, percent, quantity } from "../format.js";
import { followRange } from "../latency_range.js";
import { pageState } from "../state.js";

/** @type {{pace: {seconds: number, least: number, most: number, searches: number} | null}} */
const { pace } = pageState();
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

/** @param {string} name */
const value = (name) => /** @type {HTMLInputElement | HTMLSelectElement} */ (form.elements.namedItem(name)).value;
const rows = /** @type {HTMLElement[]} */ ([...form.querySelectorAll("[data-limit-row]")]);

/** One empty row of further limits is enough to go on with. */
function showRows() {
  const filled = rows.map((row) => [...row.querySelectorAll("select, input")].some((input) => /** @type {HTMLInputElement} */ (input).value !== ""));
  const last = filled.lastIndexOf(true);
  rows.forEach((row, at) => { row.hidden = at > last + 1; });
}

/** How many searches the form asks for: one, one for each device with a latency limit, or both. */
function searches() {
  const devices = 1 + rows.filter((row) => {
    const chosen = /** @type {HTMLSelectElement} */ (row.querySelector("select")).selectedOptions[0];
    return (/** @type {HTMLOptGroupElement | null} */ (chosen?.closest("optgroup"))?.label ?? "").startsWith("Latency");
  }).length;
  return { one: 1, each: devices, both: devices + 1 }[value("networks")] ?? 1;
}

function showEstimate() {
  const count = searches();
  const networks = count * Number(value("population")) * Number(value("generations"));
  if (!networks) return;
  tell("[data-scored]", `${count > 1 ? `${count} searches score` : "The search scores"} ${number(networks)} networks`);
  if (!pace) return;
  tell("[data-about]", duration(pace.seconds * networks));
  if (pace.searches > 1) tell("[data-span]", `, ${duration(pace.least * networks)} to ${duration(pace.most * networks)}`);
}

/** @param {string} selector @param {string} text */
function tell(selector, text) {
  const place = form.querySelector(selector);
  if (place && place.textContent !== text) place.textContent = text;
}

for (const show of [showRows, showEstimate]) {
  form.addEventListener("input", show);
  show();
}
