/** The slider over a search's front: the most accurate network for every latency limit, without asking the server. */
import { number, percent, quantity } from "./format.js";
import { drawNetwork } from "./network_drawing.js";
import { slowestWithin } from "./series.js";

/** A cautious search's last point need not be the most accurate. @param {number} lost a share */
export const givenUp = (lost) => (lost < 0 ? `nothing: ${number(-100 * lost, 2)} points more` : `${number(100 * lost, 2)} points`);

/**
 * @param {{labels: string[], points: any[]}} front fastest first
 * @param {(point: any) => void} onPick
 */
export function frontSlider(front, onPick) {
  const place = /** @type {HTMLElement | null} */ (document.querySelector("[data-front]"));
  const slider = /** @type {HTMLInputElement | null} */ (place?.querySelector("input[type=range]") ?? null);
  if (!place || !slider || !front?.points.length) return;
  const { labels } = front;
  const points = front.points.map((point, index) => ({ ...point, index })).filter((point) => point.on_slider ?? true);
  const best = points[points.length - 1];
  const frame = /** @type {HTMLElement | null} */ (place.querySelector("[data-drawing-frame]"));
  slider.min = String(points[0].cost_ms);
  slider.max = String(best.cost_ms);
  slider.value = slider.max;

  /** @param {string} name @param {string} text */
  const write = (name, text) => {
    const target = place.querySelector(`[data-${name}]`);
    if (target) target.textContent = text;
  };

  function show() {
    const target = Number(slider?.value);
    const index = slowestWithin(points, target);
    const point = points[index];
    write("target", quantity(target, "ms", 3));
    write("front-accuracy", percent(point.accuracy, 2));
    write("front-interval", `95 % interval: ${(100 * point.low).toFixed(1)} to ${percent(point.high, 1).replace(" ", "\u00a0")}`);
    write("front-latency", quantity(point.latency_ms, "ms", 3));
    write("front-lost", givenUp(best.accuracy - point.accuracy));
    slider?.setAttribute("aria-valuetext", `${quantity(target, "ms", 3)}: ${percent(point.accuracy, 2)}`);
    const list = place?.querySelector("[data-front-values]");
    list?.replaceChildren(...labels.map((label, at) => {
      const pair = document.createElement("div");
      const [term, value] = [document.createElement("dt"), document.createElement("dd")];
      term.textContent = label;
      value.textContent = String(point.values[at]);
      pair.append(term, value);
      return pair;
    }));
    const chosen = /** @type {HTMLInputElement | null} */ (place?.querySelector("input[name=index]") ?? null);
    if (chosen) chosen.value = String(point.index);
    if (frame && point.blocks) drawNetwork(frame, point.blocks);
    onPick(point);
  }

  slider.addEventListener("input", show);
  show();
}
