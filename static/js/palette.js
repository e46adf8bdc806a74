/** The one source of a chart's colours and marker shapes: the tokens of the style sheet. */

/** Marker shapes, one per series, so that colour never carries a meaning alone. */
export const SHAPES = /** @type {const} */ ([
  "circle", "triangle", "rect", "rectRot", "star", "crossRot", "cross", "dash",
]);

/** Dash patterns, one per series, for lines. */
export const DASHES = [[], [7, 4], [2, 3], [10, 4, 2, 4], [4, 4], [12, 5], [1, 4], [6, 2, 2, 2]];

/** @type {HTMLElement | null} */
let probe = null;

/**
 * The colour a token has in the present theme.
 * @param {string} token name of the custom property, without the dashes: "ink-2", "series-1"
 * @param {number} [alpha] 0..1
 * @returns {string} rgb() or rgba()
 */
export function colour(token, alpha = 1) {
  if (!probe) {
    probe = document.createElement("span");
    probe.hidden = true;
    document.body.append(probe);
  }
  probe.style.color = `var(--${token})`;
  const opaque = getComputedStyle(probe).color;
  if (alpha === 1) return opaque;
  const [red, green, blue] = opaque.match(/[\d.]+/g) ?? ["0", "0", "0"];
  return `rgba(${red}, ${green}, ${blue}, ${alpha})`;
}

/**
 * @param {number} slot 1..8
 * @returns {{colour: string, shape: string, dash: number[]}}
 */
export function seriesStyle(slot) {
  const place = (slot - 1) % SHAPES.length;
  return { colour: colour(`series-${place + 1}`), shape: SHAPES[place], dash: DASHES[place] };
}
