// What each layer of a network makes of a drawing, as it stands in an answer of /inside. It asks nobody: it is given
// what to show, and works wherever that comes from.

import * as says from "./says.js";
import { brightest, short, spoke, valueOf, where, windowAt } from "./windows.js";

const FEW = 16; // numbers of a layer that are drawn as columns

export function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name in element && name !== "role") element[name] = value;
    else element.setAttribute(name, value);
  }
  element.append(...children);
  return element;
}

const title = (level, text) => make(`h${level}`, { className: "inside-title" }, text);

/** The grey pixels of a picture that is shown: {width, height, grey}. */
function pixels(image) {
  const [width, height] = [image.naturalWidth, image.naturalHeight];
  if (!width) return null;
  const canvas = make("canvas", { width, height });
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.drawImage(image, 0, 0);
  const { data } = context.getImageData(0, 0, width, height);
  return { width, height, grey: Array.from({ length: width * height }, (_, i) => data[4 * i]) };
}

/**
 * @param root an empty element
 * @param say (text) => void, for screen readers
 * @param level of its headings
 * @returns {show(told), name(named), fail(text)}
 */
export function insidePanel(root, say = () => {}, level = 2) {
  const status = make("p", { className: "inside-status" });
  const whole = make("div", { className: "inside-parts", hidden: true });
  root.replaceChildren(status, whole);
  const why = forAndAgainst(level);
  const alike = alikeList(level);
  const stack = layerStack(say, level);
  const left = make("p", { className: "inside-missing" });
  whole.append(make("div", { className: "inside-first" }, why.element, alike.element), stack.element, left);

  return {
    /** @param named the answer of GET /inside: the numbers of the convolutions */
    name(named) { stack.name(named.layers ?? []); },
    /** @param told the answer of POST /inside; `coming` names parts that come later and stay as they are meanwhile */
    show(told) {
      const drawn = told.layers?.length > 0;
      status.textContent = drawn ? "" : "Draw something: what each layer makes of it appears here, while you draw.";
      status.hidden = drawn;
      whole.hidden = !drawn;
      if (!drawn) return;
      const coming = told.coming ?? [];
      if (!coming.includes("for_and_against")) why.show(told);
      if (!coming.includes("alike")) alike.show(told.alike);
      stack.show(told.layers);
      left.textContent = Object.values(told.missing ?? {}).map((text) => `${text[0].toUpperCase()}${text.slice(1)}.`).join(" ");
    },
    fail(text) {
      status.textContent = text;
      status.hidden = false;
    },
  };
}

// ── for and against ─────────────────────────────────────────────────────────────────────────────

function forAndAgainst(level) {
  let told = null;
  let chosen = null; // the class that the visitor asks about; null follows the answer
  const image = make("img", { alt: "", width: 168, height: 168 });
  const overlay = make("div", { className: "inside-overlay", "aria-hidden": "true" });
  const choice = make("div", { className: "inside-choice", role: "group", "aria-label": "For and against which digit" });
  const text = make("p");
  const element = make("section", { className: "inside-why", hidden: true },
    title(level, "What spoke for it"),
    make("div", { className: "inside-why-row" },
      make("div", { className: "inside-seen" }, image, overlay),
      make("div", {}, choice, text)));

  choice.addEventListener("click", ({ target }) => {
    if (!(target instanceof HTMLButtonElement)) return;
    chosen = Number(target.value);
    paint();
  });

  function paint() {
    const found = told.for_and_against;
    element.hidden = !found;
    if (!found) return;
    image.src = told.seen;
    const ranked = [...found.classes].sort((a, b) => told.probabilities[b] - told.probabilities[a]).slice(0, 3);
    const about = ranked.includes(chosen) ? chosen : told.digit;
    while (choice.children.length < ranked.length) choice.append(make("button", { type: "button" }));
    ranked.forEach((digit, i) => {
      const button = choice.children[i];
      button.value = String(digit);
      button.textContent = `for ${digit}`;
      button.setAttribute("aria-pressed", String(digit === about));
    });
    const changes = found.changes[found.classes.indexOf(about)];
    const most = Math.max(1, ...changes.map(Math.abs));
    while (overlay.children.length < changes.length) overlay.append(make("span"));
    overlay.style.setProperty("--grid", found.grid);
    changes.forEach((change, i) => {
      const cell = overlay.children[i];
      cell.className = change > 0 ? "for" : "against";
      cell.style.setProperty("--much", Math.min(1, Math.abs(change) / most));
    });
    const [good, bad] = [where(changes, found.grid, 1), where(changes, found.grid, -1)];
    text.textContent = `${spoke(about, good, bad)} Each square was wiped away with what is around it, and the network asked again (occlusion).`;
  }

  return {
    element,
    show(next) {
      if (told && next.digit !== told.digit) chosen = null;
      told = next;
      paint();
    },
  };
}

