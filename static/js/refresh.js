/** Parts of the page that the server draws are fetched anew instead of being drawn a second time here. */
import { pageState } from "./state.js";

let running = false;
let again = false;
let earliest = 0;
const AT_LEAST_APART_MS = 3000;

/** @param {Document} fresh */
function swap(fresh) {
  for (const old of document.querySelectorAll("[data-refresh]")) {
    const next = fresh.querySelector(`[data-refresh="${old.getAttribute("data-refresh")}"]`);
    if (!next || next.outerHTML === old.outerHTML) continue;
    // A part the person works in stays as it is: neither focus nor an open dialog is taken away.
    if (old.contains(document.activeElement) || old.querySelector("dialog[open]")) continue;
    old.replaceWith(next);
  }
}

async function run() {
  running = true;
  await new Promise((wake) => setTimeout(wake, Math.max(0, earliest - performance.now())));
  again = false;
  try {
    const response = await fetch(location.href, { headers: { "X-Requested-With": "refresh" } });
    if (response.ok && !response.redirected) {
      const fresh = new DOMParser().parseFromString(await response.text(), "text/html");
      swap(fresh);
      document.dispatchEvent(new CustomEvent("partsrefreshed", { detail: pageState("state", fresh) }));
    }
  } catch {
    // Offline: the live connection says so, and its next event asks again.
  }
  earliest = performance.now() + AT_LEAST_APART_MS;
  running = false;
  if (again) await run();
}

/**
 * Fetches the page and puts its `data-refresh` parts in place; many calls in a moment are one fetch. What charts
 * draw is told by the event "partsrefreshed", whose detail is the fetched page's state.
 */
export function refreshParts() {
  again = true;
  if (!running) void run();
}
