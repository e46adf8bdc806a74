/** Candidates picked in a table, to be compared: their boxes belong to one form. */
import { toast } from "./toast.js";

const MOST = 10;

/** @param {HTMLFormElement} form @returns {string[]} ids */
export const picksOf = (form) => [...new Set(new FormData(form).getAll("candidate").map(String))];

/**
 * Counts what is picked, refuses an eleventh, and leads to a comparison with a short address.
 * @param {HTMLFormElement} form
 * @param {() => void} [onChange]
 */
export function wirePicks(form, onChange = () => {}) {
  const count = /** @type {HTMLElement | null} */ (document.querySelector("[data-picked-count]"));
  const show = () => {
    const { length } = picksOf(form);
    if (count) count.textContent = `(${length})`;
    if (count) count.hidden = length === 0;
  };
  document.addEventListener("change", (event) => {
    const box = /** @type {HTMLInputElement} */ (event.target);
    if (box.name !== "candidate" || box.form !== form) return;
    if (box.checked && picksOf(form).length > MOST) {
      box.checked = false;
      toast(`At most ${MOST} candidates are compared at once.`, "warning");
      return;
    }
    show();
    onChange();
  });
  form.addEventListener("submit", (event) => {
    const button = /** @type {HTMLButtonElement | null} */ (event.submitter);
    if (!button?.hasAttribute("data-compare")) return;
    event.preventDefault();
    const asked = new URLSearchParams(picksOf(form).map((id) => ["candidate", id]));
    location.assign(`${button.formAction.split("?")[0]}?${asked}`);
  });
  show();
}
