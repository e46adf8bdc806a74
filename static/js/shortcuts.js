/** Keys that work everywhere: `?` lists them, `/` goes to the page's filter or search, Esc closes. */

/** @param {EventTarget | null} target */
function isTyping(target) {
  return target instanceof HTMLElement && (target.isContentEditable || /^(INPUT|SELECT|TEXTAREA)$/.test(target.tagName));
}

function focusSearch() {
  const fields = /** @type {NodeListOf<HTMLInputElement>} */ (document.querySelectorAll("main :is([data-search], input[type='search'])"));
  const field = [...fields].find((one) => one.checkVisibility()) ?? null;
  field?.focus();
  field?.select();
  return field !== null;
}

/** Closes what is open, innermost first; dialogs close themselves. */
function closeOpenMenu() {
  const open = [...document.querySelectorAll("details.menu[open]")].pop();
  if (!open) return;
  open.removeAttribute("open");
  /** @type {HTMLElement | null} */ (open.querySelector("summary"))?.focus();
}

/** @param {KeyboardEvent} event */
function onKey(event) {
  if (event.key === "Escape") return closeOpenMenu();
  if (isTyping(event.target) || event.ctrlKey || event.metaKey || event.altKey) return;
  const dialog = /** @type {HTMLDialogElement | null} */ (document.getElementById("shortcuts"));
  if (event.key === "?" && dialog && !dialog.open) {
    event.preventDefault();
    dialog.showModal();
  }
  if (event.key === "/" && focusSearch()) event.preventDefault();
}

/** Starts listening for the keys; menus also close when the person clicks elsewhere. */
export function wireShortcuts() {
  document.addEventListener("keydown", onKey);
  document.addEventListener("click", (event) => {
    for (const menu of document.querySelectorAll("details.menu[open]")) {
      if (!menu.contains(/** @type {Node} */ (event.target))) menu.removeAttribute("open");
    }
  });
}
