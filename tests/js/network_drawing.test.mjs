import assert from "node:assert/strict";
import { test } from "node:test";
import { describe, layout, shadeOf, stageOf } from "../../static/js/network_drawing.js";

const BLOCKS = [
  ["stem", 8, 16, 1, 0.1],
  ["stage1.block1", 8, 16, 3, 0.4],
  ["stage1.block2", 8, 16, 3, 0.2],
  ["stage2.block1", 64, 4, 4, 0.25],
  ["classifier", 10, 1, 1, 0.05],
];

test("no box overlaps the next, and all lie inside the picture", () => {
  const { boxes, width, height } = layout(BLOCKS);
  assert.equal(boxes.length, BLOCKS.length);
  boxes.forEach((box, at) => {
    assert.ok(box.x >= 0 && box.y >= 0 && box.x + box.width <= width && box.y + box.height <= height);
    if (at) assert.ok(boxes[at - 1].x + boxes[at - 1].width < box.x);
  });
});

test("height follows the resolution and width the channels", () => {
  const { boxes } = layout(BLOCKS);
  assert.equal(boxes[0].height / boxes[3].height, 4);
  assert.ok(boxes[3].width > boxes[1].width);
  assert.ok(boxes[4].height > 0);
});

test("every stage is named once, in order", () => {
  assert.deepEqual(layout(BLOCKS).stages.map((stage) => stage.label), ["stem", "stage 1", "stage 2", "classifier"]);
  assert.equal(stageOf("stage12.block3"), "stage 12");
});

test("the slowest block has the darkest shade, and unknown latencies the lightest", () => {
  assert.equal(shadeOf(0.4, 0.4), 4);
  assert.equal(shadeOf(0.05, 0.4), 0);
  assert.equal(shadeOf(0, 0), 0);
});

test("a block is told in a sentence", () => {
  assert.equal(describe(BLOCKS[1]), "stage 1, block 1: 8 channels at 16 × 16 pixels, 3 operators, 40.0 % of the predicted latency");
});
