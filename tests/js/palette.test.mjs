import assert from "node:assert/strict";
import { test } from "node:test";
import { DASHES, SHAPES } from "../../static/js/palette.js";

test("every series has a shape and a dash of its own: colour alone tells none apart", () => {
  assert.equal(new Set(SHAPES).size, 8);
  assert.equal(new Set(DASHES.map(String)).size, SHAPES.length);
});
