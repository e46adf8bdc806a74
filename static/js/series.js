/** What is done to a series of points before it is drawn or handed out. Pure. */

/**
 * A point of a chart. `low` and `high` bound its interval on the y axis, `key` names the candidate it stands for.
 * @typedef {{x: number, y: number | null, low?: number, high?: number, key?: string, note?: string, keep?: boolean}} Point
 */

/**
 * Thins a line: of each run of neighbours the lowest and the highest stay, so peaks survive. Ends stay.
 * @param {Point[]} points ordered by x
 * @param {number} most
 * @returns {Point[]}
 */
export function thinLine(points, most) {
  if (points.length <= most || most < 4) return points;
  const buckets = Math.floor((most - 2) / 2);
  const inner = points.length - 2;
  const kept = [points[0]];
  for (let bucket = 0; bucket < buckets; bucket += 1) {
    const from = 1 + Math.floor((bucket * inner) / buckets);
    const to = 1 + Math.floor(((bucket + 1) * inner) / buckets);
    let low = from;
    let high = from;
    for (let i = from; i < to; i += 1) {
      if ((points[i].y ?? Infinity) < (points[low].y ?? Infinity)) low = i;
      if ((points[i].y ?? -Infinity) > (points[high].y ?? -Infinity)) high = i;
    }
    for (const i of low === high ? [low] : [Math.min(low, high), Math.max(low, high)]) kept.push(points[i]);
  }
  kept.push(points[points.length - 1]);
  return kept;
}

/**
 * Thins a cloud: every k-th point, and all that are marked `keep` (a front, a selection).
 * @param {Point[]} points
 * @param {number} most
 * @returns {Point[]}
 */
export function thinCloud(points, most) {
  if (points.length <= most) return points;
  const must = points.filter((point) => point.keep).length;
  const step = (points.length - must) / Math.max(1, most - must);
  let next = 0;
  let seen = 0;
  return points.filter((point) => {
    if (point.keep) return true;
    const take = seen >= next;
    if (take) next += step;
    seen += 1;
    return take;
  });
}

/**
 * Exponential smoothing without the bias of a cold start.
 * @param {Point[]} points
 * @param {number} weight 0 (raw) to 1 (flat)
 * @returns {Point[]}
 */
export function smooth(points, weight) {
  let sum = 0;
  let norm = 0;
  return points.map((point) => {
    if (point.y === null) return point;
    sum = weight * sum + (1 - weight) * point.y;
    norm = weight * norm + (1 - weight);
    return { ...point, y: norm > 0 ? sum / norm : point.y };
  });
}

/**
 * The best value reached so far at each point that has a value.
 * @param {Point[]} points in the order they came
 * @returns {Point[]}
 */
export function bestSoFar(points) {
  let best = -Infinity;
  const line = [];
  for (const point of points) {
    if (point.y === null) continue;
    best = Math.max(best, point.y);
    line.push({ x: point.x, y: best });
  }
  return line;
}

/** @param {number[]} values at least one */
export function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

/**
 * Of a line drawn in steps only the points where it rises or falls, and its end: it looks the same, unthinned.
 * @param {Point[]} points
 * @returns {Point[]}
 */
export function changesOnly(points) {
  return points.filter((point, place) => place === 0 || place === points.length - 1 || point.y !== points[place - 1].y);
}

