// What is inside a network that the page computes itself, told as the back end's /inside tells it: of a model that trains,
// of a version's film, of a network at home. Pure functions of a form, its steps and a drawing as the model sees it.

import { input, values, window2d } from "../home/network.js";
import { picture } from "./bitmaps.js";

const MOST_MAPS = 16;
const MOST_VALUES = 128;
const KERNELS = 2; // convolutions whose numbers are told
const MOST_WEIGHTS = 6000;
const KINDS = {
  convolution: "convolution", depthwise: "convolution", dense: "dense", largest: "pooling", mean: "pooling",
  "largest of all": "pooling", "mean of all": "pooling", add: "addition", multiply: "product", join: "joined",
};
const INK = 32;
const MARGIN = 1 / 7; // how far around a part it is wiped away with it, in sides
const LEAST = 1e-6;
const MOST_CLASSES = 10;
const MOST_ALIKE = 5;

/**
 * The layers of a network: a convolution, what shifts and scales its result, and the activation after it are one.
 *
 * @returns [{name, kind, gives, step, after, folded}], in the order in which they are computed
 */
export function layersOf(steps) {
  const layers = [];
  const of = new Map([[0, null]]); // a value's number → its layer's; null is the input
  const begin = (step, kind) => {
    of.set(step.gives, layers.length);
    const taken = layers.some(({ name }) => name === step.of);
    layers.push({ name: taken ? `${step.of}'` : step.of, kind, gives: step.gives, step, after: null, folded: null });
  };
  for (const step of steps) {
    const at = of.get(step.takes[0]) ?? null;
    const layer = at === null ? null : layers[at];
    if (KINDS[step.op]) begin(step, KINDS[step.op]);
    else if (["reshape", "pad"].includes(step.op) || layer === null) of.set(step.gives, at);
    else if (step.op === "mean of views") { of.set(step.gives, at); layer.gives = step.gives; }
    else if (layer.gives !== step.takes[0] || (step.op === "affine" && layer.after)) begin(step, step.op === "affine" ? "normalisation" : "activation");
    else {
      of.set(step.gives, at);
      layer.gives = step.gives;
      if (step.op === "affine") layer.folded = layer.step.op === "convolution" && !layer.folded ? step : layer.folded;
      else layer.after = step.op === "relu" ? cutting(step) : step.kind;
    }
  }
  return layers;
}

const cutting = ({ below, from, most }) => (below || from ? "leaky relu" : most === null ? "relu" : `relu up to ${most}`);

/** What is the same for every drawing, as GET /inside tells it: the layers, and the numbers of the first convolutions. */
export function describe(form, steps) {
  const shapes = shapesOf(form, steps);
  const kernels = kernelsOf(steps);
  return { layers: layersOf(steps).map((layer) => ({ ...told(layer, shapes[layer.gives]), ...(kernels.has(layer.step) ? { kernel: kernel(layer, shapes) } : {}) })) };
}

/** What the layers make of a drawing, as POST /inside tells it; what takes longer comes with `explanation` and `likeness`. */
export function look(form, steps, seen) {
  const found = values(steps, input(form, seen));
  const probabilities = answerOf(form, found.at(-1).data);
  const digit = best(probabilities);
  const [first] = kernelsOf(steps).keys();
  const [height, width] = form.input.shape;
  return {
    digit,
    label: form.labels?.[digit] ?? String(digit),
    probabilities,
    seen: picture(seen, width, height),
    layers: layersOf(steps).map((layer) => ({
      ...told(layer, found[layer.gives].shape),
      ...shown(found[layer.gives]),
      ...(layer.step === first ? { takes: maps(planesOf(found[layer.step.takes[0]], MOST_MAPS)) } : {}),
    })),
    missing: {},
  };
}

/**
 * What spoke for and against each class (occlusion), as POST /inside tells it; it gives way after each part.
 *
 * @param grid parts of a side
 */
export function* explanation(form, steps, seen, grid) {
  const [height, width] = form.input.shape;
  const ask = (pixels) => answerOf(form, values(steps, input(form, pixels)).at(-1).data);
  const scores = ask(seen);
  const classes = scores.map((_, i) => i).sort((a, b) => scores[b] - scores[a]).slice(0, MOST_CLASSES).sort((a, b) => a - b);
  const changes = classes.map(() => new Array(grid * grid).fill(0));
  const edge = (i, size) => Math.round((i * size) / grid);
  const spots = function* (i, j, margin) {
    const [above, beside] = [Math.round(height * margin), Math.round(width * margin)];
    for (let y = Math.max(0, edge(i, height) - above); y < Math.min(height, edge(i + 1, height) + above); y++) {
      for (let x = Math.max(0, edge(j, width) - beside); x < Math.min(width, edge(j + 1, width) + beside); x++) {
        yield y * width + x;
      }
    }
  };
  for (let i = 0; i < grid; i++) {
    for (let j = 0; j < grid; j++) {
      if (![...spots(i, j, 0)].some((at) => seen[at] >= INK)) continue;
      yield;
      const wiped = Uint8Array.from(seen);
      for (const at of spots(i, j, MARGIN)) wiped[at] = 0;
      const without = ask(wiped);
      classes.forEach((digit, k) => {
        changes[k][i * grid + j] = Math.round(100 * (odds(scores[digit]) - odds(without[digit]))) / 100;
      });
    }
  }
  return { method: "occlusion", grid, classes, changes };
}

const odds = (p) => {
  const clipped = Math.min(1 - LEAST, Math.max(LEAST, p));
  return Math.log(clipped / (1 - clipped));
};

/** The numbers before the last layer, which the network decides by; null where there is no layer before it. */
export function features(form, steps, seen) {
  const layers = layersOf(steps);
  if (layers.length < 2) return null;
  const { data } = values(steps, input(form, seen))[layers.at(-1).step.takes[0]];
  const length = Math.max(1e-9, Math.hypot(...data));
  return data.map((v) => v / length);
}

