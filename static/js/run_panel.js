/** Keeps what a page says about its run true: status, progress, times, log, connection, tab, notices. */
import { about, duration, number, relative } from "./format.js";
import { connectRun } from "./live.js";
import { refreshParts } from "./refresh.js";
import { announce, icon, notify, toastNextPage, wireNotifyButton } from "./toast.js";

/** @typedef {import("./sequence.js").Envelope} Envelope */

const FINAL = new Set(["succeeded", "failed", "cancelled"]);
const LOG_LINES = 400;
const WORDS = {
  connecting: "Connecting",
  live: "Live",
  reconnecting: "Reconnecting",
  paused: "Updates paused",
  ended: "Ended",
  refused: "Not connected: reload the page",
};

/** @param {string | undefined} text @returns {Date | null} */
const moment = (text) => (text ? new Date(text) : null);

/** What the page knows of its run, and the elements that show it. */
class RunPanel {
  /** @param {HTMLElement} element the section of components/run_panel.html @param {boolean} owner whether the tab is about this run */
  constructor(element, owner) {
    const { dataset } = element;
    this.element = element;
    this.owner = owner;
    this.status = dataset.status ?? "";
    this.done = Number(dataset.done);
    this.total = dataset.total ? Number(dataset.total) : null;
    this.started = moment(dataset.started);
    this.finished = moment(dataset.finished);
    this.paceAt = moment(dataset.paceAt);
    this.paceDone = Number(dataset.paceDone);
    this.pageTitle = document.title;
  }

  /** @param {string} selector @returns {HTMLElement | null} */
  find(selector) {
    return this.element.querySelector(selector);
  }

  /** @param {Envelope} event */
  take(event) {
    if (event.kind === "status") this.#statusChanged(event);
    if (event.kind === "progress") {
      this.done = event.data.done;
      this.total = event.data.total;
    }
    const message = this.find("[data-run-message]");
    if (message && typeof event.data.message === "string") message.textContent = event.data.message;
    this.show();
  }

  /** @param {Envelope} event */
  #statusChanged(event) {
    this.status = event.data.status;
    if (this.status === "running") {
      this.started ??= new Date(event.at);
      this.paceAt = new Date(event.at);
      this.paceDone = this.done;
    }
    if (FINAL.has(this.status)) this.finished = new Date(event.at);
    const scope = this.owner ? document : this.element;
    for (const badge of /** @type {NodeListOf<HTMLElement>} */ (scope.querySelectorAll("[data-run-status]"))) {
      const word = this.status.charAt(0).toUpperCase() + this.status.slice(1);
      badge.className = `status status-${this.status}`;
      badge.replaceChildren(icon(this.status), Object.assign(document.createElement("span"), { textContent: word }));
    }
    const failure = this.find("[data-run-failure]");
    const reason = this.find("[data-run-reason]");
    if (failure) failure.hidden = this.status !== "failed";
    if (reason) reason.textContent = event.data.reason ?? "";
  }

  /** @returns {number | null} seconds left at the present pace */
  secondsLeft() {
    const made = this.done - this.paceDone;
    if (this.status !== "running" || !this.total || !this.paceAt || made <= 0) return null;
    return ((Date.now() - this.paceAt.getTime()) / 1000 / made) * Math.max(0, this.total - this.done);
  }

  show() {
    const bar = /** @type {HTMLProgressElement | null} */ (this.find("progress"));
    const step = this.find("[data-run-step]");
    if (bar) this.#showBar(bar);
    if (step && this.total) step.textContent = `${number(this.done)} of ${number(this.total)} ${step.dataset.unit}`;
    this.showTime();
  }

  /** @param {HTMLProgressElement} bar */
  #showBar(bar) {
    bar.className = `bar is-${this.status}${bar.classList.contains("is-slim") ? " is-slim" : ""}`;
    if (this.total) {
      bar.max = this.total;
      bar.value = this.done;
    } else if (this.status === "running") {
      bar.removeAttribute("value");
    } else {
      bar.max = 1;
      bar.value = this.status === "succeeded" ? 1 : 0;
    }
  }

  /** Times and the tab, which change without any event. */
  showTime() {
    const place = this.find("[data-run-time]");
    if (place && this.started) {
      const spent = ((this.finished ?? new Date()).getTime() - this.started.getTime()) / 1000;
      const left = about(this.secondsLeft());
      place.textContent = this.finished ? `took ${duration(spent)}` : [duration(spent), left].filter(Boolean).join(" · ");
    }
    if (this.owner) this.#showTab();
  }

  #showTab() {
    const share = this.total ? `${Math.floor((100 * this.done) / this.total)} %` : "Running";
    const words = { queued: "Queued", running: share, paused: "Paused", succeeded: "Done", failed: "Failed", cancelled: "Cancelled" };
    document.title = `${words[this.status] ?? ""} · ${this.pageTitle}`;
    const favicon = /** @type {HTMLLinkElement | null} */ (document.querySelector("link[rel='icon']"));
    const mark = favicon?.dataset[this.status];
    if (favicon && mark && favicon.getAttribute("href") !== mark) favicon.href = mark;
  }

  /** The page is drawn anew in its final state, and then says what happened. */
  tellEnd() {
    const name = this.element.dataset.title ?? "The run";
    const reason = this.find("[data-run-reason]")?.textContent ?? "";
    const words = { succeeded: "has finished.", failed: `failed: ${reason}`, cancelled: "was cancelled." };
    const tone = { succeeded: "success", failed: "error", cancelled: "info" };
    notify("ChamNet", `${name} ${words[this.status]}`);
    toastNextPage(`${name} ${words[this.status]}`, tone[this.status]);
    setTimeout(() => location.reload(), 1000);
  }
}

