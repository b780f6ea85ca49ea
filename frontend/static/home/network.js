// A network as browser.json describes it, computed here: one drawing at a time, channels last. Values are
// {shape: [height, width, channels] or [n], data: Float32Array}.

const value = (shape, data = new Float32Array(shape.reduce((a, b) => a * b, 1))) => ({ shape, data });

/** The numbers of the form, cut into the arrays of its steps. */
export function opened(form) {
  const bytes = Uint8Array.from(atob(form.weights), (c) => c.charCodeAt(0));
  return withNumbers(form.steps, new Float32Array(bytes.buffer));
}

/** The steps, each with its own arrays of the numbers. */
export function withNumbers(steps, numbers) {
  let at = 0;
  return steps.map((step) => ({
    ...step,
    weights: (step.shapes ?? []).map((shape) => {
      const size = shape.reduce((a, b) => a * b, 1);
      at += size;
      return value(shape, numbers.subarray(at - size, at));
    }),
  }));
}

/** The input of the grey pixels that the model sees. */
export function input(form, pixels) {
  const [low, high] = form.input.range;
  return value(form.input.shape, Float32Array.from(pixels, (p) => Math.fround(Math.fround(p * Math.fround((high - low) / 255)) + low)));
}

/**
 * Every value that is computed on the way, by its number; the last one is the answer. Of a network that looks several
 * times they are those of its first look, but for the mean and what comes after it.
 */
export function values(steps, x) {
  const turns = steps.find(({ op }) => op === "views")?.turns ?? [0];
  const end = steps.findIndex(({ op }) => op === "mean of views") + 1 || steps.length;
  const [found, ...others] = turns.map((turn) => computed(steps.slice(0, end), [x], turn));
  const { gives } = steps[end - 1] ?? { gives: 0 };
  if (others.length) found[gives] = each(found[gives], (v, i) => others.reduce((sum, one) => sum + one[gives].data[i], v) / turns.length);
  return computed(steps.slice(end), found, 0);
}

function computed(steps, found, turn) {
  for (const step of steps) found[step.gives] = OPS[step.op](step.op === "views" ? { turn } : step, ...step.takes.map((n) => found[n]));
  return found;
}

/** The ten probabilities of grey pixels. */
export function probabilities(form, steps, pixels) {
  let { data } = values(steps, input(form, pixels)).at(-1);
  if (form.output === "logits") ({ data } = softmax({ shape: [data.length], data }));
  return Array.from(data);
}

const each = ({ shape, data }, f) => value(shape, data.map(f));
const last = (shape) => shape[shape.length - 1];

/** How a window of so many rows and columns goes over a picture: the size of what comes out, and where it begins. */
export function window2d(step, [height, width], [rows, columns]) {
  const [sy, sx] = step.strides;
  const [dy, dx] = step.dilation ?? [1, 1];
  const [ry, rx] = [(rows - 1) * dy + 1, (columns - 1) * dx + 1];
  if (step.padding === "same") {
    const [h, w] = [Math.ceil(height / sy), Math.ceil(width / sx)];
    const missing = (out, stride, reach, size) => Math.floor(Math.max(0, (out - 1) * stride + reach - size) / 2);
    return { h, w, top: missing(h, sy, ry, height), left: missing(w, sx, rx, width), sy, sx, dy, dx };
  }
  return { h: Math.floor((height - ry) / sy) + 1, w: Math.floor((width - rx) / sx) + 1, top: 0, left: 0, sy, sx, dy, dx };
}

function convolution(step, x) {
  const [kernel, bias] = step.weights;
  const [rows, columns, channels, filters] = kernel.shape;
  const [height, width] = x.shape;
  const { h, w, top, left, sy, sx, dy, dx } = window2d(step, x.shape, kernel.shape);
  const out = value([h, w, filters]);
  const sums = new Float64Array(filters);
  for (let i = 0; i < h; i++) {
    for (let j = 0; j < w; j++) {
      if (bias) sums.set(bias.data); else sums.fill(0);
      for (let r = 0; r < rows; r++) {
        const y = i * sy - top + r * dy;
        if (y < 0 || y >= height) continue;
        for (let c = 0; c < columns; c++) {
          const at = j * sx - left + c * dx;
          if (at < 0 || at >= width) continue;
          for (let k = 0; k < channels; k++) {
            const v = x.data[(y * width + at) * channels + k];
            if (v === 0) continue;
            const from = ((r * columns + c) * channels + k) * filters;
            for (let f = 0; f < filters; f++) sums[f] += v * kernel.data[from + f];
          }
        }
      }
      out.data.set(sums, (i * w + j) * filters);
    }
  }
  return out;
}

