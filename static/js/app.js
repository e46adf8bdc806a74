/** What every page does, whatever it shows. */
import { wireAppearance } from "./appearance.js";
import { keepTimesFresh } from "./format.js";
import { wireShortcuts } from "./shortcuts.js";
import { showLeftNotice, toast } from "./toast.js";

/** `data-opens="id"` opens a dialog; `data-closes` closes the one around it. */
function wireDialogs() {
  document.addEventListener("click", (event) => {
    const target = /** @type {Element} */ (event.target);
    const opener = target.closest("[data-opens]");
    if (opener) {
      const dialog = document.getElementById(opener.getAttribute("data-opens") ?? "");
      if (dialog instanceof HTMLDialogElement) dialog.showModal();
    }
    if (target.closest("[data-closes]")) target.closest("dialog")?.close();
    if (target instanceof HTMLDialogElement && target.open) target.close();
  });
}

/** `data-copy="text"` copies; the button says so for two seconds. */
function wireCopying() {
  document.addEventListener("click", async (event) => {
    const button = /** @type {Element} */ (event.target).closest("[data-copy]");
    if (!button) return;
    try {
      await navigator.clipboard.writeText(button.getAttribute("data-copy") ?? "");
      toast("Copied.", "success");
    } catch {
      toast("The browser did not allow copying; select the text and copy it by hand.", "warning");
    }
  });
}

/** A form that was sent is not sent twice; coming back with the browser's button makes it usable again. */
function wireForms() {
  document.addEventListener("submit", (event) => {
    const form = /** @type {HTMLFormElement} */ (event.target);
    if (form.method !== "post") return;
    setTimeout(() => {
      for (const button of form.querySelectorAll("button[type='submit']")) button.setAttribute("disabled", "");
    });
  });
  addEventListener("pageshow", () => {
    for (const button of document.querySelectorAll("form[method='post'] button[disabled]:not([data-off])")) {
      button.removeAttribute("disabled");
    }
  });
}

wireAppearance();
wireShortcuts();
wireDialogs();
wireCopying();
wireForms();
keepTimesFresh();
showLeftNotice();