/** @param {Envelope} event @returns {string} */
function logText(event) {
  if (event.kind === "log") return event.data.text;
  if (event.kind === "status") return `Status: ${event.data.status}${event.data.reason ? `. ${event.data.reason}` : ""}`;
  return event.data.message || event.kind;
}

/** @param {Envelope} event */
function appendLog(event) {
  const list = document.querySelector("[data-log]");
  if (!list) return;
  const atEnd = list.scrollTop + list.clientHeight >= list.scrollHeight - 8;
  const line = document.createElement("li");
  if (event.data.level) line.className = `is-${event.data.level}`;
  const time = document.createElement("time");
  time.dateTime = event.at;
  time.textContent = event.at.slice(11, 19);
  line.append(time, logText(event));
  list.append(line);
  while (list.childElementCount > LOG_LINES) list.firstElementChild?.remove();
  if (atEnd) list.scrollTop = list.scrollHeight;
}

/** The line that says whether the page is live. @param {import("./live.js").LiveRun} live @param {HTMLElement | null} place */
function wireLiveState(live, place) {
  if (!place) return () => {};
  const words = place.querySelector("[data-live-words]");
  const age = place.querySelector("[data-live-age]");
  const pause = /** @type {HTMLButtonElement | null} */ (place.querySelector("[data-live-pause]"));
  const ask = /** @type {HTMLElement | null} */ (place.querySelector("[data-notify]"));
  if (ask) wireNotifyButton(ask);
  pause?.addEventListener("click", () => {
    const held = live.state === "paused";
    if (held) live.resume();
    else live.pause();
    pause.setAttribute("aria-pressed", String(!held));
    pause.textContent = held ? "Pause updates" : "Resume updates";
  });
  return () => {
    place.dataset.live = live.state;
    if (words) words.textContent = WORDS[live.state];
    const waiting = live.hold.waiting.length;
    if (age) age.textContent = waiting ? `${number(waiting)} waiting` : live.updatedAt ? `updated ${relative(live.updatedAt, new Date())}` : "";
    if (pause) pause.hidden = live.state === "ended" || live.state === "refused";
  };
}

/**
 * Follows one run.
 * @param {HTMLElement} element
 * @param {(event: Envelope) => void} onEvent
 * @param {boolean} owner
 */
function follow(element, onEvent, owner) {
  const panel = new RunPanel(element, owner);
  panel.show();
  if (FINAL.has(panel.status)) return;
  let showLive = () => {};
  const live = connectRun({
    url: `/ws/runs/${element.dataset.run}/`,
    after: Number(element.dataset.seq),
    onEvent: (event) => {
      panel.take(event);
      if (owner) appendLog(event);
      onEvent(event);
      if (event.kind === "status") refreshParts();
      if (event.kind === "status" && FINAL.has(panel.status)) panel.tellEnd();
    },
    onState: (state) => {
      showLive();
      if (state === "reconnecting") announce("The connection was lost; reconnecting.");
    },
  });
  showLive = wireLiveState(live, element.querySelector("#live"));
  showLive();
  setInterval(() => {
    panel.showTime();
    showLive();
  }, 1000);
}

/**
 * Follows the run this page is about, if it shows one.
 * @param {Record<string, (data: Record<string, any>, event: Envelope) => void>} [handlers] by kind of event
 */
export function followPageRun(handlers = {}) {
  const element = /** @type {HTMLElement | null} */ (document.querySelector("[data-run]"));
  if (element) follow(element, (event) => handlers[event.kind]?.(event.data, event), true);
}

/** Follows every run a page lists. */
export function followListedRuns() {
  for (const element of /** @type {NodeListOf<HTMLElement>} */ (document.querySelectorAll("[data-run]"))) follow(element, () => {}, false);
}
