import assert from "node:assert/strict";
import { test } from "node:test";
import { Hold, Sequence, backoff } from "../../static/js/sequence.js";

test("the next number moves the sequence on, others leave it where it is", () => {
  const sequence = new Sequence(7);
  assert.deepEqual([sequence.take(7), sequence.take(9), sequence.take(8), sequence.take(9)], ["doubled", "gap", "next", "next"]);
  assert.equal(sequence.last, 9);
});

test("a hold gives back everything in order and is empty afterwards", () => {
  const hold = new Hold(2);
  assert.ok(hold.keep({ seq: 1 }));
  assert.ok(hold.keep({ seq: 2 }));
  assert.ok(!hold.keep({ seq: 3 }));
  assert.deepEqual(hold.release().map((event) => event.seq), [1, 2]);
  assert.deepEqual(hold.release(), []);
});

test("attempts grow apart up to half a minute and never fall in step", () => {
  assert.equal(backoff(0, () => 1), 500);
  assert.equal(backoff(3, () => 1), 4000);
  assert.equal(backoff(50, () => 1), 30_000);
  assert.equal(backoff(50, () => 0), 15_000);
});
