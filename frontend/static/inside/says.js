// What the panel says of layers: pure functions.

const ACTIVATIONS = {
  relu: "what is below zero is cut off",
  softmax: "brought to sum up to 100 %",
  sigmoid: "brought between 0 and 1",
  tanh: "brought between −1 and 1",
};
const KINDS = {
  convolution: "Convolution",
  pooling: "Pooling",
  dense: "Dense",
  addition: "Sum of two layers",
  product: "Product of two layers",
  joined: "Layers side by side",
  recurrent: "Recurrent",
  resizing: "Resizing",
};

const times = (shape) => shape.join(" × ");

export const kind = (layer) => KINDS[layer.kind] ?? layer.kind.replaceAll("_", " ");

/** One line under a layer's name; what a convolution slides over is the drawing for the first of them alone. */
export function about(layer, kernel, first) {
  const { shape } = layer;
  const after = ACTIVATIONS[layer.after] ? `, ${ACTIVATIONS[layer.after]}` : layer.after ? `, then ${layer.after}` : "";
  if (shape.length === 3) {
    const [rows, columns, count] = shape;
    const looks = kernel ? `, each made by one window of ${kernel.shape[3]} × ${kernel.shape[2]} that slides over ${first ? "the drawing" : "the maps before"}` : "";
    const pools = layer.kind === "pooling" ? ": neighbours are put together" : "";
    return `${count} maps of ${columns} × ${rows}${looks}${pools}${after}`;
  }
  if (shape.length === 1) return `${shape[0]} numbers${after}`;
  return shape.length ? `${times(shape)} numbers${after}` : "";
}

export const leftOut = ({ left_out: count, maps }) => (count ? `The first ${maps.length} are shown; ${count} more are not.` : "");

/** What screen readers hear of a pixel of a map. */
export const spokenPixel = (name, map, [row, column], value) =>
  `${name}, map ${map + 1}, column ${column + 1}, row ${row + 1}: ${value}`;
