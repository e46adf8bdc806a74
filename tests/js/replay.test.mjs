import assert from "node:assert/strict";
import { test } from "node:test";
import { Replay } from "../../static/js/replay.js";

const population = (count) => Array.from({ length: count }, (_, place) => [place, 0.9]);

test("a long search leaves few populations in the tab, spread over all generations", () => {
  const replay = new Replay({}, {}, { generations: 60, points: 200 });
  for (let generation = 0; generation < 2000; generation += 1) {
    replay.add(generation, population(500), generation);
    assert.ok(replay.numbers.length <= 60);
  }
  const { numbers } = replay;
  assert.deepEqual([numbers[0], replay.newest], [0, 1999]);
  assert.ok(Math.max(...numbers.slice(1).map((number, place) => number - numbers[place])) <= 70);
  assert.ok(numbers.slice(0, -1).every((number) => replay.at(number).points.length <= 200));
});

test("a population says how many networks it has, however many of them are kept", () => {
  const replay = new Replay({ 0: population(200), 1: population(40) }, { 0: 500, 1: 40 }, { generations: 60, points: 200 });
  assert.equal(replay.at(0).count, 500);
  assert.deepEqual([replay.at(1).points.length, replay.at(1).count], [40, 40]);
  replay.add(2, population(500), 2);
  assert.deepEqual([replay.at(2).points.length, replay.at(2).count], [500, 500]);
  replay.add(3, population(500), 2);
  assert.equal(replay.at(2).count, 500);
  assert.ok(replay.at(2).points.length <= 200);
  assert.deepEqual(replay.at(99), { points: [], count: 0 });
});

test("generations that come later fill in what is not here yet", () => {
  const replay = new Replay({ 9: population(50) }, { 9: 50 }, { generations: 4, points: 10 });
  replay.add(10, population(30), 10);
  replay.addEarlier({ 1: population(5), 4: population(6), 9: population(1), 10: population(1) }, { 1: 500 }, 10);
  assert.deepEqual(replay.numbers, [1, 4, 9, 10]);
  assert.equal(replay.at(1).count, 500);
  assert.equal(replay.at(10).points.length, 30);
  replay.addEarlier({ 2: population(5), 6: population(5) }, {}, 10);
  assert.equal(replay.numbers.length, 4);
  assert.deepEqual([replay.numbers[0], replay.newest], [1, 10]);
  replay.addEarlier({ 11: population(5), 12: population(5) }, {}, 10);
  assert.equal(replay.newest, 10, "newer ones come as events, which the chart follows");
});

test("the generation that is looked at stays while others go", () => {
  const replay = new Replay({}, {}, { generations: 4, points: 10 });
  for (let generation = 0; generation < 20; generation += 1) replay.add(generation, population(5), Math.min(generation, 1));
  assert.equal(replay.at(1).points.length, 5);
});
