// A canvas to draw a digit on, and what the model makes of it while the pen moves.
// The words of doubt are the drawing page's: its module doubt.js stands before this one.
// Ink goes to the kernel as bytes, one message under way at a time; when the answer is back, the newest drawing goes.

const SIZE = 280; // the drawing's own units; the picture sent has SENT × SENT pixels
const SENT = 140;
const PAUSE_MS = 60;
const PATIENCE_MS = 8000;
const KEY_STEP = 10;

/** Draw strokes (`[{width, points: [[x, y], …]}]`, in units of SIZE) on a context, smoothly. */
export function paint(context, strokes, scale, color) {
  context.clearRect(0, 0, SIZE * scale, SIZE * scale);
  context.lineCap = "round";
  context.lineJoin = "round";
  context.strokeStyle = color;
  for (const { width, points } of strokes) {
    context.lineWidth = width * scale;
    context.beginPath();
    const at = points.map(([x, y]) => [x * scale, y * scale]);
    context.moveTo(...at[0]);
    if (at.length === 1) context.lineTo(at[0][0] + 0.01, at[0][1]);
    for (let i = 1; i < at.length; i += 1) {
      const [x, y] = at[i];
      const [next, below] = at[i + 1] ?? at[i];
      context.quadraticCurveTo(x, y, (x + next) / 2, (y + below) / 2);
    }
    context.stroke();
  }
}

/** Row-major ink, 0 = paper to 255 = pen, SENT × SENT bytes. */
export function inkOf(strokes) {
  const canvas = new OffscreenCanvas(SENT, SENT);
  const context = canvas.getContext("2d", { willReadFrequently: true });
  paint(context, strokes, SENT / SIZE, "#000");
  const { data } = context.getImageData(0, 0, SENT, SENT);
  const ink = new Uint8Array(SENT * SENT);
  for (let i = 0; i < ink.length; i += 1) ink[i] = data[4 * i + 3];
  return ink;
}

/** Indexes of the probabilities, greatest first. */
export const rank = (probabilities) =>
  probabilities.map((_, i) => i).sort((a, b) => probabilities[b] - probabilities[a]);

function element(name, className, text = "") {
  const node = document.createElement(name);
  if (className) node.className = className;
  node.textContent = text;
  return node;
}

