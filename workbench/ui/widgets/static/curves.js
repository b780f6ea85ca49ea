// A small line chart in SVG: several series, one readout for all of them, made for curves that grow while one watches.

const SVG = "http://www.w3.org/2000/svg";
let charts = 0; // of this page; each clips by a path of its own
const MARGIN = { top: 8, right: 12, bottom: 34, left: 46 };

/** Round numbers that cover [low, high] in about `count` steps. */
export function ticks(low, high, count) {
  const raw = (high - low) / Math.max(1, count);
  if (!(raw > 0)) return [low];
  const power = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 2.5, 5, 10].map((m) => m * power).find((s) => s >= raw * 0.999);
  const first = Math.ceil(low / step - 1e-9);
  const last = Math.floor(high / step + 1e-9);
  return Array.from({ length: last - first + 1 }, (_, i) => (first + i) * step);
}

/**
 * A moving average over a tenth of the points, as far ahead as back, so that it does not lag behind what it smooths. It begins
 * at the first value, since a fall is steepest there, and ends with the average of the last ones. Few points stay as they are.
 */
export function smooth(y) {
  const half = Math.floor(y.length / 20);
  return y.map((value, i) => {
    const back = Math.min(half, i);
    const near = y.slice(i - back, i + back + 1).filter(Number.isFinite);
    return near.length ? near.reduce((sum, each) => sum + each, 0) / near.length : value;
  });
}

const WILD = 25; // so many times what comes after it, a start is left out: the rest would be a flat line

/** The range that shows the whole course of the curves, from their start on; of what is smoothed, the smooth line. */
export function range(series, percent) {
  const shown = series.flatMap(({ y, dots }) => (dots ? y : smooth(y))).filter(Number.isFinite);
  if (!shown.length) return [0, 1];
  let low = Math.min(...shown);
  let high = Math.max(...shown);
  const settled = series.flatMap(({ y }) => y.slice(y.length > 8 ? Math.floor(y.length * 0.12) : 0)).filter(Number.isFinite);
  const top = Math.max(...settled);
  if (top > 0 && high > WILD * top) high = top;
  if (percent) {
    high = Math.max(high, 1);
    low = Math.max(0, low - (high - low) * 0.08);
    if (high - low < 0.01) low = high - 0.01;
  } else {
    low = Math.min(0, low);
    high += (high - low) * 0.06 || 1;
  }
  return [low, high];
}

/** Index of the value in sorted `xs` nearest to `x`; -1 where there is none. */
export function nearest(xs, x) {
  let best = -1;
  for (let i = 0; i < xs.length; i += 1) {
    if (best < 0 || Math.abs(xs[i] - x) <= Math.abs(xs[best] - x)) best = i;
  }
  return best;
}

export function format(value, percent) {
  if (!Number.isFinite(value)) return "–";
  if (percent) return `${(value * 100).toFixed(value > 0.9 ? 2 : 1)} %`;
  if (value >= 1000) return Math.round(value).toLocaleString("en");
  return value >= 10 ? value.toFixed(1) : value.toPrecision(3);
}

/** One sentence a series, for who does not see the picture. */
export function summary(series, title, percent) {
  const said = series
    .filter((s) => s.y.length && s.named !== false)
    .map((s) => `${s.name} from ${format(s.y[0], percent)} to ${format(s.y.at(-1), percent)}`);
  return `${title}: ${said.length ? said.join("; ") : "no values yet"}.`;
}

function make(name, attributes = {}, text) {
  const node = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  if (text !== undefined) node.textContent = text;
  return node;
}

