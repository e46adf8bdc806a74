/** Says in a form which latencies the chosen space spans on the chosen device. */
import { quantity } from "./format.js";

/**
 * @param {HTMLFormElement} form with the fields predictor and table
 * @param {(range: {least_ms: number, greatest_ms: number}) => string} more what the form adds to the span
 */
export function followRange(form, more) {
  const place = /** @type {HTMLElement} */ (document.querySelector("[data-range]"));
  const value = (name) => /** @type {HTMLInputElement | HTMLSelectElement} */ (form.elements.namedItem(name)).value;
  /** @type {Map<string, Promise<any>>} */
  const known = new Map();

  /** @param {string} query @returns {Promise<any>} null where nothing can be said */
  const ask = (query) => {
    const found = known.get(query) ?? fetch(`${place.dataset.range}?${query}`).then((answer) => (answer.ok ? answer.json() : null), () => null);
    known.set(query, found);
    return found;
  };

  const show = async () => {
    const [predictor, table] = [value("predictor"), value("table")];
    const query = String(new URLSearchParams({ predictor, table }));
    const range = predictor && table ? await ask(query) : null;
    if (predictor !== value("predictor") || table !== value("table")) return;
    place.hidden = !range;
    if (!range) return;
    const span = () => `Networks of this space take ${quantity(range.least_ms, "ms", 3)} to ${quantity(range.greatest_ms, "ms", 3)} on this device.`;
    place.textContent = range.problem ?? `${span()} ${more(range)}`.trim();
  };
  form.addEventListener("input", show);
  show();
}
