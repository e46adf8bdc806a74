/** Says in a form which latencies the chosen space spans on the chosen device. */
import { quantity } from "./format.js";
import { pageState } from "./state.js";

/**
 * @param {HTMLFormElement} form with the fields predictor and table
 * @param {(range: {least_ms: number, greatest_ms: number}) => string} more what the form adds to the span
 */
export function followRange(form, more) {
  const ranges = pageState("ranges") ?? {};
  const place = /** @type {HTMLElement} */ (document.querySelector("[data-range]"));
  const value = (name) => /** @type {HTMLInputElement | HTMLSelectElement} */ (form.elements.namedItem(name)).value;
  const show = () => {
    const range = ranges[`${value("predictor")}|${value("table")}`];
    place.hidden = !range;
    if (!range) return;
    const span = () => `Networks of this space take ${quantity(range.least_ms, "ms", 3)} to ${quantity(range.greatest_ms, "ms", 3)} on this device.`;
    place.textContent = range.problem ?? `${span()} ${more(range)}`.trim();
  };
  form.addEventListener("input", show);
  show();
}
