import assert from "node:assert/strict";
import { test } from "node:test";
import { LiveRun } from "../../static/js/live.js";

/** A server and its network: sends what the test says, drops when the test says. */
function stage(after = 0) {
  const sockets = [];
  const seen = [];
  const states = [];
  const timers = [];
  class Socket {
    constructor(url) {
      this.url = url;
      this.closed = false;
      sockets.push(this);
    }
    close() {
      this.closed = true;
    }
  }
  const live = new LiveRun({
    url: "/ws/runs/1/",
    after,
    Socket,
    onEvent: (event) => seen.push(event.seq),
    onState: (state) => states.push(state),
    later: (run) => timers.push(run),
  });
  live.connect();
  const last = () => sockets[sockets.length - 1];
  return {
    live, sockets, seen, states, last,
    open: () => last().onopen(),
    send: (seq, kind = "sample", data = {}) =>
      last().onmessage({ data: JSON.stringify({ v: 1, run: "1", seq, kind, at: "2026-01-01T00:00:00Z", data }) }),
    drop: (code = 1006) => last().onclose({ code }),
    wait: () => timers.splice(0).forEach((run) => run()),
  };
}

test("it asks for what comes after the last event the page shows", () => {
  const { last } = stage(41);
  assert.equal(last().url, "/ws/runs/1/?after=41");
});

test("a doubled event is shown once", () => {
  const { open, send, seen } = stage();
  open();
  [1, 2, 2, 1, 3].forEach((seq) => send(seq));
  assert.deepEqual(seen, [1, 2, 3]);
});

test("after a lost connection it continues behind the last event seen", () => {
  const { open, send, drop, wait, last, seen, states } = stage();
  open();
  send(1);
  send(2);
  drop();
  assert.equal(states.at(-1), "reconnecting");
  wait();
  assert.equal(last().url, "/ws/runs/1/?after=2");
  open();
  send(3);
  assert.deepEqual(seen, [1, 2, 3]);
  assert.equal(states.at(-1), "live");
});

test("a gap is never shown: it reconnects and is sent what was missing", () => {
  const { open, send, wait, last, sockets, seen } = stage();
  open();
  send(1);
  send(4);
  assert.deepEqual(seen, [1]);
  assert.ok(sockets[0].closed);
  wait();
  assert.equal(last().url, "/ws/runs/1/?after=1");
  open();
  [2, 3, 4].forEach((seq) => send(seq));
  assert.deepEqual(seen, [1, 2, 3, 4]);
});

test("while paused nothing is shown, and resuming shows all of it in order", () => {
  const { live, open, send, seen, states } = stage();
  open();
  send(1);
  live.pause();
  send(2);
  send(3);
  assert.deepEqual(seen, [1]);
  assert.equal(states.at(-1), "paused");
  live.resume();
  assert.deepEqual(seen, [1, 2, 3]);
  assert.equal(states.at(-1), "live");
});

test("a pause too long to hold is replayed from the server instead", () => {
  const { live, open, send, last, seen } = stage();
  open();
  live.pause();
  for (let seq = 1; seq <= 5001; seq += 1) send(seq);
  assert.ok(last().closed);
  live.resume();
  assert.equal(seen.length, 5000);
  assert.equal(last().url, "/ws/runs/1/?after=5000");
  open();
  send(5001);
  assert.equal(seen.at(-1), 5001);
});

test("a connection lost while paused comes back and stays paused", () => {
  const { live, open, send, drop, wait, seen, states } = stage();
  open();
  live.pause();
  drop();
  wait();
  open();
  send(1);
  assert.deepEqual(seen, []);
  assert.equal(states.at(-1), "paused");
  live.resume();
  assert.deepEqual(seen, [1]);
});

test("the end of the run ends the connection for good", () => {
  const { open, send, drop, wait, sockets, states } = stage();
  open();
  send(1, "status", { status: "succeeded" });
  assert.equal(states.at(-1), "ended");
  drop();
  wait();
  assert.equal(sockets.length, 1);
});

test("a refusal is not tried again", () => {
  const { drop, wait, sockets, states } = stage();
  drop(4404);
  wait();
  assert.equal(states.at(-1), "refused");
  assert.equal(sockets.length, 1);
});

test("when the network is back it does not wait out the pause between attempts", () => {
  const { live, open, drop, wait, sockets } = stage();
  open();
  drop();
  live.hurry();
  assert.equal(sockets.length, 2);
  wait();
  assert.equal(sockets.length, 2);
});