function render({ model, el }) {
  el.classList.add("wb", "wb-draw");
  const labels = model.get("labels");
  const pad = element("div", "wb-pad");
  const canvas = document.createElement("canvas");
  const hint = element("div", "wb-pad-hint", model.get("hint"));
  const tools = element("div", "wb-pad-tools");
  const undo = element("button", "jupyter-button", "Undo");
  const clear = element("button", "jupyter-button", "Clear");
  const pen = document.createElement("input");
  const penLabel = element("label", "", "Pen");
  undo.type = "button";
  clear.type = "button";
  Object.assign(pen, { type: "range", min: 8, max: 40, step: 1, value: model.get("pen") });
  penLabel.append(pen);
  tools.append(penLabel, undo, clear);
  canvas.tabIndex = 0;
  canvas.setAttribute("role", "application");
  canvas.setAttribute(
    "aria-label",
    "Drawing area. The arrow keys move the pen, Space puts it down and lifts it, Control Z undoes, Escape clears.",
  );
  pad.append(canvas, hint);
  const side = element("div", "wb-answer");
  const top = element("div", "wb-answer-top");
  const digit = element("div", "wb-answer-digit", "–");
  const words = element("div", "wb-answer-words", "Draw a digit.");
  const seen = document.createElement("img");
  seen.className = "wb-seen";
  seen.alt = "What the model saw, 28 × 28 pixels";
  seen.hidden = true;
  top.append(digit, words, seen);
  const bars = element("ol", "wb-bars");
  bars.setAttribute("aria-hidden", "true");
  const rows = labels.map((label) => {
    const row = element("li");
    const bar = element("span", "wb-probability");
    const number = element("span", "wb-probability-number");
    row.append(element("b", "", label), bar, number);
    bars.append(row);
    return { row, bar, number };
  });
  const spoken = element("span", "wb-hidden");
  spoken.setAttribute("role", "status");
  side.append(top, bars, spoken);
  const left = element("div", "wb-draw-left");
  left.append(pad, tools);
  el.append(left, side);
  el.dataset.lmSuppressShortcuts = "true";

  const strokes = [];
  let stroke = null;
  let cursor = null; // for the keyboard: where the pen is
  let sent = 0;
  let waiting = 0; // id of the drawing that is under way
  let changed = false;
  let lastSent = 0;
  let timer = 0;
  let sayTimer = 0;

  function draw() {
    const box = canvas.getBoundingClientRect();
    const ratio = (box.width || SIZE) / SIZE * (window.devicePixelRatio || 1);
    const side_px = Math.round(SIZE * ratio);
    if (canvas.width !== side_px) canvas.width = canvas.height = side_px;
    const context = canvas.getContext("2d");
    paint(context, strokes, ratio, getComputedStyle(canvas).color);
    if (cursor) {
      context.fillStyle = getComputedStyle(hint).color;
      context.beginPath();
      context.arc(cursor.x * ratio, cursor.y * ratio, 4 * ratio, 0, 7);
      context.fill();
    }
    hint.hidden = strokes.length > 0;
    undo.disabled = clear.disabled = !strokes.length;
  }

  function touched() {
    changed = true;
    draw();
    schedule();
  }

  function schedule() {
    if (timer || !changed) return;
    const now = performance.now();
    const due = waiting ? lastSent + PATIENCE_MS : lastSent + PAUSE_MS;
    timer = setTimeout(() => { timer = 0; send(); }, Math.max(0, due - now));
  }

  function send() {
    if (!changed) return;
    changed = false;
    lastSent = performance.now();
    if (!strokes.length) {
      waiting = 0;
      sent += 1;
      show({ probabilities: null, seen: null, doubt: null, text: "Draw a digit." });
      return;
    }
    sent += 1;
    waiting = sent;
    model.send({ kind: "ink", id: sent, width: SENT, height: SENT }, undefined, [inkOf(strokes).buffer]);
  }

  function answered(message) {
    if (message.kind !== "answer") return;
    if (message.id === waiting) {
      waiting = 0;
      clearTimeout(timer);
      timer = 0;
      show(message);
    }
    schedule();
  }

  function show({ probabilities, seen: picture, text, doubt: kind }) {
    const doubted = probabilities ? doubt({ doubt: kind }) : "";
    const order = probabilities ? rank(probabilities) : [];
    el.dataset.error = !probabilities && text && strokes.length ? "true" : "false";
    digit.textContent = probabilities ? labels[order[0]] : "–";
    side.dataset.doubt = String(doubted !== "");
    const sure = probabilities
      ? `${percent(probabilities[order[0]])} sure` +
        (order.length > 1 && probabilities[order[1]] >= 0.01
          ? `; else ${labels[order[1]]} (${percent(probabilities[order[1]])})` : "")
      : text;
    words.replaceChildren(...(doubted ? [element("strong", "", doubted), `${guess({ doubt: kind })} ${sure}`] : [sure]));
    rows.forEach(({ row, bar, number }, i) => {
      const p = probabilities ? probabilities[i] : 0;
      row.classList.toggle("wb-top", Boolean(probabilities) && !doubted && i === order[0]);
      bar.style.setProperty("--part", p);
      number.textContent = p >= 0.0005 ? percent(p) : "";
    });
    seen.hidden = !picture;
    if (picture) seen.src = picture;
    clearTimeout(sayTimer);
    sayTimer = setTimeout(() => {
      spoken.textContent = probabilities ? `${doubted ? `${doubted}: ` : ""}${digit.textContent}, ${sure}` : sure;
    }, 700);
  }

  const place = (event) => {
    const box = canvas.getBoundingClientRect();
    return [((event.clientX - box.left) / box.width) * SIZE, ((event.clientY - box.top) / box.height) * SIZE];
  };
  canvas.addEventListener("pointerdown", (event) => {
    if (event.button !== 0 || stroke) return;
    canvas.setPointerCapture(event.pointerId);
    cursor = null;
    stroke = { id: event.pointerId, width: Number(pen.value), points: [place(event)] };
    strokes.push(stroke);
    touched();
  });
  canvas.addEventListener("pointermove", (event) => {
    if (!stroke || event.pointerId !== stroke.id) return;
    const parts = event.getCoalescedEvents?.() ?? [];
    for (const part of parts.length ? parts : [event]) stroke.points.push(place(part));
    touched();
  });
  const lift = (event) => { if (stroke && event.pointerId === stroke.id) stroke = null; };
  canvas.addEventListener("pointerup", lift);
  canvas.addEventListener("pointercancel", lift);

  function takeBack() { strokes.pop(); stroke = null; if (cursor) cursor.down = null; touched(); }
  function wipe() { strokes.length = 0; stroke = null; if (cursor) cursor.down = null; touched(); }
  undo.addEventListener("click", takeBack);
  clear.addEventListener("click", wipe);
  pen.addEventListener("input", () => { model.set("pen", Number(pen.value)); model.save_changes(); });

  const arrows = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
  el.addEventListener("keydown", (event) => {
    if (event.key === "Escape") wipe();
    else if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "z") takeBack();
    else if (event.target === canvas && (arrows[event.key] || event.key === " ")) {
      cursor ??= { x: SIZE / 2, y: SIZE / 4, down: null };
      if (event.key === " ") {
        cursor.down = cursor.down ? null : { width: Number(pen.value), points: [[cursor.x, cursor.y]] };
        if (cursor.down) strokes.push(cursor.down);
      } else {
        const step = event.shiftKey ? KEY_STEP / 4 : KEY_STEP;
        cursor.x = Math.min(SIZE, Math.max(0, cursor.x + arrows[event.key][0] * step));
        cursor.y = Math.min(SIZE, Math.max(0, cursor.y + arrows[event.key][1] * step));
        cursor.down?.points.push([cursor.x, cursor.y]);
      }
      touched();
    } else return;
    event.preventDefault();
    event.stopPropagation();
  });
  canvas.addEventListener("blur", () => { if (cursor) { cursor = null; draw(); } });

  const observer = new ResizeObserver(draw);
  observer.observe(canvas);
  const scheme = window.matchMedia("(prefers-color-scheme: dark)");
  scheme.addEventListener("change", draw);
  model.on("msg:custom", answered);
  draw();
  return () => {
    observer.disconnect();
    scheme.removeEventListener("change", draw);
    model.off("msg:custom", answered);
    clearTimeout(timer);
    clearTimeout(sayTimer);
  };
}

export default { render };
