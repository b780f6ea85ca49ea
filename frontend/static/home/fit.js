// The fitting that the back end does (workbench/pictures/ink.py), for the pictures that this page's own strokes become: white
// ink on black, nothing at the edge. Grey pictures are {width, height, data: Uint8Array}. What OpenCV computes there is
// computed here in the same way; a grey may differ by one.

const SURE = 64;
const FAINT = 28;
const SPECK = 0.008;
const CRUMB = 0.1;
const [THINNEST, THICKEST] = [1.4, 2.6];
const BLOT = 0.15;
const SOFT = 25;

const blank = (width, height) => ({ width, height, data: new Uint8Array(width * height) });
const made = (from, f) => ({ ...from, data: from.data.map(f) });

/** The nearest whole number, the even one where two are as near. */
function round(v) {
  const low = Math.floor(v);
  const rest = v - low;
  return rest > 0.5 || (rest === 0.5 && low % 2) ? low + 1 : low;
}

/** 28 × 28 greys as the model sees them; null where nothing was drawn. */
export function fit(picture) {
  const ink = stretched(picture);
  let crop = cut(ink);
  if (!crop) return null;
  const speck = SPECK * Math.max(ink.width, ink.height);
  if (Math.max(crop.width, crop.height) <= speck || outerPieces(crop) > 1) {
    crop = cut(withoutDirt(crop, speck));
    if (!crop) return null;
  }
  if (Math.max(crop.width, crop.height) !== 20) crop = withUsualStrokes(crop);
  const scale = 20 / Math.max(crop.width, crop.height);
  const [width, height] = [crop.width, crop.height].map((side) => Math.max(1, round(side * scale)));
  let small = stretched(scale < 1 ? byArea(crop, width, height) : byLine(crop, width, height));
  if (scale !== 1) small = made(small, (v) => Math.max(0, Math.min(255, Math.trunc(((v - SOFT) * 255) / (255 - 2 * SOFT)))));
  let [mass, across, down] = [0, 0, 0];
  small.data.forEach((v, i) => {
    mass += v;
    across += v * (i % width);
    down += v * Math.floor(i / width);
  });
  const place = (centre, size) => Math.min(Math.max(0, round(14 - centre / mass)), 28 - size);
  const [left, top] = [place(across, width), place(down, height)];
  const seen = new Uint8Array(28 * 28);
  for (let y = 0; y < height; y++) seen.set(small.data.subarray(y * width, (y + 1) * width), (top + y) * 28 + left);
  return seen;
}

function stretched(ink) {
  const peak = ink.data.reduce((a, b) => Math.max(a, b), 0);
  if (peak < FAINT) return made(ink, () => 0);
  const by = Math.fround(255 / peak);
  return peak === 255 ? ink : made(ink, (v) => Math.min(255, round(Math.fround(v * by))));
}

function cut(ink) {
  let [left, top, right, bottom] = [ink.width, ink.height, -1, -1];
  ink.data.forEach((v, i) => {
    if (v < SURE) return;
    const [x, y] = [i % ink.width, Math.floor(i / ink.width)];
    left = Math.min(left, x);
    right = Math.max(right, x);
    top = Math.min(top, y);
    bottom = Math.max(bottom, y);
  });
  if (right < 0) return null;
  const out = blank(right - left + 1, bottom - top + 1);
  for (let y = 0; y < out.height; y++) {
    const from = (top + y) * ink.width + left;
    out.data.set(ink.data.subarray(from, from + out.width), y * out.width);
  }
  return out;
}

/** Number of each pixel's piece, from 1; pieces touch at corners too. */
function pieces({ width, height, data }) {
  const labels = new Int32Array(width * height);
  const boxes = [];
  for (let start = 0; start < data.length; start++) {
    if (data[start] < SURE || labels[start]) continue;
    const label = boxes.length + 1;
    const box = { left: width, right: 0, top: height, bottom: 0 };
    const rest = [start];
    labels[start] = label;
    while (rest.length) {
      const at = rest.pop();
      const [x, y] = [at % width, Math.floor(at / width)];
      box.left = Math.min(box.left, x);
      box.right = Math.max(box.right, x);
      box.top = Math.min(box.top, y);
      box.bottom = Math.max(box.bottom, y);
      for (let ny = Math.max(0, y - 1); ny <= Math.min(height - 1, y + 1); ny++) {
        for (let nx = Math.max(0, x - 1); nx <= Math.min(width - 1, x + 1); nx++) {
          const next = ny * width + nx;
          if (data[next] >= SURE && !labels[next]) {
            labels[next] = label;
            rest.push(next);
          }
        }
      }
    }
    boxes.push(box);
  }
  return { labels, boxes };
}

/** How many pieces lie within no other one: those that the paper outside of all touches. */
function outerPieces(ink) {
  const { width, height, data } = ink;
  const { labels } = pieces(ink);
  const [w, h] = [width + 2, height + 2]; // with a rim of paper
  const outside = new Uint8Array(w * h);
  const found = new Set();
  const rest = [0];
  outside[0] = 1;
  while (rest.length) {
    const at = rest.pop();
    const [x, y] = [at % w, Math.floor(at / w)];
    for (const [nx, ny] of [[x - 1, y], [x + 1, y], [x, y - 1], [x, y + 1]]) {
      if (nx < 0 || ny < 0 || nx >= w || ny >= h || outside[ny * w + nx]) continue;
      const inner = nx > 0 && ny > 0 && nx <= width && ny <= height ? (ny - 1) * width + nx - 1 : -1;
      if (inner >= 0 && data[inner] >= SURE) {
        found.add(labels[inner]);
        continue;
      }
      outside[ny * w + nx] = 1;
      rest.push(ny * w + nx);
    }
  }
  return found.size;
}

