import assert from "node:assert/strict";
import { test } from "node:test";
import { NO_DATA, about, compact, duration, number, percent, quantity, relative } from "../../static/js/format.js";

test("no value and zero look different", () => {
  assert.equal(number(null), NO_DATA);
  assert.equal(number(NaN), NO_DATA);
  assert.equal(quantity(undefined, "ms"), NO_DATA);
  assert.equal(number(0), "0");
  assert.equal(percent(0), "0.0 %");
});

test("numbers carry their unit and no more digits than asked for", () => {
  assert.equal(quantity(3.14159, "ms"), "3.142 ms");
  assert.equal(number(3504872), "3,504,872");
  assert.equal(compact(3504872), "3.50 M");
});

test("durations are said in at most two units", () => {
  assert.deepEqual([0, 8.25, 59, 250, 7500, 273600].map(duration), ["0 s", "8.3 s", "59 s", "4 min 10 s", "2 h 5 min", "3 d 4 h"]);
});

test("what is left is said as roughly as it is known", () => {
  assert.equal(about(null), "");
  assert.equal(about(4), "a few seconds left");
  assert.equal(about(247), "about 4 min left");
});

test("times are relative to now", () => {
  const now = new Date("2026-03-12T12:00:00Z");
  const ago = (seconds) => relative(new Date(now.getTime() - 1000 * seconds), now);
  assert.deepEqual([0, 3, 300, 7200, 100_000].map(ago), ["just now", "3 s ago", "5 min ago", "2 h ago", "yesterday"]);
});
