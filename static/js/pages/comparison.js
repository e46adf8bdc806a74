/** Candidates side by side: their drawings on one scale, and two of them layer by layer, linked with the table of layers. */
import { figure } from "../charts.js";
import { percent, quantity } from "../format.js";
import { linkPage } from "../highlight.js";
import { chooseLayer, linkLayers } from "../layer_links.js";
import { drawNetwork } from "../network_drawing.js";
import { pageState } from "../state.js";

/** @typedef {{name: string, device: string, blocks: import("../network_drawing.js").Block[], layers: [string, number][]}} Network */

const { networks, layers } = /** @type {{networks: Network[], layers: import("../layer_links.js").Layer[]}} */ (pageState());
const sides = ["left", "right"].map((side) => /** @type {HTMLSelectElement | null} */ (document.querySelector(`[data-side="${side}"]`)));
const measured = networks.flatMap((network, at) => (network.layers.length ? [at] : []));
const spec = {
  name: "latency-by-layer",
  x: { label: "Layer", type: /** @type {const} */ ("category"), categories: /** @type {string[]} */ ([]) },
  y: { label: "Predicted latency", unit: "µs" },
  series: [
    { id: "left", label: "", draw: /** @type {const} */ ("bars"), slot: 1 },
    { id: "right", label: "", draw: /** @type {const} */ ("bars"), slot: 2 },
  ],
  onPick: chooseLayer,
};

function chosen() {
  return sides.map((select, at) => networks[Number(select?.value ?? measured[at])]);
}

function nameSides() {
  chosen().forEach((network, at) => {
    spec.series[at].label = `${network.name}, on ${network.device}`;
  });
}

function fillSelects() {
  const asked = new URLSearchParams(location.search);
  sides.forEach((select, side) => {
    select?.replaceChildren(...measured.map((at) => new Option(networks[at].name, String(at))));
    const wanted = Number(asked.get(["left", "right"][side]) ?? measured[side]);
    if (select) select.value = String(measured.includes(wanted) ? wanted : measured[side]);
  });
}

/** @param {import("../charts.js").Figure | null} chart */
function draw(chart) {
  const pair = chosen();
  const held = new Set(pair.flatMap((network) => network.layers.map(([name]) => name)));
  spec.x.categories = layers.flatMap(({ name }) => (held.has(name) ? [name] : []));
  pair.forEach((network, at) => chart?.set(spec.series[at].id, network.layers.map(([x, y]) => ({ x, y, key: x }))));
  const [left, right] = pair.map((network) => network.layers.reduce((sum, [, us]) => sum + us, 0));
  const [fewer, more] = left <= right ? pair : [pair[1], pair[0]];
  const share = Math.abs(left - right) / Math.max(left, right);
  const said = `${fewer.name} takes ${percent(share, 0)} less time in its layers than ${more.name}`;
  chart?.finding(share < 0.005 ? `Both take ${quantity(left / 1000, "ms", 3)} in their layers` : said);
  chart?.draw();
}

/** @returns {import("../charts.js").Figure | null} of two networks; null where fewer have latencies */
function layerChart() {
  if (measured.length < 2) return null;
  fillSelects();
  nameSides();
  const chart = figure("layers", spec);
  draw(chart);
  sides.forEach((select, side) => select?.addEventListener("change", () => {
    const asked = new URLSearchParams(location.search);
    asked.set(["left", "right"][side], select.value);
    history.replaceState(null, "", `?${asked}${location.hash}`);
    nameSides();
    chart?.relabel();
    draw(chart);
  }));
  return chart;
}

const markBlock = linkLayers(layers, layerChart());
const scale = networks.flatMap((network) => network.blocks);
networks.forEach((network, at) => {
  const frame = /** @type {HTMLElement | null} */ (document.querySelector(`[data-network="${at}"] [data-drawing-frame]`));
  if (frame) drawNetwork(frame, network.blocks, markBlock, scale);
});
linkPage();
