import assert from "node:assert/strict";
import { test } from "node:test";
import { Candidates, countText, thinRows } from "../../static/js/columns.js";

/** Five candidates of two searches, packed as search/columns.py packs them. */
function file() {
  const columns = [
    [{ name: "search", type: "uint8" }, Uint8Array.of(0, 0, 0, 1, 1)],
    [{ name: "rank", type: "uint32" }, Uint32Array.of(1, 2, 5, 1, 3)],
    [{ name: "marks", type: "uint8" }, Uint8Array.of(3, 1, 0, 3, 1)],
    [{ name: "accuracy", type: "uint16", low: 80, high: 90 }, Uint16Array.of(65534, 32767, 0, 65534, 65535)],
    [{ name: "stage1.kernel", type: "uint8", choices: [3, 5, 7] }, Uint8Array.of(0, 1, 2, 255, 2)],
  ];
  const described = columns.map(([facts]) => facts);
  let head = JSON.stringify({ count: 5, every: 9, columns: described });
  head += " ".repeat((4 - (head.length % 4)) % 4);
  const parts = [new Uint8Array(Uint32Array.of(head.length).buffer), new TextEncoder().encode(head)];
  for (const [, data] of columns) {
    parts.push(new Uint8Array(data.buffer), new Uint8Array((4 - (data.byteLength % 4)) % 4));
  }
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole.buffer;
}

test("columns give places and values, and say what is missing", () => {
  const found = new Candidates(file());
  assert.deepEqual([found.count, found.every], [5, 9]);
  assert.equal(found.value("accuracy", 0), 90);
  assert.equal(found.value("accuracy", 1), 85);
  assert.ok(Number.isNaN(found.value("accuracy", 4)));
  assert.equal(found.value("stage1.kernel", 2), 7);
  assert.ok(Number.isNaN(found.place("stage1.kernel", 3)));
  assert.equal(found.place("stage1.kernel", 1), 0.5);
  assert.ok(Number.isNaN(found.place("no such axis", 0)));
});

test("a candidate is found by its search and rank", () => {
  const found = new Candidates(file());
  assert.equal(found.rowOf(0, 5), 2);
  assert.equal(found.rowOf(1, 3), 4);
  assert.equal(found.rowOf(1, 2), -1);
});

test("ranges and marks leave what has every one of them", () => {
  const found = new Candidates(file());
  const asked = (ranges, marks = 0) => [...found.within(new Map(Object.entries(ranges)), marks)];
  assert.deepEqual(asked({}), [1, 1, 1, 1, 1]);
  assert.deepEqual(asked({}, 1), [1, 1, 0, 1, 1]);
  assert.deepEqual(asked({ accuracy: [85, Infinity] }), [1, 1, 0, 1, 0]);
  assert.deepEqual(asked({ "stage1.kernel": [4, 7] }), [0, 1, 1, 0, 1]);
  assert.deepEqual(asked({ "stage1.kernel": [8, 9] }), [0, 0, 0, 0, 0]);
  assert.deepEqual(asked({ "no such axis": [0, 1] }), [0, 0, 0, 0, 0]);
});

test("thinning keeps what is to be kept, and tells how many there are", () => {
  const mask = new Uint8Array(1000).fill(1);
  const { rows, total } = thinRows(mask, 1, 50, (row) => row === 777);
  assert.equal(total, 1000);
  assert.ok(rows.length <= 50 && rows.length > 40);
  assert.ok(rows.includes(777));
  assert.deepEqual(thinRows(Uint8Array.of(1, 0, 1), 1, 50).rows, [0, 2]);
});

test("a count never speaks of all candidates where the columns hold a part", () => {
  assert.equal(countText(60000, { count: 60000, every: 60000 }), "All 60,000 candidates");
  assert.equal(countText(7, { count: 60000, every: 60000 }), "7 of 60,000 candidates");
  assert.equal(countText(60000, { count: 60000, every: 100000 }), "60,000 of the 60,000 candidates of the best ranks; the table counts all 100,000");
});
