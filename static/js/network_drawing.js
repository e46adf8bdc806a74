/** A network drawn to scale: height is resolution, width grows with the channels, shade with the share of latency. */
import { percent } from "./format.js";

/** @typedef {[string, number, number, number, number]} Block name, channels, size in pixels, operators, share of latency */
/** @typedef {{name: string, x: number, y: number, width: number, height: number, shade: number, block: Block}} Box */
/** @typedef {{label: string, x: number}} Stage */

const TALLEST = 96;
const LOWEST = 8;
const GAP = 3;
const STAGE_GAP = 14;
const NARROWEST_STAGE = 52;
const SHADES = 5;
const LABEL_ROOM = 22;
const SVG = "http://www.w3.org/2000/svg";

/** @param {number} channels */
const widthOf = (channels) => 5 + 2.1 * Math.sqrt(channels);

/** The stage's name for people. @param {string} block */
export const stageOf = (block) => block.split(".")[0].replace(/(\d+)$/, " $1");

/** 0..SHADES-1: how much of the latency a block takes, beside the block that takes most. @param {number} share @param {number} most */
export const shadeOf = (share, most) => (most > 0 ? Math.min(SHADES - 1, Math.floor((SHADES * share) / most)) : 0);

/**
 * Where every block and every stage's name goes, in pixels.
 * @param {Block[]} blocks
 * @param {Block[]} [scale] blocks of all networks that are drawn on one scale
 * @returns {{boxes: Box[], stages: Stage[], width: number, height: number}}
 */
export function layout(blocks, scale = blocks) {
  const largest = Math.max(...scale.map(([, , size]) => size));
  const most = Math.max(...scale.map(([, , , , share]) => share));
  /** @type {Map<string, Block[]>} */
  const grouped = new Map();
  for (const block of blocks) grouped.set(stageOf(block[0]), [...(grouped.get(stageOf(block[0])) ?? []), block]);
  /** @type {Box[]} */
  const boxes = [];
  /** @type {Stage[]} */
  const stages = [];
  let left = 1;
  for (const [label, members] of grouped) {
    const drawn = members.reduce((sum, [, channels]) => sum + widthOf(channels), GAP * (members.length - 1));
    const room = Math.max(drawn, NARROWEST_STAGE);
    let x = left + (room - drawn) / 2;
    for (const block of members) {
      const [name, channels, size, , share] = block;
      const height = Math.max(LOWEST, (TALLEST * size) / largest);
      boxes.push({ name, x, y: 1 + (TALLEST - height) / 2, width: widthOf(channels), height, shade: shadeOf(share, most), block });
      x += widthOf(channels) + GAP;
    }
    stages.push({ label, x: left + room / 2 });
    left += room + STAGE_GAP;
  }
  return { boxes, stages, width: left - STAGE_GAP + 1, height: TALLEST + LABEL_ROOM };
}

/** What a block is, in a sentence. @param {Block} block */
export function describe([name, channels, size, operators, share]) {
  const time = share > 0 ? `, ${percent(share)} of the predicted latency` : "";
  return `${name.replace(".", ", ").replace(/(\d+)/g, " $1")}: ${channels} channels at ${size} × ${size} pixels, ${operators} ${operators === 1 ? "operator" : "operators"}${time}`;
}

/** @param {string} name @param {Record<string, string | number>} attributes */
function shape(name, attributes) {
  const element = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, String(value));
  return element;
}

/**
 * Draws into the frame of components/drawing.html. With `onBlock` the blocks answer to pointer and arrow keys.
 * @param {HTMLElement} frame
 * @param {Block[]} blocks
 * @param {(name: string | null) => void} [onBlock]
 * @param {Block[]} [scale] as for `layout`
 */
export function drawNetwork(frame, blocks, onBlock, scale = blocks) {
  const place = frame.querySelector("[data-drawing]");
  const detail = frame.querySelector("[data-drawing-detail]");
  if (!place || !blocks.length) return;
  const { boxes, stages, width, height } = layout(blocks, scale);
  const slowest = blocks.reduce((a, b) => (a[4] >= b[4] ? a : b));
  const summary = `${blocks.length} blocks, from ${blocks[0][2]} to ${blocks[blocks.length - 1][1]} outputs. Slowest: ${describe(slowest)}`;
  const svg = shape("svg", { viewBox: `0 0 ${width} ${height}`, width, height, class: "drawing", role: onBlock ? "group" : "img", "aria-label": `The network: ${summary}` });
  for (const box of boxes) {
    const { x, y, width: wide, height: high } = box;
    const rect = shape("rect", { x, y, width: wide, height: high, rx: 3, class: `block share-${box.shade}`, "data-block": box.name });
    rect.append(Object.assign(shape("title", {}), { textContent: describe(box.block) }));
    if (onBlock) {
      for (const [name, value] of [["tabindex", box === boxes[0] ? "0" : "-1"], ["role", "img"], ["aria-label", describe(box.block)]]) rect.setAttribute(name, value);
    }
    svg.append(rect);
  }
  for (const stage of stages) {
    svg.append(Object.assign(shape("text", { x: stage.x, y: height - 5, "text-anchor": "middle" }), { textContent: stage.label }));
  }
  place.replaceChildren(svg);
  if (detail) detail.textContent = onBlock ? "Point at a block, or use the arrow keys, to see what it is." : `Slowest: ${describe(slowest)}.`;
  if (onBlock) listen(svg, boxes, detail, onBlock);
}

/** @param {Element} svg @param {Box[]} boxes @param {Element | null} detail @param {(name: string | null) => void} onBlock */
function listen(svg, boxes, detail, onBlock) {
  const rects = /** @type {SVGElement[]} */ ([...svg.querySelectorAll("rect")]);
  /** @param {EventTarget | null} target */
  const show = (target) => {
    const at = rects.indexOf(/** @type {SVGElement} */ (target));
    if (at < 0) return;
    if (detail) detail.textContent = `${describe(boxes[at].block)}.`;
    onBlock(boxes[at].name);
  };
  svg.addEventListener("pointerover", (event) => show(event.target));
  svg.addEventListener("focusin", (event) => show(event.target));
  svg.addEventListener("pointerleave", () => onBlock(null));
  svg.addEventListener("keydown", (event) => {
    const { key } = /** @type {KeyboardEvent} */ (event);
    const at = rects.indexOf(/** @type {SVGElement} */ (event.target));
    const next = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: rects.length - 1 }[key];
    if (next === undefined || !rects[next]) return;
    event.preventDefault();
    rects[at].setAttribute("tabindex", "-1");
    rects[next].setAttribute("tabindex", "0");
    rects[next].focus();
  });
}