function depthwise(step, x) {
  const [kernel, bias] = step.weights;
  const [rows, columns, channels, many] = kernel.shape;
  const [height, width] = x.shape;
  const { h, w, top, left, sy, sx, dy, dx } = window2d(step, x.shape, kernel.shape);
  const out = value([h, w, channels * many]);
  for (let i = 0; i < h; i++) {
    for (let j = 0; j < w; j++) {
      for (let k = 0; k < channels; k++) {
        for (let m = 0; m < many; m++) {
          let sum = bias ? bias.data[k * many + m] : 0;
          for (let r = 0; r < rows; r++) {
            const y = i * sy - top + r * dy;
            if (y < 0 || y >= height) continue;
            for (let c = 0; c < columns; c++) {
              const at = j * sx - left + c * dx;
              if (at < 0 || at >= width) continue;
              sum += x.data[(y * width + at) * channels + k] * kernel.data[((r * columns + c) * channels + k) * many + m];
            }
          }
          out.data[(i * w + j) * channels * many + k * many + m] = sum;
        }
      }
    }
  }
  return out;
}

function dense({ weights: [kernel, bias] }, x) {
  const [many, units] = kernel.shape;
  const rows = x.data.length / many;
  const out = value([...x.shape.slice(0, -1), units]);
  const sums = new Float64Array(units);
  for (let r = 0; r < rows; r++) {
    if (bias) sums.set(bias.data); else sums.fill(0);
    for (let i = 0; i < many; i++) {
      const v = x.data[r * many + i];
      if (v === 0) continue;
      for (let u = 0; u < units; u++) sums[u] += v * kernel.data[i * units + u];
    }
    out.data.set(sums, r * units);
  }
  return out;
}

const pool = (start, add, end) => (step, x) => {
  const [height, width, channels] = x.shape;
  const { h, w, top, left, sy, sx } = window2d(step, x.shape, step.size);
  const out = value([h, w, channels]);
  for (let i = 0; i < h; i++) {
    for (let j = 0; j < w; j++) {
      for (let k = 0; k < channels; k++) {
        let [sum, count] = [start, 0];
        for (let r = 0; r < step.size[0]; r++) {
          const y = i * sy - top + r;
          if (y < 0 || y >= height) continue;
          for (let c = 0; c < step.size[1]; c++) {
            const at = j * sx - left + c;
            if (at < 0 || at >= width) continue;
            sum = add(sum, x.data[(y * width + at) * channels + k]);
            count++;
          }
        }
        out.data[(i * w + j) * channels + k] = end(sum, count);
      }
    }
  }
  return out;
};

const whole = (start, add, end) => (step, x) => {
  const channels = last(x.shape);
  const count = x.data.length / channels;
  const out = value(step.keepdims ? [1, 1, channels] : [channels]);
  for (let k = 0; k < channels; k++) {
    let sum = start;
    for (let i = 0; i < count; i++) sum = add(sum, x.data[i * channels + k]);
    out.data[k] = end(sum, count);
  }
  return out;
};

/** The picture turned by so many degrees, counterclockwise: its rows are moved, and then its columns. */
function turned({ turn }, x) {
  const slope = Math.tan((turn * Math.PI) / 180);
  return turn ? sheared(sheared(x, slope, 0), -slope, 1) : x;
}

/** Each row (axis 0) or column (axis 1) moved by `slope` times its distance from the middle, mixing two pixels. */
function sheared(x, slope, axis) {
  const [height, width, channels] = x.shape;
  const out = value(x.shape);
  const [lines, size] = axis ? [width, height] : [height, width];
  const at = (line, n, k) => ((axis ? n : line) * width + (axis ? line : n)) * channels + k;
  for (let line = 0; line < lines; line++) {
    const by = (line - (lines - 1) / 2) * slope;
    const low = Math.floor(by);
    for (const [move, share] of [[low, 1 - (by - low)], [low + 1, by - low]]) {
      for (let n = Math.max(0, move); n < Math.min(size, size + move); n++) {
        for (let k = 0; k < channels; k++) out.data[at(line, n, k)] += share * x.data[at(line, n - move, k)];
      }
    }
  }
  return out;
}

