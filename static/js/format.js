/** Numbers, durations and times in words for people. Pure, apart from `keepTimesFresh`. */

/** What stands where there is no value; zero is written as 0. */
export const NO_DATA = "–";

/**
 * @param {number | null | undefined} value
 * @param {number} [digits] significant digits
 * @returns {string}
 */
export function number(value, digits = 4) {
  if (value === null || value === undefined || !Number.isFinite(value)) return NO_DATA;
  if (Number.isInteger(value) && Math.abs(value) < 1e9) return value.toLocaleString("en-GB");
  return value.toLocaleString("en-GB", { maximumSignificantDigits: digits });
}

/**
 * @param {number | null | undefined} fraction 0..1
 * @param {number} [decimals]
 */
export function percent(fraction, decimals = 1) {
  if (fraction === null || fraction === undefined || !Number.isFinite(fraction)) return NO_DATA;
  return `${(100 * fraction).toFixed(decimals)} %`;
}

/**
 * A value with its unit: quantity(3.14159, "ms") is "3.142 ms".
 * @param {number | null | undefined} value
 * @param {string} [unit]
 * @param {number} [digits]
 */
export function quantity(value, unit = "", digits = 4) {
  const text = number(value, digits);
  return unit && text !== NO_DATA ? `${text} ${unit}` : text;
}

/**
 * Large counts in short: 3,504,872 is "3.50 M".
 * @param {number | null | undefined} value
 */
export function compact(value) {
  if (value === null || value === undefined || !Number.isFinite(value)) return NO_DATA;
  const size = Math.abs(value);
  if (size >= 1e9) return `${(value / 1e9).toFixed(2)} G`;
  if (size >= 1e6) return `${(value / 1e6).toFixed(2)} M`;
  if (size >= 1e4) return `${(value / 1e3).toFixed(1)} k`;
  return number(value);
}

/**
 * @param {number | null | undefined} seconds
 * @returns {string} "8 s", "4 min 10 s", "2 h 5 min", "3 d 4 h"
 */
export function duration(seconds) {
  if (seconds === null || seconds === undefined || !Number.isFinite(seconds)) return NO_DATA;
  const whole = Math.max(0, Math.round(seconds));
  if (seconds < 10 && seconds !== whole) return `${seconds.toFixed(1)} s`;
  if (whole < 60) return `${whole} s`;
  const parts = [
    [Math.floor(whole / 86400), "d"],
    [Math.floor((whole % 86400) / 3600), "h"],
    [Math.floor((whole % 3600) / 60), "min"],
    [whole % 60, "s"],
  ];
  const first = parts.findIndex(([count]) => count > 0);
  return parts
    .slice(first, first + 2)
    .filter(([count]) => count > 0)
    .map(([count, unit]) => `${count} ${unit}`)
    .join(" ");
}

/**
 * How long is left, said as roughly as it is known.
 * @param {number | null | undefined} seconds
 */
export function about(seconds) {
  if (seconds === null || seconds === undefined || !Number.isFinite(seconds)) return "";
  if (seconds < 10) return "a few seconds left";
  if (seconds < 90) return `about ${Math.round(seconds / 10) * 10} s left`;
  if (seconds < 5400) return `about ${Math.round(seconds / 60)} min left`;
  return `about ${duration(Math.round(seconds / 600) * 600)} left`;
}

/**
 * @param {Date} then
 * @param {Date} now
 * @returns {string} "just now", "3 s ago", "5 min ago", "yesterday", "12 March 2026"
 */
export function relative(then, now) {
  const seconds = Math.round((now.getTime() - then.getTime()) / 1000);
  if (seconds < -60) return `in ${duration(-seconds)}`;
  if (seconds < 2) return "just now";
  if (seconds < 60) return `${seconds} s ago`;
  if (seconds < 3600) return `${Math.round(seconds / 60)} min ago`;
  if (seconds < 22 * 3600) return `${Math.round(seconds / 3600)} h ago`;
  if (seconds < 36 * 3600) return "yesterday";
  if (seconds < 30 * 86400) return `${Math.round(seconds / 86400)} days ago`;
  return then.toLocaleDateString("en-GB", { day: "numeric", month: "long", year: "numeric" });
}

/** @param {Date} moment */
export function absolute(moment) {
  return moment.toLocaleString("en-GB", { dateStyle: "medium", timeStyle: "medium" });
}

/** @param {ParentNode} root */
function refreshTimes(root) {
  const now = new Date();
  for (const element of /** @type {NodeListOf<HTMLTimeElement>} */ (root.querySelectorAll("time[title]"))) {
    const then = new Date(element.dateTime);
    if (Number.isNaN(then.getTime())) continue;
    element.textContent = relative(then, now);
    element.title = absolute(then);
  }
  for (const element of /** @type {NodeListOf<HTMLElement>} */ (root.querySelectorAll("[data-seconds]"))) {
    element.textContent = duration(Number(element.dataset.seconds));
  }
}

/** Shows times relative with the absolute on hover, and keeps them true. */
export function keepTimesFresh(root = document) {
  refreshTimes(root);
  setInterval(() => refreshTimes(root), 15_000);
}