function withoutDirt(ink, speck) {
  const { labels, boxes } = pieces(ink);
  const sides = boxes.map(({ left, right, top, bottom }) => Math.max(right - left, bottom - top) + 1);
  const least = Math.max(speck, CRUMB * Math.max(0, ...sides));
  if (sides.every((side) => side > least)) return ink;
  const kept = { ...ink, data: Uint8Array.from(labels, (label) => (label && sides[label - 1] > least ? 255 : 0)) };
  const square = Array.from({ length: 25 }, (_, i) => [(i % 5) - 2, Math.floor(i / 5) - 2]);
  const near = spread(kept, square, Math.max, 0);
  return made(ink, (v, i) => (near.data[i] ? v : 0));
}

function withUsualStrokes(crop) {
  const width = strokeWidth(crop);
  const side = Math.max(crop.width, crop.height);
  const part = (20 * width) / side;
  if (part >= THINNEST && part <= THICKEST) return crop;
  const wanted = (part < THINNEST ? THINNEST : THICKEST) / 20;
  const change = (wanted / (1 - wanted)) * Math.max(side - width, BLOT * side) - width;
  const size = round(Math.abs(change)) + 1;
  if (size < 2) return crop;
  const framed = blank(crop.width + 2 * size, crop.height + 2 * size);
  for (let y = 0; y < crop.height; y++) {
    framed.data.set(crop.data.subarray(y * crop.width, (y + 1) * crop.width), (y + size) * framed.width + size);
  }
  const changed = cut(change > 0 ? spread(framed, ellipse(size), Math.max, 0) : spread(framed, ellipse(size), Math.min, 255));
  return changed ?? crop;
}

function strokeWidth({ width, height, data }) {
  const line = { width, height, data: data.map((v) => (v >= 128 ? 1 : 0)) };
  let [area, inner] = [0, 0];
  const at = (x, y) => (x < 0 || y < 0 || x >= width || y >= height ? 0 : line.data[y * width + x]);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      if (!at(x, y)) continue;
      area++;
      let all = 1;
      for (let dy = -1; dy <= 1; dy++) for (let dx = -1; dx <= 1; dx++) all &= at(x + dx, y + dy);
      inner += all;
    }
  }
  return (2 * area) / Math.max(1, area - inner);
}

/** Where a round pen of so many pixels has ink, around its middle, as OpenCV draws one. */
function ellipse(size) {
  const r = Math.floor(size / 2);
  const found = [];
  for (let i = 0; i < size; i++) {
    const dy = i - r;
    if (Math.abs(dy) > r) continue;
    const dx = round(r * Math.sqrt((r * r - dy * dy) / (r * r)));
    for (let j = Math.max(0, r - dx); j < Math.min(size, r + dx + 1); j++) found.push([j - r, dy]);
  }
  return found;
}

/** Each pixel becomes the most (or the least) of those under a pen laid on it. */
function spread({ width, height, data }, pen, most, beyond) {
  const out = blank(width, height);
  out.data.fill(beyond);
  for (const [dx, dy] of pen) {
    for (let y = Math.max(0, -dy); y < Math.min(height, height - dy); y++) {
      const end = y * width + Math.min(width, width - dx);
      const by = dy * width + dx;
      for (let at = y * width + Math.max(0, -dx); at < end; at++) out.data[at] = most(out.data[at], data[at + by]);
    }
  }
  return out;
}

/** For each of so many places the pixels that it covers and how much of each: [[at, share], …]. */
function shares(from, to) {
  const scale = from / to;
  return Array.from({ length: to }, (_, i) => {
    const [begin, end] = [i * scale, i * scale + scale];
    const cell = Math.min(scale, from - begin);
    const last = Math.min(Math.floor(end), from - 1);
    const first = Math.min(Math.ceil(begin), last);
    const found = [];
    if (first - begin > 1e-3) found.push([first - 1, (first - begin) / cell]);
    for (let at = first; at < last; at++) found.push([at, 1 / cell]);
    if (end - last > 1e-3) found.push([last, Math.min(end - last, 1, cell) / cell]);
    return found;
  });
}

function byArea(ink, width, height) {
  const [columns, rows] = [shares(ink.width, width), shares(ink.height, height)];
  const out = blank(width, height);
  rows.forEach((row, y) => {
    columns.forEach((column, x) => {
      let sum = 0;
      for (const [r, part] of row) for (const [c, share] of column) sum += ink.data[r * ink.width + c] * part * share;
      out.data[y * width + x] = Math.min(255, round(Math.fround(sum)));
    });
  });
  return out;
}

function byLine(ink, width, height) {
  const out = blank(width, height);
  const at = (i, to, from) => Math.min(from - 1, Math.max(0, ((i + 0.5) * from) / to - 0.5));
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const [fy, fx] = [at(y, height, ink.height), at(x, width, ink.width)];
      const [top, left] = [Math.floor(fy), Math.floor(fx)];
      const [bottom, right] = [Math.min(ink.height - 1, top + 1), Math.min(ink.width - 1, left + 1)];
      const pixel = (r, c) => ink.data[r * ink.width + c];
      const above = pixel(top, left) * (1 - fx + left) + pixel(top, right) * (fx - left);
      const below = pixel(bottom, left) * (1 - fx + left) + pixel(bottom, right) * (fx - left);
      out.data[y * width + x] = Math.min(255, round(above * (1 - fy + top) + below * (fy - top)));
    }
  }
  return out;
}
