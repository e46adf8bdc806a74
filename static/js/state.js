/** What the server put into the page for its module. */

/**
 * @param {string} [id] of the JSON block in the page
 * @param {Document} [page] this one, or one that was fetched
 * @returns {any} null where the page has none
 */
export function pageState(id = "state", page = document) {
  const block = page.getElementById(id);
  return block ? JSON.parse(block.textContent ?? "null") : null;
}

/** @param {{run: {status: string}}} state whether the run ended without a result */
export const endedEarly = (state) => ["failed", "cancelled"].includes(state.run.status);

/**
 * What an empty chart says: that something is to come, or that the run ended without it.
 * @param {{run: {status: string}}} state
 * @param {string} coming
 */
export function blankText(state, coming) {
  return endedEarly(state) ? "The run ended before there was anything to draw." : coming;
}
