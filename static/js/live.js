/** The one connection to a run's events: follows, reconnects, replays, pauses. */
import { Hold, Sequence, backoff } from "./sequence.js";

/** @typedef {import("./sequence.js").Envelope} Envelope */
/** @typedef {"connecting" | "live" | "reconnecting" | "paused" | "ended" | "refused"} LiveState */

const TERMINAL = new Set(["succeeded", "failed", "cancelled"]);
const HELD_AT_MOST = 5000;

/**
 * Close codes with which the server says that trying again is of no use
 * (not signed in, another team's, no such run).
 * @param {number} code
 */
const isRefusal = (code) => code >= 4400 && code < 4500;

/**
 * @param {Envelope} event
 * @returns {boolean} whether the run is over with this event
 */
export function endsRun(event) {
  return event.kind === "status" && TERMINAL.has(event.data.status);
}

export class LiveRun {
  /**
   * @param {object} options
   * @param {string} options.url address of the socket, without the query
   * @param {number} options.after last seq the page already shows
   * @param {(event: Envelope) => void} options.onEvent called once per event, in order
   * @param {(state: LiveState) => void} options.onState
   * @param {new (url: string) => WebSocket} [options.Socket] another socket, for tests
   * @param {(run: () => void, milliseconds: number) => any} [options.later] another timer, for tests
   */
  constructor({ url, after, onEvent, onState, Socket, later }) {
    this.url = url;
    this.sequence = new Sequence(after);
    this.hold = new Hold(HELD_AT_MOST);
    this.onEvent = onEvent;
    this.onState = onState;
    this.Socket = Socket ?? WebSocket;
    this.later = later ?? ((run, milliseconds) => setTimeout(run, milliseconds));
    this.attempt = 0;
    /** @type {WebSocket | null} */
    this.socket = null;
    this.over = false;
    /** @type {LiveState} */
    this.state = "connecting";
    /** @type {Date | null} */
    this.updatedAt = null;
  }

  /** Opens the connection after the last event seen. */
  connect() {
    if (this.over || this.socket) return;
    const socket = new this.Socket(`${this.url}?after=${this.sequence.last}`);
    this.socket = socket;
    socket.onopen = () => this.#become(this.hold.active ? "paused" : "live");
    socket.onmessage = (message) => this.#receive(JSON.parse(message.data));
    socket.onclose = (event) => {
      if (socket === this.socket) this.#closed(event.code);
    };
  }

  /** Stops showing; what arrives is kept and shown on `resume`. */
  pause() {
    if (this.over) return;
    this.hold.active = true;
    this.#become("paused");
  }

  /** Shows what waited, in order, and goes on. */
  resume() {
    if (!this.hold.active) return;
    for (const event of this.hold.release()) this.#show(event);
    if (this.over) return;
    this.#become(this.socket ? "live" : "reconnecting");
    this.connect();
  }

  /** Tries at once instead of waiting out the pause between attempts. */
  hurry() {
    if (this.over || this.socket || this.hold.active) return;
    this.attempt = 0;
    this.connect();
  }

  /** Ends the connection for good. */
  close() {
    this.over = true;
    this.suspend();
  }

  /** Drops the connection; `hurry` takes it up again where it was. */
  suspend() {
    const socket = this.socket;
    this.socket = null;
    socket?.close();
  }

  /** @param {Envelope} event */
  #receive(event) {
    if (typeof event.seq !== "number") return;
    const place = this.sequence.take(event.seq);
    if (place === "doubled") return;
    if (place === "gap") return this.#restart();
    this.attempt = 0;
    if (!this.hold.active) return this.#show(event);
    if (!this.hold.keep(event)) {
      this.sequence.last = event.seq - 1;
      this.suspend();
    }
  }

  /** @param {Envelope} event */
  #show(event) {
    this.updatedAt = new Date();
    this.onEvent(event);
    if (!endsRun(event)) return;
    this.close();
    this.#become("ended");
  }

  /** @param {number} code */
  #closed(code) {
    this.socket = null;
    if (this.over) return;
    if (isRefusal(code)) {
      this.over = true;
      return this.#become("refused");
    }
    if (!this.hold.waiting.some(endsRun)) this.#retryLater();
  }

  #restart() {
    this.suspend();
    this.#retryLater();
  }

  #retryLater() {
    if (!this.hold.active) this.#become("reconnecting");
    this.later(() => this.connect(), backoff(this.attempt));
    this.attempt += 1;
  }

  /** @param {LiveState} state */
  #become(state) {
    if (state === this.state) return;
    this.state = state;
    this.onState(state);
  }
}

/** @param {string} path @returns {string} the socket's address on this page's own origin */
function socketAddress(path) {
  const address = new URL(path, location.href);
  address.protocol = address.protocol === "https:" ? "wss:" : "ws:";
  return address.href;
}

/**
 * Connects to a run's events and returns at once.
 * @param {{url: string, after: number, onEvent: (event: Envelope) => void, onState: (state: LiveState) => void}} options
 * @returns {LiveRun}
 */
export function connectRun(options) {
  const live = new LiveRun({ ...options, url: socketAddress(options.url) });
  live.connect();
  addEventListener("online", () => live.hurry());
  document.addEventListener("visibilitychange", () => {
    if (!document.hidden) live.hurry();
  });
  addEventListener("pagehide", () => live.suspend());
  addEventListener("pageshow", () => live.hurry());
  return live;
}
