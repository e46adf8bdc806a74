import assert from "node:assert/strict";
import { test } from "node:test";
import { meanGain } from "../../static/js/study_gain.js";

const searched = (limit_ms, y) => ({ method: "searched", limit_ms, y });
const scaled = (limit_ms, y) => ({ method: "scaled", limit_ms, y });

test("a study's gain is averaged over the limits that have both networks alone", () => {
  assert.equal(meanGain([searched(2, 80), scaled(9, 95)]), null);
  assert.deepEqual(meanGain([searched(2, 80), searched(5, 90), scaled(5, 88.5), scaled(9, 95)]), { points: 1.5, limits: 1 });
  assert.deepEqual(meanGain([searched(2, 80), scaled(2, 81), scaled(5, 88), searched(5, 90)]), { points: 0.5, limits: 2 });
});

test("a study without results has no gain", () => assert.equal(meanGain([]), null));
