/** What a training would take: of the recipes on the page the chosen one's, and looked up again while steps are being timed. */
import { refreshParts } from "./refresh.js";

/** @param {HTMLFormElement} form with the field recipe */
export function followTrainingTime(form) {
  const show = () => {
    const chosen = /** @type {HTMLSelectElement} */ (form.elements.namedItem("recipe")).value;
    for (const line of /** @type {NodeListOf<HTMLElement>} */ (form.querySelectorAll("[data-forecasts] [data-recipe]"))) {
      line.hidden = line.dataset.recipe !== chosen;
    }
    if (form.querySelector("[data-being-timed]")) refreshParts();
  };
  form.addEventListener("change", show);
  document.addEventListener("partsrefreshed", show);
  show();
}
