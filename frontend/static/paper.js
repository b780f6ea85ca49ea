// The canvas as paper: pointers and keys become strokes, strokes become ink. It knows no history and no back
// end; what is drawn is given to it, and it tells what was drawn.

import { SIZE, extended } from "./drawing.js";

const STEP = 10; // units an arrow key moves the keyboard's pen; with Shift a fifth of it
const KEYS = {
  ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1],
  Home: [-1, -1], PageUp: [1, -1], End: [-1, 1], PageDown: [1, 1],
};

/**
 * @param canvas the paper
 * @param ring an element that shows where the pen is, and how wide
 * @param width () => units
 * @param onStroke (stroke, finished) => void, with the whole stroke so far
 * @param onPen (isDown) => void, for the keyboard's pen
 */
export function paper({ canvas, ring, width, onStroke, onPen }) {
  const context = canvas.getContext("2d");
  const lines = new WeakMap(); // stroke → its path; strokes never change
  let drawing = [];
  let stroke = null; // under way
  let pointer = null; // whose it is: a pointer's id, or "keys"
  let pen = [SIZE / 2, SIZE / 2]; // the keyboard's
  let frame = 0;

  const place = ({ clientX, clientY }) => {
    const { left, top, width: w, height: h } = canvas.getBoundingClientRect();
    return [((clientX - left) / w) * SIZE, ((clientY - top) / h) * SIZE];
  };

  function paint() {
    frame = 0;
    const scale = canvas.width / SIZE;
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.clearRect(0, 0, canvas.width, canvas.height);
    context.setTransform(scale, 0, 0, scale, 0, 0);
    context.strokeStyle = getComputedStyle(canvas).color;
    context.lineCap = context.lineJoin = "round";
    for (const one of stroke ? [...drawing, stroke] : drawing) {
      if (!lines.has(one)) lines.set(one, line(one.points));
      context.lineWidth = one.width;
      context.stroke(lines.get(one));
    }
  }
  const repaint = () => { frame ||= requestAnimationFrame(paint); };

  function begin(who, point) {
    finish();
    pointer = who;
    stroke = extended({ width: width(), points: [] }, [point]);
    repaint();
    onStroke(stroke, false);
  }

  function go(points) {
    const longer = extended(stroke, points);
    if (longer === stroke) return;
    stroke = longer;
    repaint();
    onStroke(stroke, false);
  }

  function finish() {
    if (!stroke) return;
    const done = stroke;
    if (pointer === "keys") onPen(false);
    stroke = pointer = null;
    onStroke(done, true);
  }

  function showRing([x, y], by) {
    ring.dataset.by = by;
    ring.style.setProperty("--x", x / SIZE);
    ring.style.setProperty("--y", y / SIZE);
    ring.style.setProperty("--width", width() / SIZE);
  }
  const hideRing = () => { delete ring.dataset.by; };

  canvas.addEventListener("pointerdown", (event) => {
    if (event.button !== 0 || !event.isPrimary || (stroke && pointer !== "keys")) return;
    event.preventDefault(); // no selection, no scrolling; so the focus is ours to give
    canvas.focus({ preventScroll: true, focusVisible: false });
    canvas.setPointerCapture(event.pointerId);
    begin(event.pointerId, place(event));
  });
  canvas.addEventListener("pointermove", (event) => {
    if (event.pointerType !== "touch") showRing(place(event), "pointer");
    if (event.pointerId !== pointer) return;
    const between = event.getCoalescedEvents?.() ?? [];
    go((between.length ? between : [event]).map(place));
  });
  for (const type of ["pointerup", "pointercancel", "lostpointercapture"]) {
    canvas.addEventListener(type, (event) => { if (event.pointerId === pointer) finish(); });
  }
  canvas.addEventListener("pointerleave", hideRing);
  canvas.addEventListener("contextmenu", (event) => { if (stroke) event.preventDefault(); });

  canvas.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === " ") {
      event.preventDefault();
      if (event.repeat || (stroke && pointer !== "keys")) return;
      if (stroke) return finish();
      begin("keys", pen);
      onPen(true);
      showRing(pen, "keys");
    } else if (event.key in KEYS) {
      event.preventDefault();
      const step = event.shiftKey ? STEP / 5 : STEP;
      pen = pen.map((v, i) => Math.min(SIZE, Math.max(0, v + KEYS[event.key][i] * step)));
      showRing(pen, "keys");
      if (pointer === "keys") go([pen]);
    }
  });
  canvas.addEventListener("focus", () => { if (canvas.matches(":focus-visible")) showRing(pen, "keys"); });
  canvas.addEventListener("blur", () => {
    if (pointer === "keys") finish();
    hideRing();
  });

  const whole = new AbortController(); // ends what is heard of the whole page
  function fit() {
    const side = Math.round(canvas.clientWidth * devicePixelRatio);
    if (!side || side === canvas.width) return;
    canvas.width = canvas.height = side;
    paint(); // at once: a canvas whose size is set is empty
  }
  const sizes = new ResizeObserver(fit);
  sizes.observe(canvas);
  addEventListener("resize", fit, { signal: whole.signal }); // zooming changes the density alone
  for (const query of ["(prefers-color-scheme: dark)", "(forced-colors: active)"]) {
    matchMedia(query).addEventListener("change", repaint, { signal: whole.signal });
  }

  return {
    show(what) { drawing = what; repaint(); },
    repaint,
    /** Forget the stroke under way. */
    cancel() {
      if (pointer === "keys") onPen(false);
      stroke = pointer = null;
      repaint();
    },
    get busy() { return stroke !== null; },
    /** Hear the page no more. */
    close() {
      whole.abort();
      sizes.disconnect();
    },
  };
}

/** A smooth path: curves between the midpoints of the points, which a quick hand leaves far apart. */
function line(points) {
  const path = new Path2D();
  path.moveTo(...points[0]);
  for (let i = 1; i < points.length - 1; i++) {
    const [[x, y], [nx, ny]] = [points[i], points[i + 1]];
    path.quadraticCurveTo(x, y, (x + nx) / 2, (y + ny) / 2);
  }
  const [x, y] = points.at(-1);
  path.lineTo(points.length === 1 ? x + 0.01 : x, y); // a line of no length has no round ends either
  return path;
}
