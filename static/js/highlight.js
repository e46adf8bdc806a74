/** One candidate under the pointer or the focus is the same candidate everywhere on the page. */

/** @type {Set<(key: string | null, source: unknown) => void>} */
const listeners = new Set();
/** @type {string | null} */
let current = null;

/**
 * @param {string | null} key what is highlighted; null for nothing
 * @param {unknown} source who says so, handed on so that it can ignore itself
 */
export function highlight(key, source) {
  if (key === current) return;
  current = key;
  for (const listener of listeners) listener(key, source);
}

/** @param {(key: string | null, source: unknown) => void} listener */
export function onHighlight(listener) {
  listeners.add(listener);
}

let linked = false;

/** Rows and marks with `data-key` anywhere on the page take part: hover and focus publish, and they show what others do. */
export function linkPage() {
  if (linked) return;
  linked = true;
  /** @param {Event} event */
  const publish = (event) => {
    const element = /** @type {Element} */ (event.target).closest("[data-key]");
    highlight(element ? element.getAttribute("data-key") : null, document);
  };
  document.addEventListener("pointerover", publish);
  document.addEventListener("focusin", publish);
  onHighlight((key) => {
    for (const old of document.querySelectorAll(".is-highlighted")) old.classList.remove("is-highlighted");
    if (key === null) return;
    for (const element of document.querySelectorAll(`[data-key="${CSS.escape(key)}"]`)) element.classList.add("is-highlighted");
  });
}
