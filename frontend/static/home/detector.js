// The detector of what is no single digit (workbench/doubt), computed here: a few products of small matrices.

import { fromHalf } from "../film/frames.js";

const [SIDE, FIRST, SECOND] = [28, 12, 5]; // pixels of a side, and of what the two convolutions make of it
const [SEVERAL, OTHER] = [10, 11]; // its answers besides the ten digits

const half = (text) => fromHalf(Uint8Array.from(atob(text), (c) => c.charCodeAt(0)));

/** The detector of `doubt.json`; null where there is none. */
export const detectorOf = (told) =>
  told ? { limit: told.limit, layers: told.layers.map(({ shape, weights, bias }) => ({ shape, weights: half(weights), bias: half(bias) })) } : null;

/** What speaks against one digit in 28 × 28 fitted greys: {kind, score}; null where nothing does. */
export function doubtOf(detector, seen) {
  if (!detector) return null;
  const { kind, score } = judged(detector, seen);
  return score > detector.limit ? { kind, score } : null;
}

/** The likelier of the two kinds, and the share, 0 to 1, that speaks against one digit. */
export function judged({ layers }, seen) {
  const [first, second, third, last] = layers;
  let x = Float32Array.from(seen, (v) => v / 255);
  x = above(product(windows(x, SIDE, 1, 5, FIRST), first));
  x = above(product(windows(x, FIRST, first.shape[1], 3, SECOND), second));
  x = product(above(product(x, third)), last);
  const most = x.reduce((a, b) => Math.max(a, b), -Infinity);
  const odds = x.map((v) => Math.exp(v - most));
  const sum = odds.reduce((a, b) => a + b, 0);
  return { kind: odds[SEVERAL] > odds[OTHER] ? "several" : "no_digit", score: (odds[SEVERAL] + odds[OTHER]) / sum };
}

/** The windows of so many pixels a side, two apart, one after the other. */
function windows(x, side, channels, window, count) {
  const row = window * channels;
  const out = new Float32Array(count * count * window * row);
  let at = 0;
  for (let i = 0; i < count; i++) {
    for (let j = 0; j < count; j++) {
      for (let down = 0; down < window; down++, at += row) {
        const from = ((2 * i + down) * side + 2 * j) * channels;
        out.set(x.subarray(from, from + row), at);
      }
    }
  }
  return out;
}

/** Rows of numbers times the weights, and the bias added to each. */
function product(x, { shape: [many, units], weights, bias }) {
  const rows = x.length / many;
  const out = new Float32Array(rows * units);
  for (let r = 0; r < rows; r++) {
    const sums = out.subarray(r * units, (r + 1) * units);
    sums.set(bias);
    for (let i = 0; i < many; i++) {
      const v = x[r * many + i];
      if (v === 0) continue;
      for (let u = 0; u < units; u++) sums[u] += v * weights[i * units + u];
    }
  }
  return out;
}

const above = (x) => x.map((v) => Math.max(0, v));
