/** Parallel coordinates: an upright axis for every quantity, a line for every network, ranges kept by dragging. */
import { number } from "./format.js";
import { colour } from "./palette.js";

/** @typedef {import("./columns.js").Candidates} Candidates */
/** @typedef {{name: string, label: string, unit: string, choices: number[]}} Axis */
/** @typedef {{inside: number[], outside: number[]}} Drawn rows */

const REACH = 7; // pixels from a line at which the pointer is on it
const CLICK = 4; // pixels that a press may move and still be a press
const TICKS = 5;
const SPREAD = 0.16; // of the room of a choice, so that lines of equal choices lie beside each other

/** Where a candidate passes a choice: always at the same place, -0.5 to 0.5. @param {number} row */
const aside = (row) => ((Math.imul(row + 1, 2654435761) >>> 0) % 1024) / 1024 - 0.5;

export class ParallelCoordinates {
  /**
   * @param {HTMLElement} root holds the canvases and an element `data-axis` for each axis
   * @param {object} options
   * @param {Axis[]} options.axes
   * @param {(row: number) => number} options.slotOf place in the palette
   * @param {() => import("./columns.js").Ranges} options.ranges those that are kept
   * @param {(axis: string, range: [number, number] | null) => void} options.onBrush
   * @param {(row: number | null) => void} options.onHover
   * @param {(row: number) => void} options.onPick
   */
  constructor(root, options) {
    this.root = root;
    this.options = options;
    this.lines = /** @type {HTMLCanvasElement} */ (root.querySelector("[data-lines]"));
    this.marks = /** @type {HTMLCanvasElement} */ (root.querySelector("[data-marks]"));
    this.tracks = options.axes.map((axis) => /** @type {HTMLElement} */ (root.querySelector(`[data-axis="${CSS.escape(axis.name)}"] [data-track]`)));
    /** @type {Candidates | null} */
    this.candidates = null;
    /** @type {Drawn} */
    this.drawn = { inside: [], outside: [] };
    /** @type {number[]} */
    this.marked = [];
    this.#listen();
  }

  /** @param {Candidates} candidates @param {Drawn} drawn */
  draw(candidates, drawn) {
    this.candidates = candidates;
    this.drawn = drawn;
    this.#measure();
    const pen = this.#pen(this.lines);
    this.#stroke(pen, drawn.outside, () => "ink-3", 0.07);
    const alpha = Math.max(0.12, Math.min(0.7, 60 / Math.max(1, drawn.inside.length)));
    this.#stroke(pen, drawn.inside, (row) => `series-${this.options.slotOf(row)}`, alpha);
    this.#drawAxes(pen);
    this.mark(this.marked);
  }

  /** Draws these candidates over all others. @param {number[]} rows */
  mark(rows) {
    this.marked = rows;
    if (!this.candidates) return;
    const pen = this.#pen(this.marks);
    pen.lineWidth = 3;
    this.#stroke(pen, rows, () => "ink", 1);
  }