function softmax({ shape, data }, log = false) {
  const size = last(shape);
  const out = value(shape);
  for (let at = 0; at < data.length; at += size) {
    const row = data.subarray(at, at + size);
    const most = row.reduce((a, b) => Math.max(a, b), -Infinity);
    let sum = 0;
    for (const v of row) sum += Math.exp(v - most);
    row.forEach((v, i) => { out.data[at + i] = log ? v - most - Math.log(sum) : Math.exp(v - most) / sum; });
  }
  return out;
}

/** The error function, as Abramowitz and Stegun 7.1.26 have it, within 1.5e-7. */
function erf(x) {
  const t = 1 / (1 + 0.3275911 * Math.abs(x));
  const y = 1 - ((((1.061405429 * t - 1.453152027) * t + 1.421413741) * t - 0.284496736) * t + 0.254829592) * t * Math.exp(-x * x);
  return x < 0 ? -y : y;
}

const sigmoid = (v) => 1 / (1 + Math.exp(-v));
const ACTIVATIONS = {
  linear: (v) => v,
  relu: (v) => Math.max(0, v),
  relu6: (v) => Math.min(6, Math.max(0, v)),
  leaky_relu: (v) => (v < 0 ? 0.2 * v : v),
  sigmoid,
  hard_sigmoid: (v) => Math.min(1, Math.max(0, v / 6 + 0.5)),
  tanh: Math.tanh,
  elu: (v) => (v < 0 ? Math.expm1(v) : v),
  selu: (v) => 1.0507009873554805 * (v < 0 ? 1.6732632423543772 * Math.expm1(v) : v),
  softplus: (v) => Math.max(v, 0) + Math.log1p(Math.exp(-Math.abs(v))),
  softsign: (v) => v / (1 + Math.abs(v)),
  silu: (v) => v * sigmoid(v),
  swish: (v) => v * sigmoid(v),
  gelu: (v) => 0.5 * v * (1 + erf(v / Math.SQRT2)),
  exponential: Math.exp,
};

const OPS = {
  convolution,
  depthwise,
  dense,
  largest: pool(-Infinity, Math.max, (v) => v),
  mean: pool(0, (a, b) => a + b, (v, count) => v / count),
  "largest of all": whole(-Infinity, Math.max, (v) => v),
  "mean of all": whole(0, (a, b) => a + b, (v, count) => v / count),
  affine: ({ weights: [scale, shift] }, x) => each(x, (v, i) => v * scale.data[i % scale.data.length] + shift.data[i % shift.data.length]),
  activation: ({ kind }, x) => (kind === "softmax" ? softmax(x) : kind === "log_softmax" ? softmax(x, true) : each(x, ACTIVATIONS[kind])),
  relu: ({ below, from, most }, x) => each(x, (v) => (v < from ? below * (v - from) : most === null ? v : Math.min(v, most))),
  reshape: ({ shape }, x) => value(shape, x.data),
  pad({ by: [[top, bottom], [left, right]] }, x) {
    const [height, width, channels] = x.shape;
    const out = value([height + top + bottom, width + left + right, channels]);
    for (let y = 0; y < height; y++) {
      out.data.set(x.data.subarray(y * width * channels, (y + 1) * width * channels), ((y + top) * out.shape[1] + left) * channels);
    }
    return out;
  },
  views: turned,
  "mean of views": (step, x) => x,
  join(step, ...all) {
    const sizes = all.map((x) => last(x.shape));
    const total = sizes.reduce((a, b) => a + b, 0);
    const rows = all[0].data.length / sizes[0];
    const out = value([...all[0].shape.slice(0, -1), total]);
    for (let r = 0; r < rows; r++) {
      let at = r * total;
      all.forEach((x, i) => { out.data.set(x.data.subarray(r * sizes[i], (r + 1) * sizes[i]), at); at += sizes[i]; });
    }
    return out;
  },
  add: (step, first, ...rest) => rest.reduce((sum, x) => each(sum, (v, i) => v + x.data[i]), first),
  multiply: (step, first, ...rest) => rest.reduce((sum, x) => each(sum, (v, i) => v * x.data[i]), first),
};
