/** One candidate under the pointer or the focus is the same candidate everywhere on the page. */

/** @type {Set<(key: string | null, source: unknown) => void>} */
const listeners = new Set();
/** @type {string | null} */
let current = null;
/** What is marked while nothing is pointed at. @type {string | null} */
let held = null;

/**
 * @param {string | null} key what is highlighted; null for nothing
 * @param {unknown} source who says so, handed on so that it can ignore itself
 */
export function highlight(key, source) {
  if (key === current) return;
  current = key;
  // What is held is news to whoever let go of another.
  if (key === null && held !== null) tell(held, null);
  else tell(key, source);
}

/** @param {string | null} key @param {unknown} source */
function tell(key, source) {
  for (const listener of listeners) listener(key, source);
}

/** Keeps a key marked while nothing is pointed at. @param {string | null} key null for none */
export function hold(key) {
  held = key;
  tell(current ?? held, null);
}

export const heldKey = () => held;

/** @param {(key: string | null, source: unknown) => void} listener */
export function onHighlight(listener) {
  listeners.add(listener);
}

let linked = false;

/** Rows and marks with `data-key` anywhere on the page take part: hover and focus publish, and they show what others do. */
export function linkPage() {
  if (linked) return;
  linked = true;
  /** @param {Element | null} element */
  const keyOf = (element) => element?.closest("[data-key]")?.getAttribute("data-key") ?? null;
  // A page that scrolls to the focus moves under a pointer that rests: what has the focus stays marked.
  document.addEventListener("pointerover", ({ target }) => {
    highlight(keyOf(/** @type {Element} */ (target)) ?? keyOf(document.activeElement), document);
  });
  document.addEventListener("focusin", ({ target }) => highlight(keyOf(/** @type {Element} */ (target)), document));
  onHighlight((key) => {
    for (const old of document.querySelectorAll(".is-highlighted")) old.classList.remove("is-highlighted");
    if (key === null) return;
    for (const element of document.querySelectorAll(`[data-key="${CSS.escape(key)}"]`)) element.classList.add("is-highlighted");
  });
}
