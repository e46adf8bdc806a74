/** The order of a run's events: nothing lost, nothing doubled, whatever the connection does. Pure. */

/**
 * One event of a run as it travels.
 * @typedef {{v: number, run: string, seq: number, kind: string, at: string, data: Record<string, any>}} Envelope
 */

/** Tells for each arriving seq whether it is the next one. */
export class Sequence {
  /** @param {number} after the last seq the page already shows */
  constructor(after) {
    this.last = after;
  }

  /**
   * @param {number} seq
   * @returns {"next" | "doubled" | "gap"} "gap" leaves `last` alone: reconnect after it to be sent what is missing
   */
  take(seq) {
    if (seq <= this.last) return "doubled";
    if (seq > this.last + 1) return "gap";
    this.last = seq;
    return "next";
  }
}

/** Holds events back while the person has paused, up to a bound. */
export class Hold {
  /** @param {number} bound */
  constructor(bound) {
    this.bound = bound;
    this.active = false;
    /** @type {Envelope[]} */
    this.waiting = [];
  }

  /**
   * @param {Envelope} event
   * @returns {boolean} false when full: the caller disconnects and later replays from the server instead
   */
  keep(event) {
    if (this.waiting.length >= this.bound) return false;
    this.waiting.push(event);
    return true;
  }

  /** @returns {Envelope[]} what waited, in order; the hold is empty and inactive afterwards */
  release() {
    const events = this.waiting;
    this.waiting = [];
    this.active = false;
    return events;
  }
}

/**
 * How long to wait before the next attempt: doubling from half a second to half a minute, of which half is
 * random so that many pages do not return in step.
 * @param {number} attempt 0 for the first
 * @param {() => number} random 0..1
 * @returns {number} milliseconds
 */
export function backoff(attempt, random = Math.random) {
  const ceiling = Math.min(30_000, 500 * 2 ** Math.min(attempt, 10));
  return ceiling / 2 + (ceiling / 2) * random();
}
