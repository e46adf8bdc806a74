/** The form of a study: the latencies that can be reached, and how many trainings it asks for. */
import { quantity } from "../format.js";
import { followRange } from "../latency_range.js";

const form = /** @type {HTMLFormElement} */ (document.querySelector("main form.card-plain"));
const place = /** @type {HTMLElement} */ (document.querySelector("[data-count]"));
const value = (name) => /** @type {HTMLInputElement} */ (form.elements.namedItem(name)).value;
const limits = () => [...new Set(value("limits").split(/[\s;,]+/).map(Number).filter((limit) => limit > 0))];

function showCount() {
  const [count, seeds] = [limits().length, Number(value("seeds"))];
  place.hidden = !(count && seeds);
  place.textContent = `At most ${2 * count * seeds} trainings to the end (${count} limit${count > 1 ? "s" : ""} × 2 networks × ${seeds} seed${seeds > 1 ? "s" : ""}), after short trials of scaled networks.`;
}

followRange(form, ({ least_ms: least }) => {
  const low = limits().filter((limit) => limit < least);
  return low.length ? `No network is as fast as ${quantity(low[0], "ms")}.` : "";
});
form.addEventListener("input", showCount);
showCount();
