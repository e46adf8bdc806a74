/** Short notices: toasts, what a screen reader is told, and the browser's own notifications. */

/**
 * An icon of the sprite, the same that templates draw.
 * @param {string} name
 * @returns {SVGSVGElement}
 */
export function icon(name) {
  const space = "http://www.w3.org/2000/svg";
  const svg = document.createElementNS(space, "svg");
  svg.setAttribute("class", "icon");
  svg.setAttribute("aria-hidden", "true");
  const use = document.createElementNS(space, "use");
  use.setAttribute("href", `${document.body.dataset.icons}#${name}`);
  svg.append(use);
  return svg;
}

/**
 * Tells a milestone to screen readers; never used for single points of data.
 * @param {string} text
 */
export function announce(text) {
  const region = document.getElementById("milestones");
  if (region) region.textContent = text;
}

const ICONS = { success: "succeeded", error: "failed", warning: "stale", info: "info" };

/**
 * Shows a notice in the corner and announces it. It stays until closed when it tells of an error.
 * @param {string} text
 * @param {"success" | "error" | "warning" | "info"} [tone]
 */
export function toast(text, tone = "info") {
  const place = document.getElementById("toasts");
  if (!place) return;
  const notice = document.createElement("div");
  notice.className = `notice notice-${tone}`;
  const words = document.createElement("div");
  words.textContent = text;
  const close = document.createElement("button");
  close.type = "button";
  close.className = "button button-quiet button-small button-icon";
  close.setAttribute("aria-label", "Close this notice");
  close.append(icon("close"));
  close.addEventListener("click", () => notice.remove());
  notice.append(icon(ICONS[tone]), words, close);
  place.append(notice);
  announce(text);
  if (tone !== "error") setTimeout(() => notice.remove(), 12_000);
}

/**
 * Leaves a notice for the page that comes next, for when this one is about to be drawn anew.
 * @param {string} text
 * @param {"success" | "error" | "warning" | "info"} tone
 */
export function toastNextPage(text, tone) {
  try {
    sessionStorage.setItem("notice", JSON.stringify({ text, tone }));
  } catch {
    // Without storage the page's final state has to speak for itself.
  }
}

/** Shows what the page before left to be said. */
export function showLeftNotice() {
  try {
    const left = JSON.parse(sessionStorage.getItem("notice") ?? "null");
    sessionStorage.removeItem("notice");
    if (left) toast(left.text, left.tone);
  } catch {
    // As above.
  }
}

/** @returns {boolean} whether the person asked for the browser's notifications, here and in the browser */
export function notifies() {
  if (!("Notification" in window) || Notification.permission !== "granted") return false;
  try {
    return localStorage.getItem("notify") === "on";
  } catch {
    return false;
  }
}

/**
 * The browser's own notification, when the person asked for it and looks elsewhere.
 * @param {string} title
 * @param {string} body
 */
export function notify(title, body) {
  if (!document.hidden || !notifies()) return;
  try {
    new Notification(title, { body });
  } catch {
    // Some browsers notify from service workers only.
  }
}

/** @param {boolean} wanted */
function rememberNotify(wanted) {
  try {
    localStorage.setItem("notify", wanted ? "on" : "off");
  } catch {
    // Without storage nothing is remembered, and nothing is notified.
  }
}

/**
 * A switch for notifications. Only a press asks the browser for leave; it hides where that was refused.
 * @param {HTMLElement} button
 */
export function wireNotifyButton(button) {
  const show = () => {
    button.hidden = !("Notification" in window) || Notification.permission === "denied";
    button.setAttribute("aria-pressed", String(notifies()));
  };
  show();
  button.addEventListener("click", async () => {
    if (notifies()) {
      rememberNotify(false);
      toast("The browser will not notify you.");
    } else {
      const answer = await Notification.requestPermission();
      rememberNotify(answer === "granted");
      toast(answer === "granted" ? "You will be notified when this ends." : "The browser was told not to notify.");
    }
    show();
  });
}
