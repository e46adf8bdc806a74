/** Many candidates in little room: reads the columns that the server packs (search/columns.py), and asks them. Pure. */
import { number } from "./format.js";

/**
 * Places are whole numbers: indices of `choices`, or steps between `low` and `high`. The greatest says: no such quantity.
 * @typedef {{name: string, type: string, low?: number, high?: number, choices?: number[], data: Uint8Array | Uint16Array | Uint32Array}} Column
 */
/** @typedef {Map<string, [number, number]>} Ranges from and to by axis; infinite where open */

const STEPS = 65534;
const TYPES = { uint8: Uint8Array, uint16: Uint16Array, uint32: Uint32Array };

export class Candidates {
  /** @param {ArrayBuffer} buffer */
  constructor(buffer) {
    const length = new DataView(buffer).getUint32(0, true);
    const head = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 4, length)));
    this.count = head.count;
    /** How many the searches have; the columns hold those of the best ranks. */
    this.every = head.every;
    /** @type {Map<string, Column>} */
    this.columns = new Map();
    let at = 4 + length;
    for (const column of head.columns) {
      const data = new TYPES[column.type](buffer, at, head.count);
      this.columns.set(column.name, { ...column, data });
      at += Math.ceil(data.byteLength / 4) * 4;
    }
    this.search = this.#data("search");
    this.rank = this.#data("rank");
    this.marks = this.#data("marks");
  }

  /** @param {string} name */
  #data(name) {
    return /** @type {Column} */ (this.columns.get(name)).data;
  }

  /** Where a candidate lies on an axis, 0 to 1; NaN where it has no such quantity. @param {string} axis @param {number} row */
  place(axis, row) {
    const column = this.columns.get(axis);
    const at = column?.data[row];
    if (!column || at === undefined) return NaN;
    if (column.choices) return at >= column.choices.length ? NaN : column.choices.length === 1 ? 0.5 : at / (column.choices.length - 1);
    return at > STEPS ? NaN : column.low === column.high ? 0.5 : at / STEPS;
  }

  /** The value itself, in the axis's unit. @param {string} axis @param {number} row */
  value(axis, row) {
    const column = this.columns.get(axis);
    const at = column?.data[row];
    if (!column || at === undefined) return NaN;
    if (column.choices) return column.choices[at] ?? NaN;
    const { low = 0, high = 0 } = column;
    return at > STEPS ? NaN : low + (at / STEPS) * (high - low);
  }

  /** What stands at a place of an axis, 0 to 1. @param {string} axis @param {number} place */
  valueAt(axis, place) {
    const column = this.columns.get(axis);
    if (column?.choices) return column.choices[Math.round(place * (column.choices.length - 1))];
    const { low = 0, high = 0 } = column ?? {};
    return low + place * (high - low);
  }

  /** The row of a candidate; -1 where it is not among them. @param {number} search @param {number} rank */
  rowOf(search, rank) {
    let low = 0;
    let high = this.count - 1;
    while (low <= high) {
      const middle = (low + high) >> 1;
      const order = this.search[middle] - search || this.rank[middle] - rank;
      if (order === 0) return middle;
      if (order < 0) low = middle + 1;
      else high = middle - 1;
    }
    return -1;
  }

  /**
   * Which candidates lie inside every range and have every mark asked for.
   * @param {Ranges} ranges
   * @param {number} marks bits
   * @returns {Uint8Array} 1 for each that does
   */
  within(ranges, marks) {
    const inside = new Uint8Array(this.count);
    for (let row = 0; row < this.count; row += 1) inside[row] = Number((this.marks[row] & marks) === marks);
    for (const [axis, range] of ranges) {
      const column = this.columns.get(axis);
      const [from, to] = column ? bounds(column, range) : [1, 0];
      const data = column?.data ?? [];
      for (let row = 0; row < this.count; row += 1) if (!(data[row] >= from && data[row] <= to)) inside[row] = 0;
    }
    return inside;
  }
}

/**
 * How many candidates are inside the ranges, and of how many.
 * @param {number} inside of those that the columns hold
 * @param {{count: number, every: number}} candidates
 */
export function countText(inside, { count, every }) {
  if (count < every) return `${number(inside)} of the ${number(count)} candidates of the best ranks; the table counts all ${number(every)}`;
  return inside === count ? `All ${number(count)} candidates` : `${number(inside)} of ${number(count)} candidates`;
}

/** A range in whole places. @param {Column} column @param {[number, number]} range @returns {[number, number]} */
function bounds(column, [from, to]) {
  if (column.choices) {
    const first = column.choices.findIndex((value) => value >= from);
    return [first < 0 ? Infinity : first, column.choices.findLastIndex((value) => value <= to)];
  }
  const { low = 0, high = 0 } = column;
  if (low === high) return from <= low && low <= to ? [0, STEPS] : [1, 0];
  const step = (value) => (STEPS * (value - low)) / (high - low);
  return [step(from) - 0.5, Math.min(STEPS, step(to) + 0.5)];
}

/**
 * At most so many of the rows whose mask is `value`, evenly over all, those to keep first.
 * @param {Uint8Array} mask
 * @param {number} value
 * @param {number} most
 * @param {(row: number) => boolean} [keep]
 * @returns {{rows: number[], total: number}}
 */
export function thinRows(mask, value, most, keep = () => false) {
  let total = 0;
  const kept = [];
  for (let row = 0; row < mask.length; row += 1) {
    if (mask[row] !== value) continue;
    total += 1;
    if (kept.length < most && keep(row)) kept.push(row);
  }
  if (total <= most) return { rows: [...all(mask, value)], total };
  const rows = new Set(kept);
  const step = total / Math.max(1, most - kept.length);
  let seen = 0;
  let next = 0;
  for (let row = 0; row < mask.length && rows.size < most; row += 1) {
    if (mask[row] !== value) continue;
    if (seen >= next) {
      rows.add(row);
      next += step;
    }
    seen += 1;
  }
  return { rows: [...rows], total };
}

/** @param {Uint8Array} mask @param {number} value */
function* all(mask, value) {
  for (let row = 0; row < mask.length; row += 1) if (mask[row] === value) yield row;
}
