/** The form of a study: the latencies that can be reached, and how long its trainings take. */
import { quantity } from "../format.js";
import { followRange } from "../latency_range.js";

const form = /** @type {HTMLFormElement} */ (document.querySelector("main form.card-plain"));
const place = /** @type {HTMLElement} */ (document.querySelector("[data-time]"));
const value = (name) => /** @type {HTMLInputElement} */ (form.elements.namedItem(name)).value;
const limits = () => [...new Set(value("limits").split(/[\s;,]+/).map(Number).filter((limit) => limit > 0))];
let asked = "";

async function showTime() {
  const query = String(new URLSearchParams(["predictor", "limits", "recipe", "seeds"].map((name) => [name, value(name)])));
  asked = query;
  const answer = await fetch(`${place.dataset.time}?${query}`).catch(() => null);
  if (!answer?.ok) return;
  const { said } = await answer.json();
  if (query === asked) place.textContent = said;
}

followRange(form, ({ least_ms: least }) => {
  const low = limits().filter((limit) => limit < least);
  return low.length ? `No network is as fast as ${quantity(low[0], "ms")}.` : "";
});
// With scripts there is nothing to ask for: every change is answered.
/** @type {HTMLElement} */ (document.querySelector("[data-time-button]")).hidden = true;
form.addEventListener("change", showTime);
void showTime();
