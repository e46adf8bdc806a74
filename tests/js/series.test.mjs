import assert from "node:assert/strict";
import { test } from "node:test";
import { aboveZero, bestSoFar, logTicks, median, slowestWithin, smooth, steadyBounds, steadyLogBounds, thinCloud, thinLine, toCsv } from "../../static/js/series.js";

const line = (length, y) => Array.from({ length }, (_, x) => ({ x, y: y(x) }));

test("a thinned line keeps its ends, its peak and its order", () => {
  const points = line(10_000, (x) => (x === 4321 ? 99 : Math.sin(x)));
  const thinned = thinLine(points, 200);
  assert.ok(thinned.length <= 200);
  assert.equal(thinned[0], points[0]);
  assert.equal(thinned.at(-1), points.at(-1));
  assert.ok(thinned.some((point) => point.y === 99));
  assert.ok(thinned.every((point, i) => i === 0 || point.x > thinned[i - 1].x));
});

test("a short line is left alone", () => {
  const points = line(5, (x) => x);
  assert.equal(thinLine(points, 100), points);
});

test("a thinned cloud keeps every point that must stay and fills the rest evenly", () => {
  const points = line(50_000, (x) => x).map((point) => ({ ...point, keep: point.x % 5000 === 1 }));
  const thinned = thinCloud(points, 4000);
  assert.ok(thinned.length <= 4000 && thinned.length > 3900);
  assert.equal(thinned.filter((point) => point.keep).length, 10);
  assert.ok(thinned.at(-1).x > 49_000);
});

test("smoothing leaves a constant line where it is from the first point on", () => {
  assert.ok(smooth(line(20, () => 3), 0.9).every((point) => Math.abs(point.y - 3) < 1e-9));
});

test("best so far never falls and steps over points without a value", () => {
  const points = [1, null, 3, 2, 5].map((y, x) => ({ x, y }));
  assert.deepEqual(bestSoFar(points), [{ x: 0, y: 1 }, { x: 2, y: 3 }, { x: 3, y: 3 }, { x: 4, y: 5 }]);
});

test("a CSV quotes what must be quoted and disarms formulas but not negative numbers", () => {
  assert.equal(toCsv(["a", "b"], [['x,"y"', -1.5], ["=1+1", null]]), 'a,b\r\n"x,""y""",-1.5\r\n\'=1+1,\r\n');
});

test("axes stay until the data outgrow them and do not cross zero for the sake of air", () => {
  const first = steadyBounds(null, 0, 10);
  assert.equal(first.min, 0);
  assert.equal(steadyBounds(first, 1, 9), first);
  assert.ok(steadyBounds(first, 0, 40).max >= 40);
  assert.ok(steadyBounds(null, 5, 5).max > 5);
});

test("a limit picks the slowest network that keeps it, and the fastest where none does", () => {
  const front = [1, 2, 4, 8].map((cost_ms) => ({ cost_ms }));
  assert.deepEqual([0.5, 1, 1.9, 2, 5, 8, 99].map((limit) => slowestWithin(front, limit)), [0, 0, 0, 1, 2, 3, 3]);
});

test("the median lies in the middle of the values, whatever their order", () => {
  assert.equal(median([9, 1, 4]), 4);
  assert.equal(median([4, 1, 3, 10]), 3.5);
});

test("logarithmic axes leave out what is not above zero, and count it", () => {
  const points = [{ x: 1, y: 5 }, { x: 0, y: 5 }, { x: 2, y: 0 }, { x: 3, y: -1 }, { x: 4, y: null, low: -2, high: 3 }];
  assert.equal(aboveZero(points, []).points, points);
  const upright = aboveZero(points, ["y"]);
  assert.deepEqual([upright.points.map(({ x }) => x), upright.left, upright.cut], [[1, 0, 4], 2, 1]);
  assert.equal(upright.points[2].low, 0);
  assert.equal(points[4].low, -2, "the data stay as they are");
  assert.deepEqual(aboveZero(points, ["x", "y"]).points.map(({ x }) => x), [1, 4]);
  assert.equal(aboveZero([{ x: 1, y: null }], ["y"]).left, 0, "no value is no value below zero");
});

test("bounds of a logarithmic axis enclose the data with air, above zero, and do not jump", () => {
  const first = steadyLogBounds(null, 0.03, 400);
  assert.deepEqual(first, { min: 0.02, max: 500 });
  assert.equal(steadyLogBounds(first, 0.05, 450), first);
  assert.deepEqual(steadyLogBounds(first, 0.03, 700), { min: 0.02, max: 1000 });
  for (const [low, high] of [[84, 86], [7, 7], [0.0741, 0.0776]]) {
    const { min, max } = steadyLogBounds(null, low, high);
    assert.ok(0 < min && min < low && high < max && max / min < (1.2 * high) / low, `${min} ${max}`);
  }
});

test("a logarithmic axis is marked at round numbers, a few of them whatever it spans", () => {
  assert.deepEqual(logTicks(0.02, 5), [0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5]);
  assert.deepEqual(logTicks(82.1, 85.8), [83, 84, 85]);
  assert.deepEqual(logTicks(1e-5, 10), [1e-5, 1e-4, 1e-3, 0.01, 0.1, 1, 10]);
  for (const [min, max] of [[0.0725, 0.078], [11, 25], [6.05, 6.5], [20, 180], [1, 9999]]) {
    const ticks = logTicks(min, max);
    assert.ok(ticks.length >= 2 && ticks.length <= 13, `${min} to ${max}: ${ticks}`);
    assert.ok(ticks.every((tick) => tick >= min && tick <= max));
  }
});
