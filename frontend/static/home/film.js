// The film of learning: a drawing as a network reads it after so and so many steps. The network's numbers come once; all
// else is computed here.

import { PEN, blank, cleared, drawn, isEmpty } from "../drawing.js";
import { paper } from "../paper.js";
import { SIDE, pixels } from "../picture.js";
import { fit } from "./fit.js";
import { input, values, withNumbers } from "./network.js";

const FIRST = [{ width: PEN.first, points: [[80, 75], [200, 75], [175, 130], [130, 225]] }];
const MAPS = 8;
const LAYERS = 3;

/** Numbers of two bytes each (IEEE 754 binary16), as ordinary ones. */
export function fromHalf(view) {
  const bits = new DataView(view.buffer, view.byteOffset, view.byteLength);
  return Float32Array.from({ length: view.byteLength / 2 }, (_, i) => {
    const half = bits.getUint16(2 * i, true);
    const [exponent, rest] = [(half >> 10) & 31, half & 1023];
    const size = exponent ? 2 ** (exponent - 15) * (1 + rest / 1024) : 2 ** -14 * (rest / 1024);
    return half >> 15 ? -size : size;
  });
}

/** What a frame makes of a fitted drawing: {probabilities, layers: [{name, maps: [{width, height, data}]}]}. */
export function look(form, frame, seen) {
  const found = values(frame.steps, input(form, seen));
  const shown = frame.steps.filter(({ op, gives }) => ["relu", "activation", "largest"].includes(op) && found[gives].shape.length === 3);
  const layers = shown.slice(0, LAYERS).map(({ of, gives }) => {
    const { shape: [height, width, channels], data } = found[gives];
    const maps = Array.from({ length: Math.min(MAPS, channels) }, (_, k) => ({
      width, height, data: Float32Array.from({ length: width * height }, (_, i) => data[i * channels + k]),
    }));
    return { name: of, maps };
  });
  const answer = Array.from(found.at(-1).data);
  return { probabilities: answer.every((p) => p >= 0 && p <= 1) ? answer : softmax(answer), layers };
}

function softmax(logits) {
  const most = Math.max(...logits);
  const powers = logits.map((v) => Math.exp(v - most));
  const sum = powers.reduce((a, b) => a + b, 0);
  return powers.map((v) => v / sum);
}

const make = (tag, attributes = {}, ...children) => {
  const element = Object.assign(document.createElement(tag), attributes);
  element.append(...children);
  return element;
};

/** For anywidget: shows what the kernel sends, and asks it once for all that there is. */
export function render({ model, el }) {
  let form = null;
  let frames = []; // {step, steps}, by step
  let chosen = -1; // -1 follows the newest
  let history = { ...blank, drawing: FIRST };
  let unfinished = null;
  let due = 0;

  const canvas = make("canvas", { width: 280, height: 280, tabIndex: 0 });
  canvas.setAttribute("role", "application");
  canvas.setAttribute("aria-label", "Paper: space puts the pen down and lifts it, the arrow keys move it");
  const slider = make("input", { type: "range", min: 0, max: 0, value: 0, step: 1 });
  slider.setAttribute("aria-label", "Steps of training");
  const when = make("p", { className: "wb-film-when" });
  const bars = make("ol", { className: "wb-film-bars" });
  const maps = make("div", { className: "wb-film-maps" });
  const clear = make("button", { type: "button", textContent: "Clear" });
  const root = make("div", { className: "wb wb-film", hidden: true },
    make("h4", { textContent: "Watch it learn" }),
    make("p", { textContent: "Your drawing, as the network read it after so many steps of training. Draw another one." }),
    make("div", { className: "wb-film-scale" }, make("span", { textContent: "random" }), slider, make("span", { textContent: "now" })),
    when,
    make("div", { className: "wb-film-row" }, make("div", { className: "wb-film-paper" }, canvas, clear), bars, maps));
  el.replaceChildren(root);

  const sheet = paper({
    canvas,
    ring: document.createElement("div"),
    width: () => PEN.first,
    onStroke(stroke, finished) {
      unfinished = finished ? null : stroke;
      if (finished) history = drawn(history, stroke);
      sheet.show(history.drawing);
      ask();
    },
    onPen() {},
  });
  sheet.show(history.drawing);
  const ask = () => { due ||= requestAnimationFrame(show); };
  slider.addEventListener("input", () => {
    chosen = slider.valueAsNumber === frames.length - 1 ? -1 : slider.valueAsNumber;
    ask();
  });
  clear.addEventListener("click", () => {
    history = cleared(history);
    sheet.show(history.drawing);
    ask();
  });

  function show() {
    due = 0;
    root.hidden = !frames.length;
    if (root.hidden) return;
    const at = chosen < 0 ? frames.length - 1 : chosen;
    slider.value = at;
    const { step } = frames[at];
    when.textContent = step ? `after ${step.toLocaleString("en")} ${step === 1 ? "step" : "steps"}` : "before the first step: random numbers";
    slider.setAttribute("aria-valuetext", when.textContent);
    const drawing = unfinished ? drawn(history, unfinished).drawing : history.drawing;
    const seen = isEmpty(drawing) ? null : fit({ width: SIDE, height: SIDE, data: pixels(drawing) });
    const found = seen && look(form, frames[at], seen);
    paintBars(bars, found?.probabilities ?? []);
    paintMaps(maps, found?.layers ?? []);
  }

  function receive(message, buffers) {
    if (message.kind === "clear") frames = [];
    if (message.kind === "form") {
      form = message.form;
      frames = [];
      chosen = -1;
    }
    if (message.kind === "frame" && form) {
      const steps = withNumbers(form.steps, fromHalf(new Uint8Array(buffers[0].buffer ?? buffers[0], buffers[0].byteOffset ?? 0, buffers[0].byteLength)));
      frames = [...frames.filter((frame) => frame.step !== message.step), { step: message.step, steps }].sort((a, b) => a.step - b.step);
    }
    slider.max = Math.max(0, frames.length - 1); // at once: a key may come before the next frame of the screen
    ask();
  }
  model.on("msg:custom", receive);
  model.send({ kind: "ready" });
  return () => model.off("msg:custom", receive);
}

function paintBars(list, probabilities) {
  while (list.children.length < probabilities.length) {
    list.append(make("li", {}, make("span", { textContent: String(list.children.length) }), make("span", { className: "wb-film-bar" }), make("span")));
  }
  const best = probabilities.indexOf(Math.max(...probabilities));
  [...list.children].forEach((row, i) => {
    const p = probabilities[i] ?? 0;
    row.className = i === best ? "top" : "";
    row.style.setProperty("--p", p);
    row.lastChild.textContent = probabilities.length ? `${Math.round(100 * p)}%` : "";
  });
}

function paintMaps(box, layers) {
  box.replaceChildren(...layers.map(({ name, maps }) => {
    const most = Math.max(1e-9, ...maps.map(({ data }) => data.reduce((a, b) => Math.max(a, b), 0)));
    const tiles = maps.map(({ width, height, data }) => {
      const tile = make("canvas", { width, height });
      const context = tile.getContext("2d");
      const image = context.createImageData(width, height);
      data.forEach((v, i) => image.data.set([255, 255, 255, Math.round(255 * Math.max(0, v / most))], 4 * i));
      context.putImageData(image, 0, 0);
      return tile;
    });
    return make("div", { role: "img", ariaLabel: `The first maps of ${name}` }, make("span", { textContent: name }), ...tiles);
  }));
}