function alikeList(level) {
  const list = make("ul");
  const element = make("section", { className: "inside-alike", hidden: true }, title(level, "Most like it, of what it learned from"), list);
  return {
    element,
    show(found) {
      element.hidden = !found?.length;
      if (element.hidden) return;
      while (list.children.length < found.length) {
        list.append(make("li", {}, make("img", { alt: "", width: 56, height: 56 }), make("span")));
      }
      found.forEach((one, i) => {
        const [image, label] = list.children[i].children;
        image.src = one.picture;
        label.textContent = one.label;
        list.children[i].title = `a ${one.label}, ${Math.round(100 * one.likeness)}% alike`;
      });
    },
  };
}

// ── layers ──────────────────────────────────────────────────────────────────────────────────────

function layerStack(say, level) {
  const list = make("ol", { className: "inside-layers" });
  const glass = make("div", { className: "inside-glass" });
  const element = make("section", { className: "inside-stack" },
    title(level, "Layer by layer"),
    make("p", { className: "inside-hint" }, "Point at a pixel, or touch it, to see how it was made. With keys: Tab to a layer, arrow keys to a pixel, Page Up and Page Down to another map."),
    glass, list);
  let kernels = new Map();
  let shape = "";
  let rows = []; // {layer, tiles: [{button, image, mark}], taken: image | null}
  let picked = null; // {row, map, at: [row, column]}
  const windows = () => [...kernels].map(([name, kernel]) => `${name}:${kernel.shape}`).join();

  function build(layers) {
    shape = signature(layers);
    picked = null;
    glass.replaceChildren();
    rows = layers.map((layer, i) => row(layer, i === 0));
    list.replaceChildren(...rows.map(({ item }) => item));
  }

  function row(layer, first) {
    const flat = layer.shape.length === 1;
    const tiles = layer.maps.map((_, i) => {
      const image = make("img", { alt: "" });
      const mark = make("span", { className: "inside-mark", hidden: true });
      const button = make("button", { type: "button", className: flat ? "inside-map flat" : "inside-map", tabIndex: i ? -1 : 0 }, image, mark);
      button.setAttribute("aria-label", `${layer.name}, ${flat ? "its numbers" : `map ${i + 1} of ${layer.maps.length}`}`);
      return { button, image, mark };
    });
    const maps = make("div", { className: "inside-maps", role: "group", "aria-label": `Maps of ${layer.name}` }, ...tiles.map(({ button }) => button));
    const rest = make("p", { className: "inside-rest" });
    const item = make("li", {}, make(`h${level + 1}`, { className: "inside-layer" }, says.kind(layer), make("code", {}, layer.name)), make("p", {}, says.about(layer, kernels.get(layer.name), first)), maps, rest);
    const columns = flat && layer.shape[0] <= FEW ? columnChart(layer.shape[0]) : null;
    if (columns) maps.replaceChildren(columns.element);
    const self = { layer, tiles, item, rest, flat, columns, taken: null };
    tiles.forEach(({ button, image }, map) => {
      const pick = (event) => {
        const box = image.getBoundingClientRect();
        const part = (v, from, size, count) => Math.max(0, Math.min(count - 1, Math.floor(((v - from) / size) * count)));
        choose(self, map, [part(event.clientY, box.top, box.height, image.naturalHeight), part(event.clientX, box.left, box.width, image.naturalWidth)]);
      };
      button.addEventListener("pointermove", pick);
      button.addEventListener("pointerdown", pick);
      button.addEventListener("keydown", (event) => move(event, self, map));
      button.addEventListener("focus", () => {
        if (!button.matches(":focus-visible")) return;
        decoded([image], () => {
          const grey = document.activeElement === button && pixels(image);
          if (grey) choose(self, map, brightest(grey), true);
        });
      });
    });
    return self;
  }

  function move(event, self, map) {
    const by = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] }[event.key];
    const other = { PageDown: 1, PageUp: -1 }[event.key];
    if (other !== undefined) {
      event.preventDefault();
      const next = self.tiles[(map + other + self.tiles.length) % self.tiles.length];
      self.tiles.forEach(({ button }) => { button.tabIndex = -1; });
      next.button.tabIndex = 0;
      next.button.focus();
    } else if (by && picked?.self === self && picked.map === map) {
      event.preventDefault();
      const { naturalWidth, naturalHeight } = self.tiles[map].image;
      const clamp = (v, count) => Math.max(0, Math.min(count - 1, v));
      choose(self, map, [clamp(picked.at[0] + by[0], naturalHeight), clamp(picked.at[1] + by[1], naturalWidth)], true);
    }
  }

  function choose(self, map, at, aloud = false) {
    if (picked) picked.self.tiles[picked.map].mark.hidden = true;
    picked = { self, map, at };
    explain(aloud);
  }

  function explain(aloud = false) {
    if (!picked) return;
    const { self, map } = picked;
    decoded([self.tiles[map].image, ...(self.taken?.images ?? [])], () => explainDecoded(aloud));
  }

  function explainDecoded(aloud) {
    if (!picked) return;
    const { self, map, at: [row, column] } = picked;
    const { image, mark } = self.tiles[map];
    const found = pixels(image);
    if (!found) return;
    mark.hidden = false;
    mark.style.setProperty("--x", (column + 0.5) / found.width);
    mark.style.setProperty("--y", (row + 0.5) / found.height);
    const grey = found.grey[row * found.width + column];
    const value = self.flat ? (self.layer.values?.[column] ?? valueOf(grey, self.layer.range)) : valueOf(grey, self.layer.range);
    const title = self.flat ? `${self.layer.name}, number ${column}` : `${self.layer.name}, map ${map + 1}, column ${column + 1}, row ${row + 1}`;
    const kernel = kernels.get(self.layer.name);
    const given = kernel && self.taken ? self.taken.planes() : null;
    if (kernel && given) glass.replaceChildren(...lens(title, windowAt(kernel, given, map, row, column), self.layer.after, value));
    else glass.replaceChildren(make("p", {}, title, ": ", make("strong", {}, short(value))));
    if (aloud) say(self.flat ? `${title}: ${short(value)}` : says.spokenPixel(self.layer.name, map, [row, column], short(value)));
  }

  return {
    element,
    name(layers) {
      const before = windows();
      kernels = new Map(layers.filter(({ kernel }) => kernel).map(({ name, kernel }) => [name, kernel]));
      if (windows() !== before) shape = ""; // the lines under the names tell of them
    },
    show(layers) {
      if (signature(layers) !== shape) build(layers);
      layers.forEach((layer, i) => {
        const self = rows[i];
        self.layer = layer;
        self.columns?.show(layer.values);
        layer.maps.forEach((url, map) => { if (self.tiles[map].image.src !== url) self.tiles[map].image.src = url; });
        self.rest.textContent = layer.missing ? `Not shown: ${layer.missing}.` : says.leftOut(layer);
        self.taken = layer.takes ? taker(layer.takes) : null;
      });
      if (picked) setTimeout(explain); // once it is known which pictures are still to come
    },
  };
}

