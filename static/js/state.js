/** What the server put into the page for its module. */

/**
 * @param {string} [id] of the JSON block in the page
 * @returns {any} null where the page has none
 */
export function pageState(id = "state") {
  const block = document.getElementById(id);
  return block ? JSON.parse(block.textContent ?? "null") : null;
}