  #measure() {
    const first = this.tracks[0];
    this.width = this.root.clientWidth;
    this.height = this.root.clientHeight;
    const frame = this.root.getBoundingClientRect();
    const box = first.getBoundingClientRect();
    this.top = box.top - frame.top + 6;
    this.tall = box.height - 12;
    this.xs = this.tracks.map((track) => {
      const { left, width } = track.getBoundingClientRect();
      return left - frame.left + width / 2;
    });
  }

  /** @param {HTMLCanvasElement} canvas */
  #pen(canvas) {
    const ratio = devicePixelRatio;
    canvas.width = Math.round(this.width * ratio);
    canvas.height = Math.round(this.height * ratio);
    canvas.style.width = `${this.width}px`;
    canvas.style.height = `${this.height}px`;
    const pen = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
    pen.scale(ratio, ratio);
    return pen;
  }

  /** @param {number} axis @param {number} row @returns {number} pixels from the top; NaN where it has no place */
  #y(axis, row) {
    const { name, choices } = this.options.axes[axis];
    const place = this.candidates?.place(name, row) ?? NaN;
    const spread = choices.length ? (SPREAD * aside(row)) / choices.length : 0;
    return this.top + this.tall * (1 - Math.min(1, Math.max(0, place + spread)));
  }

  /** @param {CanvasRenderingContext2D} pen @param {number[]} rows @param {(row: number) => string} token @param {number} alpha */
  #stroke(pen, rows, token, alpha) {
    /** @type {Map<string, number[]>} */
    const grouped = new Map();
    for (const row of rows) {
      const members = grouped.get(token(row));
      if (members) members.push(row);
      else grouped.set(token(row), [row]);
    }
    for (const [name, members] of grouped) {
      pen.strokeStyle = colour(name, alpha);
      for (const row of members) {
        pen.beginPath();
        let broken = true;
        for (let axis = 0; axis < this.xs.length; axis += 1) {
          const y = this.#y(axis, row);
          if (Number.isNaN(y)) broken = true;
          else if (broken) {
            pen.moveTo(this.xs[axis], y);
            broken = false;
          } else pen.lineTo(this.xs[axis], y);
        }
        pen.stroke();
      }
    }
  }

  /** @param {CanvasRenderingContext2D} pen */
  #drawAxes(pen) {
    const ranges = this.options.ranges();
    pen.font = `11px ${getComputedStyle(document.body).fontFamily}`;
    pen.textBaseline = "middle";
    this.options.axes.forEach((axis, at) => {
      const x = this.xs[at];
      const range = ranges.get(axis.name);
      pen.strokeStyle = colour("line-strong");
      pen.lineWidth = 1;
      pen.beginPath();
      pen.moveTo(x, this.top);
      pen.lineTo(x, this.top + this.tall);
      pen.stroke();
      if (range) this.#drawRange(pen, axis, x, range);
      for (const [place, text] of this.#ticks(axis)) {
        const y = this.top + this.tall * (1 - place);
        pen.lineWidth = 3;
        pen.strokeStyle = colour("surface", 0.85);
        pen.strokeText(text, x + 6, y);
        pen.fillStyle = colour("ink-2");
        pen.fillText(text, x + 6, y);
      }
    });
  }

  /** @param {CanvasRenderingContext2D} pen @param {Axis} axis @param {number} x @param {[number, number]} range */
  #drawRange(pen, axis, x, range) {
    const [low, high] = range.map((value) => this.#placeOf(axis, value));
    const room = axis.choices.length ? 0.5 / axis.choices.length : 0.01;
    const top = this.top + this.tall * (1 - Math.min(1, high + room));
    const tall = this.tall * (Math.min(1, high + room) - Math.max(0, low - room));
    pen.fillStyle = colour("accent", 0.22);
    pen.fillRect(x - 7, top, 14, Math.max(3, tall));
    pen.strokeStyle = colour("accent");
    pen.lineWidth = 1.5;
    pen.strokeRect(x - 7, top, 14, Math.max(3, tall));
  }

  /** @param {Axis} axis @returns {[number, string][]} place and words */
  #ticks(axis) {
    const count = axis.choices.length || TICKS;
    const every = Math.ceil(count / 8);
    const places = Array.from({ length: count }, (_, at) => (count === 1 ? 0.5 : at / (count - 1)));
    const texts = places.filter((_, at) => at % every === 0).map((place) => /** @type {[number, string]} */ ([place, number(this.candidates?.valueAt(axis.name, place), 3)]));
    return texts[0]?.[1] === texts.at(-1)?.[1] ? texts.slice(0, 1) : texts;
  }

  /** @param {Axis} axis @param {number} value @returns {number} 0 to 1 */
  #placeOf(axis, value) {
    const column = this.candidates?.columns.get(axis.name);
    if (column?.choices) {
      const last = column.choices.length - 1;
      const at = column.choices.findIndex((choice) => choice >= value);
      return last === 0 ? 0.5 : (at < 0 ? last : at) / last;
    }
    const { low = 0, high = 0 } = column ?? {};
    return low === high ? 0.5 : Math.min(1, Math.max(0, (value - low) / (high - low)));
  }

  /** The drawn line nearest to the pointer, if one is near. @param {PointerEvent} event @returns {number | null} */
  #rowAt(event) {
    if (!this.candidates) return null;
    const frame = this.root.getBoundingClientRect();
    const [x, y] = [event.clientX - frame.left, event.clientY - frame.top];
    const right = this.xs.findIndex((one) => one >= x);
    if (right <= 0) return null;
    const share = (x - this.xs[right - 1]) / (this.xs[right] - this.xs[right - 1]);
    let best = null;
    let least = REACH;
    for (const row of this.drawn.inside) {
      const away = Math.abs((1 - share) * this.#y(right - 1, row) + share * this.#y(right, row) - y);
      if (away < least) [best, least] = [row, away];
    }
    return best;
  }

  #listen() {
    this.root.addEventListener("pointermove", (event) => {
      if (!event.buttons) this.options.onHover(this.#rowAt(event));
    });
    this.root.addEventListener("pointerleave", () => this.options.onHover(null));
    this.root.addEventListener("click", (event) => {
      const row = this.#rowAt(/** @type {PointerEvent} */ (event));
      if (row !== null && !(/** @type {Element} */ (event.target).closest("input, [data-track]"))) this.options.onPick(row);
    });
    this.tracks.forEach((track, at) => this.#listenTo(track, this.options.axes[at]));
    new ResizeObserver(() => this.candidates && this.draw(this.candidates, this.drawn)).observe(this.root);
    document.addEventListener("themechange", () => this.candidates && this.draw(this.candidates, this.drawn));
  }

  /** Dragging along an axis keeps what lies between; a press forgets it. @param {HTMLElement} track @param {Axis} axis */
  #listenTo(track, axis) {
    let begun = NaN;
    const place = (y) => Math.min(1, Math.max(0, 1 - (y - track.getBoundingClientRect().top - 6) / this.tall));
    track.addEventListener("pointerdown", (event) => {
      if (!this.candidates) return;
      begun = event.clientY;
      track.setPointerCapture(event.pointerId);
    });
    track.addEventListener("pointermove", (event) => {
      if (Number.isNaN(begun) || Math.abs(event.clientY - begun) <= CLICK) return;
      const ends = [place(begun), place(event.clientY)].sort((a, b) => a - b);
      this.options.onBrush(axis.name, this.#range(axis, ends[0], ends[1]));
    });
    track.addEventListener("pointerup", (event) => {
      if (Math.abs(event.clientY - begun) <= CLICK) this.options.onBrush(axis.name, null);
      begun = NaN;
    });
    track.addEventListener("pointercancel", () => {
      begun = NaN;
    });
  }

  /** @param {Axis} axis @param {number} low @param {number} high places @returns {[number, number]} values */
  #range(axis, low, high) {
    const choices = this.candidates?.columns.get(axis.name)?.choices;
    if (choices) {
      const last = choices.length - 1;
      const first = Math.min(last, Math.max(0, Math.ceil(low * last - 0.35)));
      return [choices[first], choices[Math.max(first, Math.floor(high * last + 0.35))]];
    }
    const ends = [low, high].map((place) => Number(this.candidates?.valueAt(axis.name, place).toPrecision(4)));
    return [ends[0], ends[1]];
  }
}