/** A few numbers as columns that stand side by side, each with its place beneath. */
function columnChart(count) {
  const columns = Array.from({ length: count }, (_, i) => make("li", {}, make("span", { className: "inside-column" }), make("span", {}, String(i))));
  const element = make("ol", { className: "inside-columns" }, ...columns);
  return {
    element,
    show(values) {
      const most = Math.max(1e-9, ...values.map(Math.abs));
      const top = values.indexOf(Math.max(...values));
      columns.forEach((column, i) => {
        column.style.setProperty("--much", Math.abs(values[i]) / most);
        column.className = i === top ? "top" : "";
        column.title = short(values[i]);
      });
    },
  };
}

const signature = (layers) => layers.map(({ name, shape, maps }) => `${name}:${shape}:${maps.length}`).join();

/** Do it at once, or when those of the pictures that are still to come have come. */
function decoded(images, then) {
  const coming = images.filter(({ complete }) => !complete);
  if (coming.length) Promise.allSettled(coming.map((one) => one.decode())).then(then);
  else then();
}

/** The planes that a convolution looks at: their pictures, and their numbers once these have come. */
function taker({ maps, range }) {
  const images = maps.map((src) => make("img", { src }));
  return {
    images,
    planes() {
      const planes = images.map(pixels);
      if (planes.some((plane) => !plane)) return null;
      return { width: planes[0].width, height: planes[0].height, planes: planes.map(({ grey }) => grey), range };
    },
  };
}

/** The window, its weights, and what comes of them. */
function lens(title, found, after, value) {
  const one = found.cells.slice(0, found.rows * found.columns); // of the first channel
  const most = Math.max(1e-6, ...one.map(({ weight }) => Math.abs(weight)));
  const high = Math.max(1e-6, ...one.map(({ value: v }) => Math.abs(v)));
  const table = (name, cells, much, kind) => {
    const grid = make("div", { className: `inside-window ${kind}`, role: "img", "aria-label": `${name}: ${cells.map(short).join(", ")}` });
    grid.style.setProperty("--columns", found.columns);
    cells.forEach((number) => {
      const cell = make("span", { className: number < 0 ? "below" : "above", "aria-hidden": "true" }, short(number));
      cell.style.setProperty("--much", Math.abs(number) / much);
      grid.append(cell);
    });
    return make("figure", {}, grid, make("figcaption", {}, name));
  };
  const cut = after === "relu" && found.sum < 0 ? ", below zero, so cut off to 0" : "";
  return [
    make("p", {}, title),
    make("div", { className: "inside-sum" },
      table("The window", one.map(({ value: v }) => v), high, "ink"),
      make("span", { "aria-hidden": "true" }, "×"),
      table("its weights", one.map(({ weight }) => weight), most, "weights"),
      make("p", { className: "inside-result" }, `${found.channels > 1 ? `with the other ${found.channels - 1} channels` : "each cell times its weight"}, all added, and ${short(found.bias)} (its bias) = `,
        make("strong", {}, short(found.sum)), cut)),
  ];
}
