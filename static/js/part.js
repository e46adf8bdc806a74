/** A part of the page that the server draws, put anew in place without loading the rest. */

let newest = 0;

/** @param {Element} part @returns {Element[]} what can have the focus */
const stops = (part) => [...part.querySelectorAll("a, input, button, [tabindex]")];

/** @param {string} address @returns {Promise<string | null>} null where the server could not be asked */
async function textOf(address) {
  try {
    const response = await fetch(address, { headers: { "X-Requested-With": "part" } });
    return response.ok && !response.redirected ? await response.text() : null;
  } catch {
    return null; // Offline, or the page is being left: the table stays as it is.
  }
}

/**
 * Fetches the part and puts it in place; the focus stays on what has its place. What was asked for earlier and
 * comes later is dropped.
 * @param {string} address
 */
export async function loadPart(address) {
  newest += 1;
  const mine = newest;
  const text = await textOf(address);
  if (text === null || mine !== newest) return;
  const fresh = new DOMParser().parseFromString(text, "text/html").querySelector("[data-part]");
  const part = document.querySelector("[data-part]");
  if (!part || !fresh) return;
  const focused = stops(part).indexOf(/** @type {Element} */ (document.activeElement));
  part.replaceWith(fresh);
  if (focused >= 0) /** @type {HTMLElement | undefined} */ (stops(fresh)[focused])?.focus({ preventScroll: true });
}

/**
 * Heads that sort and links to other pages change the part alone.
 * @param {(asked: URLSearchParams) => void} onLink what the link asks for
 */
export function followPartLinks(onLink) {
  document.addEventListener("click", (event) => {
    const link = /** @type {Element} */ (event.target).closest("[data-part] a[href^='?']");
    if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    onLink(new URLSearchParams(/** @type {HTMLAnchorElement} */ (link).search));
  });
}
