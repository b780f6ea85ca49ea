// How a pixel of a convolution's map came about: its window, its weights, their sum. Pure functions.

/** What grey pixels (0 to 255) stand for. */
export const valueOf = (grey, [low, high]) => low + (grey / 255) * (high - low);

/**
 * The window that a pixel of a map was made of, cell by cell.
 *
 * @param kernel {shape: [filters, channels, height, width], weights, bias, strides, pads, dilations}
 * @param given {width, height, planes: [[grey, …], …], range}: what the convolution looks at, one plane a channel
 * @returns {rows, columns, cells: [{x, y, value, weight}], bias, sum}; a cell beyond the edge has the value 0
 */
export function windowAt(kernel, given, filter, row, column) {
  const [, channels, rows, columns] = kernel.shape;
  const cells = [];
  let sum = kernel.bias[filter];
  for (let c = 0; c < channels; c++) {
    for (let i = 0; i < rows; i++) {
      for (let j = 0; j < columns; j++) {
        const y = row * kernel.strides[0] - kernel.pads[0] + i * kernel.dilations[0];
        const x = column * kernel.strides[1] - kernel.pads[1] + j * kernel.dilations[1];
        const inside = y >= 0 && x >= 0 && y < given.height && x < given.width;
        const value = inside ? valueOf(given.planes[c][y * given.width + x], given.range) : 0;
        const weight = kernel.weights[((filter * channels + c) * rows + i) * columns + j];
        cells.push({ x, y, value, weight });
        sum += value * weight;
      }
    }
  }
  return { rows, columns, channels, cells, bias: kernel.bias[filter], sum };
}

/** Where a map is brightest: [row, column]. */
export function brightest({ width, grey }) {
  let best = 0;
  grey.forEach((value, i) => { if (value > grey[best]) best = i; });
  return [Math.floor(best / width), best % width];
}

/** A number as a cell shows it: "0", "-0.4", "12". */
export function short(value) {
  if (Math.abs(value) < 0.005) return "0";
  const text = Math.abs(value) >= 9.95 ? value.toFixed(0) : Math.abs(value) >= 0.995 ? value.toFixed(1) : value.toFixed(2);
  return text.replace(/^(-?)0\./, "$1.").replace("-", "−");
}

/** Where in the drawing most spoke for (sign 1) or against (-1) a class: "top left" …; "" where nothing did. */
export function where(changes, grid, sign) {
  let best = -1;
  changes.forEach((value, i) => { if (sign * value > 0.1 && (best < 0 || sign * value > sign * changes[best])) best = i; });
  if (best < 0) return "";
  const third = (v) => Math.min(2, Math.floor(((v + 0.5) / grid) * 3));
  const down = ["top", "middle", "bottom"][third(Math.floor(best / grid))];
  const across = ["left", "", "right"][third(best % grid)];
  return [down, across].filter(Boolean).join(" ");
}

/** What spoke for a digit and against it, by the places that `where` gives. */
export function spoke(digit, good, bad) {
  const one = digit === 8 ? "an 8" : `a ${digit}`;
  const at = (place) => (place === "middle" ? "in the middle" : `at the ${place}`);
  if (!good && !bad) return `Nothing in the drawing spoke for ${one} or against it.`;
  const forIt = good ? `Blue spoke for ${one}, most of all ${at(good)}` : `Nothing spoke for ${one}`;
  return `${forIt}; ${bad ? `orange against it, most ${at(bad)}` : "nothing against it"}.`;
}