/** @param {unknown} value @returns {string} one field of a CSV line (RFC 4180) */
function csvField(value) {
  const text = value === null || value === undefined ? "" : String(value);
  const quoted = /^[=+\-@\t\r]/.test(text) && Number.isNaN(Number(text)) ? `'${text}` : text;
  return /[",\r\n]/.test(quoted) ? `"${quoted.replaceAll('"', '""')}"` : quoted;
}

/**
 * @param {string[]} head
 * @param {unknown[][]} rows
 * @returns {string} CSV text; texts that a spreadsheet would run as formulas are disarmed
 */
export function toCsv(head, rows) {
  return [head, ...rows].map((row) => row.map(csvField).join(",")).join("\r\n") + "\r\n";
}

/**
 * Bounds that leave air, never cross zero when the data do not, and stay where they are until the data outgrow them, so that a growing chart does not jump.
 * @param {{min: number, max: number} | null} previous
 * @param {number} low
 * @param {number} high
 * @returns {{min: number, max: number}}
 */
export function steadyBounds(previous, low, high) {
  if (previous && low >= previous.min && high <= previous.max) return previous;
  const span = high - low || Math.abs(high) || 1;
  const step = 10 ** Math.floor(Math.log10(span)) / 2;
  const floor = Math.floor((low - span * 0.03) / step) * step;
  const ceiling = Math.ceil((high + span * 0.08) / step) * step;
  return {
    min: Math.min(previous?.min ?? Infinity, low >= 0 ? Math.max(0, floor) : floor),
    max: Math.max(previous?.max ?? -Infinity, high <= 0 ? Math.min(0, ceiling) : ceiling),
  };
}

/**
 * Index of the last point of a front, fastest first, that keeps a limit; the first where none does.
 * @param {{cost_ms: number}[]} points
 * @param {number} limit
 */
export function slowestWithin(points, limit) {
  let [low, high] = [0, points.length - 1];
  while (low < high) {
    const middle = Math.ceil((low + high) / 2);
    if (points[middle].cost_ms <= limit) low = middle;
    else high = middle - 1;
  }
  return low;
}

/** @param {number} value above 0 @param {1 | -1} way up or down @returns {number} the next 1, 2 or 5 of a power of ten */
function nextStep(value, way) {
  const power = 10 ** Math.floor(Math.log10(value));
  const steps = [1, 2, 5, 10].map((step) => Number((step * power).toPrecision(12)));
  return way > 0 ? Math.min(...steps.filter((step) => step >= value)) : Math.max(...steps.filter((step) => step <= value));
}

/**
 * Bounds of a logarithmic axis, which stay where they are until the data outgrow them.
 * @param {{min: number, max: number} | null} previous
 * @param {number} low above 0
 * @param {number} high
 * @returns {{min: number, max: number}}
 */
export function steadyLogBounds(previous, low, high) {
  if (previous && low >= previous.min && high <= previous.max) return previous;
  const air = Math.max(1.005, (high / low) ** 0.05);
  // Within a decade the steps of 1, 2 and 5 would leave most of the axis empty.
  const wide = high / low > 10;
  const [from, to] = wide ? [nextStep(low, -1), nextStep(high, 1)] : [low / air, high * air];
  return { min: Math.min(previous?.min ?? Infinity, from), max: Math.max(previous?.max ?? 0, to) };
}

/**
 * Where a logarithmic axis has its marks: at steps of 1, 2 and 5, of powers of ten where it is long, at even distances
 * where it spans little.
 * @param {number} min above 0
 * @param {number} max
 * @returns {number[]}
 */
export function logTicks(min, max) {
  const decades = Math.log10(max / min);
  /** @param {number} value */
  const tidy = (value) => Number(value.toPrecision(12));
  if (decades < 0.7) {
    const step = nextStep((max - min) / 6, 1);
    const first = Math.ceil(min / step);
    return Array.from({ length: Math.max(0, Math.floor(max / step) - first + 1) }, (_, at) => tidy((first + at) * step));
  }
  const from = Math.floor(Math.log10(min));
  const powers = Array.from({ length: Math.ceil(Math.log10(max)) - from + 1 }, (_, at) => from + at);
  const steps = decades > 4 ? [1] : [1, 2, 5];
  return powers.flatMap((power) => steps.map((step) => tidy(step * 10 ** power))).filter((value) => value >= min && value <= max);
}

/**
 * What logarithmic axes can show of some points: those above zero. An interval that reaches zero or below ends at 0, which
 * such an axis draws at its edge.
 * @param {Point[]} points
 * @param {("x" | "y")[]} axes the logarithmic ones
 * @returns {{points: Point[], left: number, cut: number}} how many were left out, and how many intervals were cut
 */
export function aboveZero(points, axes) {
  if (!axes.length) return { points, left: 0, cut: 0 };
  const isShown = (/** @type {Point} */ point) => axes.every((axis) => {
    const value = axis === "y" ? point.y ?? point.high : point.x;
    return typeof value !== "number" || value > 0;
  });
  const kept = points.filter(isShown);
  const isCut = (/** @type {Point} */ point) => axes.includes("y") && point.low !== undefined && point.low <= 0;
  return {
    points: kept.map((point) => (isCut(point) ? { ...point, low: 0 } : point)),
    left: points.length - kept.length,
    cut: kept.filter(isCut).length,
  };
}
