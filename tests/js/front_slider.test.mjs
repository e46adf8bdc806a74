import assert from "node:assert/strict";
import { test } from "node:test";
import { givenUp } from "../../static/js/front_slider.js";

test("what a tighter limit costs is never said to be less than nothing", () => {
  assert.equal(givenUp(0.0123), "1.2 points");
  assert.equal(givenUp(0), "0 points");
  assert.equal(givenUp(-0.004), "nothing: 0.4 points more");
});