/** The features of each example, [[label, pixels, features], …]; it gives way after each. */
export function* learned(form, steps, examples) {
  const found = [];
  for (const { label, pixels } of examples) {
    yield;
    found.push({ label, pixels, features: features(form, steps, pixels) });
  }
  return found;
}

/** The examples most like a drawing, as POST /inside tells them. */
export function likeness(form, steps, seen, known) {
  const mine = features(form, steps, seen);
  if (!mine) return [];
  const [height, width] = form.input.shape;
  return known
    .map((one) => ({ ...one, likeness: one.features.reduce((sum, v, i) => sum + v * mine[i], 0) }))
    .sort((a, b) => b.likeness - a.likeness)
    .slice(0, MOST_ALIKE)
    .map(({ label, pixels, likeness: alike }) => ({ label, picture: picture(pixels, width, height), likeness: alike }));
}

/** The examples that came with a form: [{label, pixels}]. */
export function examplesOf(form) {
  if (!form.examples) return [];
  const bytes = Uint8Array.from(atob(form.examples.pixels), (c) => c.charCodeAt(0));
  const size = form.input.shape.reduce((a, b) => a * b, 1);
  return form.examples.labels.map((label, i) => ({ label, pixels: bytes.subarray(i * size, (i + 1) * size) }));
}

/** The last layer's numbers as probabilities. */
export function answerOf(form, data) {
  const numbers = Array.from(data);
  if (form.output !== "logits" && numbers.every((p) => p >= 0 && p <= 1)) return numbers;
  const most = Math.max(...numbers);
  const powers = numbers.map((v) => Math.exp(v - most));
  const sum = powers.reduce((a, b) => a + b, 0);
  return powers.map((v) => v / sum);
}

// ── layers ──────────────────────────────────────────────────────────────────────────────────────

const best = (numbers) => numbers.indexOf(Math.max(...numbers));

const flat = ([rows, columns, ...rest]) => (rest.length && rows === 1 && columns === 1 ? rest : [rows, columns, ...rest].filter((v) => v !== undefined));

const told = ({ name, kind, after }, shape) => ({ name, kind, shape: flat(shape), ...(after ? { after } : {}) });

/** The shape of each value, of a drawing without ink. */
const shapesOf = (form, steps) => values(steps, input(form, new Uint8Array(form.input.shape.reduce((a, b) => a * b, 1)))).map(({ shape }) => shape);

function shown(found) {
  const shape = flat(found.shape);
  if (!found.data.every(Number.isFinite)) return { maps: [], missing: "it gives no finite numbers" };
  if (shape.length === 3) {
    const left = shape[2] - MOST_MAPS;
    return { ...maps(planesOf(found, MOST_MAPS)), ...(left > 0 ? { left_out: left } : {}) };
  }
  if (shape.length !== 1) return { maps: [], missing: "numbers in this order are no picture" };
  const numbers = found.data.subarray(0, MOST_VALUES);
  const left = shape[0] - MOST_VALUES;
  const all = maps([{ width: numbers.length, height: 1, data: numbers }]);
  return { ...all, values: Array.from(numbers), ...(left > 0 ? { left_out: left } : {}) };
}

/** A value's maps: [{width, height, data}]. */
export function planesOf({ shape: [height, width, channels], data }, most) {
  return Array.from({ length: Math.min(most, channels) }, (_, k) => ({
    width, height, data: Float32Array.from({ length: width * height }, (_, i) => data[i * channels + k]),
  }));
}

/** Pictures of planes, all by one scale. */
function maps(planes) {
  const low = planes.reduce((least, { data }) => data.reduce((a, b) => Math.min(a, b), least), Infinity);
  const high = planes.reduce((most, { data }) => data.reduce((a, b) => Math.max(a, b), most), -Infinity);
  const scale = high > low ? 255 / (high - low) : 0;
  return {
    maps: planes.map(({ width, height, data }) => picture(Uint8Array.from(data, (v) => Math.round((v - low) * scale)), width, height)),
    range: [low, high],
  };
}

// ── convolutions ────────────────────────────────────────────────────────────────────────────────

/** The steps of the convolutions whose numbers are told: of the first ones, as far as they are few. */
function kernelsOf(steps) {
  const found = new Map();
  let numbers = 0;
  for (const step of steps.filter(({ op }) => op === "convolution").slice(0, KERNELS)) {
    numbers += step.weights[0].data.length;
    if (numbers <= MOST_WEIGHTS) found.set(step, step);
  }
  return found;
}

/** A convolution's numbers, filter by filter, with what scales and shifts its result. */
function kernel({ step, folded }, shapes) {
  const [{ shape: [rows, columns, channels, filters], data }, bias] = step.weights;
  const scale = (f) => (folded ? folded.weights[0].data[f % folded.weights[0].data.length] : 1);
  const shift = (f) => (folded ? folded.weights[1].data[f % folded.weights[1].data.length] : 0);
  const weights = [];
  for (let f = 0; f < filters; f++) {
    for (let k = 0; k < channels; k++) {
      for (let cell = 0; cell < rows * columns; cell++) weights.push(data[(cell * channels + k) * filters + f] * scale(f));
    }
  }
  const { top, left, sy, sx, dy, dx } = window2d(step, shapes[step.takes[0]], [rows, columns]);
  return {
    shape: [filters, channels, rows, columns],
    weights,
    bias: Array.from({ length: filters }, (_, f) => (bias ? bias.data[f] : 0) * scale(f) + shift(f)),
    strides: [sy, sx],
    pads: [top, left, 0, 0],
    dilations: [dy, dx],
  };
}
