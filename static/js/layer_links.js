/** A layer's bar, its row and its box in the drawing are one: what is pointed at, focused or chosen in one is marked in all. */
import { heldKey, hold, onHighlight } from "./highlight.js";

/** @typedef {{name: string, block: string}} Layer */
const ROW = "layer-";

/** Chooses a layer: its row is the address's target, so the choice is a link and Back takes it back. @param {string} name */
export function chooseLayer(name) {
  location.hash = ROW + name;
}

/** @param {ParentNode} root @param {string} selector @param {(element: Element) => boolean} isMarked */
function toggle(root, selector, isMarked) {
  for (const element of root.querySelectorAll(selector)) element.classList.toggle("is-highlighted", isMarked(element));
}

/**
 * @param {Layer[]} layers of all networks on the page
 * @param {import("./charts.js").Figure | null} chart whose points are keyed by the layers' names
 * @returns {(block: string | null) => void} marks what belongs to a block
 */
export function linkLayers(layers, chart) {
  const blockOf = new Map(layers.map(({ name, block }) => [name, block]));
  onHighlight((key) => {
    const block = blockOf.get(key ?? "");
    toggle(document, "rect[data-block]", (rect) => rect.getAttribute("data-block") === block);
  });
  const follow = () => {
    const name = decodeURIComponent(location.hash.slice(1));
    hold(name.startsWith(ROW) && blockOf.has(name.slice(ROW.length)) ? name.slice(ROW.length) : null);
  };
  addEventListener("hashchange", follow);
  follow();
  return (block) => {
    const held = heldKey();
    const names = block === null && held !== null ? [held] : layers.filter((layer) => layer.block === block).map(({ name }) => name);
    chart?.mark(names);
    toggle(document, "[data-block]", (element) => element.getAttribute("data-block") === block);
  };
}
