/** The form of a predictor: what a build will take, from a few timed training steps. */
import { duration } from "../format.js";
import { pageState } from "../state.js";

const { address } = pageState();
const form = /** @type {HTMLFormElement} */ (document.querySelector("main form.card-plain"));
const place = /** @type {HTMLElement} */ (document.querySelector("[data-estimate]"));
const button = /** @type {HTMLButtonElement} */ (document.querySelector("[data-estimate-button]"));
const value = (name) => /** @type {HTMLInputElement} */ (form.elements.namedItem(name)).value;
const AGAIN_MS = 1000;
let waiting = 0;

const choice = () => new URLSearchParams(["space", "dataset", "recipe", "budget"].map((name) => [name, value(name)]));

/** @param {any} said */
function show(said) {
  clearTimeout(waiting);
  button.disabled = Boolean(said.running);
  if (said.sample) {
    place.textContent = `A sample takes about ${duration(said.sample)} (${duration(said.least)} to ${duration(said.most)}); `
      + `${value("budget")} samples, ${said.workers} at a time, about ${duration(said.build)}.`;
  } else if (said.running) {
    place.textContent = "Timing a few training steps …";
    waiting = window.setTimeout(look, AGAIN_MS);
  } else place.textContent = said.problem ?? "";
}

async function look() {
  const response = await fetch(`${address}?${choice()}`, { headers: { Accept: "application/json" } });
  if (response.ok) show(await response.json());
}

button.addEventListener("click", async (event) => {
  event.preventDefault();
  const response = await fetch(address, { method: "POST", body: new FormData(form), headers: { Accept: "application/json" } });
  if (response.ok) show(await response.json());
});
form.addEventListener("change", look);
void look();