function render({ model, el }) {
  el.classList.add("wb", "wb-curves");
  const head = document.createElement("div");
  const title = document.createElement("span");
  const legend = document.createElement("span");
  title.className = "wb-curves-title";
  legend.className = "wb-curves-legend";
  head.className = "wb-curves-head";
  head.append(title, legend);
  const svg = make("svg", { role: "img", tabindex: "0", "data-lm-suppress-shortcuts": "true" });
  el.append(head, svg);
  const clipId = `wb-clip-${(charts += 1)}`;
  let width = 0;
  let pointed = null; // the x that the visitor points at

  function draw() {
    const series = model.get("series").map((s, i) => ({ color: i + 1, ...s, raw: s.y, y: s.dots ? s.y : smooth(s.y) }));
    const percent = model.get("percent");
    const height = model.get("height");
    const right = Math.max(model.get("x_max") || 0, ...series.map((s) => s.x.at(-1) ?? 0)) || 1;
    const [low, high] = range(model.get("series"), percent);
    const inner = { w: Math.max(10, width - MARGIN.left - MARGIN.right), h: height - MARGIN.top - MARGIN.bottom };
    const px = (x) => MARGIN.left + (x / right) * inner.w;
    const py = (y) => MARGIN.top + (1 - (y - low) / (high - low)) * inner.h;
    svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
    svg.setAttribute("height", height);
    svg.setAttribute("aria-label", summary(series, model.get("title"), percent));
    svg.replaceChildren();

    for (const y of ticks(low, high, 4)) {
      svg.append(make("line", { class: "wb-grid", x1: MARGIN.left, x2: width - MARGIN.right, y1: py(y), y2: py(y) }));
      const label = percent ? `${+(y * 100).toFixed(1)} %` : `${+y.toPrecision(3)}`;
      svg.append(make("text", { x: MARGIN.left - 8, y: py(y) + 4, "text-anchor": "end" }, label));
    }
    for (const x of ticks(0, right, Math.min(6, Math.max(2, inner.w / 60)))) {
      svg.append(make("text", { x: px(x), y: height - MARGIN.bottom + 16, "text-anchor": "middle" }, `${+x.toFixed(3)}`));
    }
    svg.append(make("text", { x: width - MARGIN.right, y: height - 3, "text-anchor": "end" }, model.get("x_label")));

    const clip = make("clipPath", { id: clipId });
    clip.append(make("rect", { x: MARGIN.left - 4, y: MARGIN.top - 4, width: inner.w + 8, height: inner.h + 8 }));
    const curves = make("g", { "clip-path": `url(#${clip.id})` });
    svg.append(clip, curves);
    for (const s of series) {
      const along = (y) => s.x.map((x, i) => `${px(x).toFixed(1)},${py(y[i]).toFixed(1)}`);
      const points = along(s.y);
      const ink = `stroke: var(--wb-series-${((s.color - 1) % 8) + 1})`;
      if (!s.dots) curves.append(make("polyline", { points: along(s.raw).join(" "), style: ink, class: "wb-raw" }));
      curves.append(make("polyline", { points: points.join(" "), style: ink, class: s.dots ? "wb-thin" : "" }));
      if (s.dots || points.length === 1) {
        for (const point of points) {
          const [cx, cy] = point.split(",");
          curves.append(make("circle", { cx, cy, r: 3.5, style: ink }));
        }
      }
    }
    if (pointed !== null) {
      const at = Math.min(right, Math.max(0, pointed));
      svg.append(make("line", { class: "wb-cursor", x1: px(at), x2: px(at), y1: MARGIN.top, y2: MARGIN.top + inner.h }));
    }
    title.textContent = model.get("title");
    legend.replaceChildren(
      ...series.filter((s) => s.named !== false).map((s) => {
        const item = document.createElement("span");
        const i = pointed === null ? s.y.length - 1 : nearest(s.x, pointed);
        item.style.setProperty("--tone", `var(--wb-series-${((s.color - 1) % 8) + 1})`);
        item.textContent = i < 0 ? s.name : `${s.name} ${format(s.y[i], percent)}`;
        return item;
      }),
    );
    return { right, inner };
  }

  let frame = 0;
  const redraw = () => {
    if (!frame) frame = requestAnimationFrame(() => { frame = 0; if (width) draw(); });
  };
  const point = (x) => { pointed = x; redraw(); };
  const scale = () => Math.max(model.get("x_max") || 0, ...model.get("series").map((s) => s.x.at(-1) ?? 0)) || 1;
  svg.addEventListener("pointermove", (event) => {
    const inside = event.offsetX - MARGIN.left;
    point((inside / Math.max(10, width - MARGIN.left - MARGIN.right)) * scale());
  });
  svg.addEventListener("pointerleave", () => point(null));
  svg.addEventListener("blur", () => point(null));
  svg.addEventListener("keydown", (event) => {
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (step) point(Math.min(scale(), Math.max(0, (pointed ?? scale()) + (step * scale()) / 30)));
    else if (event.key === "Escape") point(null);
    else return;
    event.preventDefault();
    event.stopPropagation();
  });
  const observer = new ResizeObserver(([entry]) => {
    width = Math.floor(entry.contentRect.width);
    redraw();
  });
  observer.observe(el);
  model.on("change:series change:x_max change:title", redraw);
  return () => {
    observer.disconnect();
    cancelAnimationFrame(frame);
    model.off("change:series change:x_max change:title", redraw);
  };
}

export default { render };
