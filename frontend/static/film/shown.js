// The bars and the maps of a frame, painted.

import { answerOf, layersOf, planesOf } from "../inside/computed.js";
import { make } from "../inside/panel.js";
import { kind } from "../inside/says.js";
import { input, values } from "../home/network.js";
import { percent } from "../percent.js";

const MAPS = 8;
const LAYERS = 3;

/** What a frame makes of a fitted drawing: {probabilities, layers: [{kind, name, maps: [{width, height, data}]}]}. */
export function read(form, steps, seen) {
  const found = values(steps, input(form, seen));
  const maps = layersOf(steps).filter(({ gives }) => found[gives].shape.length === 3);
  const layers = maps.slice(0, LAYERS).map((layer) => ({ kind: kind(layer), name: layer.name, maps: planesOf(found[layer.gives], MAPS) }));
  return { probabilities: answerOf(form, found.at(-1).data), layers };
}

export function paintBars(list, probabilities, labels = []) {
  while (list.children.length < probabilities.length) {
    const name = labels[list.children.length] ?? String(list.children.length);
    list.append(make("li", {}, make("span", { textContent: name }), make("span", { className: "wb-film-bar" }), make("span")));
  }
  const best = probabilities.indexOf(Math.max(...probabilities));
  [...list.children].forEach((row, i) => {
    const p = probabilities[i] ?? 0;
    row.className = i === best ? "top" : "";
    row.style.setProperty("--p", p);
    row.lastChild.textContent = probabilities.length ? percent(p) : "";
  });
}

export function paintMaps(box, layers) {
  box.replaceChildren(...layers.map(({ kind, name, maps }) => {
    const most = Math.max(1e-9, ...maps.map(({ data }) => data.reduce((a, b) => Math.max(a, b), 0)));
    const tiles = maps.map(({ width, height, data }) => {
      const tile = make("canvas", { width, height });
      const context = tile.getContext("2d");
      const image = context.createImageData(width, height);
      data.forEach((v, i) => image.data.set([255, 255, 255, Math.round(255 * Math.max(0, v / most))], 4 * i));
      context.putImageData(image, 0, 0);
      return tile;
    });
    return make("div", { role: "img", ariaLabel: `The first maps of ${name}` }, make("span", { textContent: `${kind} ${name}` }), ...tiles);
  }));
}
