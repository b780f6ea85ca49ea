// The sheet in a notebook: a drawing goes to the kernel as the small picture that the drawing page sends, and what the model
// makes of it follows the pen. One message is under way at a time; when the answer is back, the newest drawing goes.

import { doubt, guess, offer, pieces } from "../doubt.js";
import { PEN } from "../drawing.js";
import { percent } from "../percent.js";
import { SIDE, pixels } from "../picture.js";
import { sheet as sheetOf, wish } from "../sheet.js";

const PAUSE_MS = 60;
const PATIENCE_MS = 8000;
const REST_MS = 700;
const KEYS = "Drawing area. The arrow keys move the pen, Space puts it down and lifts it, Control Z undoes, Escape clears.";

/** Indexes of the probabilities, greatest first. */
export const rank = (probabilities) =>
  probabilities.map((_, i) => i).sort((a, b) => probabilities[b] - probabilities[a]);

/** What is said beside the digit: how sure, and what else it may be. */
export function sureness(probabilities, labels) {
  const [first, second] = rank(probabilities);
  const other = second !== undefined && probabilities[second] >= 0.01
    ? `; else ${labels[second]} (${percent(probabilities[second])})` : "";
  return `${percent(probabilities[first])} sure${other}`;
}

function make(tag, attributes = {}, ...children) {
  const { role, label, ...others } = attributes;
  const element = Object.assign(document.createElement(tag), others);
  if (role) element.setAttribute("role", role);
  if (label) element.setAttribute("aria-label", label);
  element.append(...children);
  return element;
}

const button = (text) => make("button", { type: "button", className: "jupyter-button", textContent: text });

function barsOf(labels) {
  const rows = labels.map((label) => {
    const bar = make("span", { className: "wb-probability" });
    const number = make("span", { className: "wb-probability-number" });
    return { row: make("li", {}, make("b", { textContent: label }), bar, number), bar, number };
  });
  const element = make("ol", { className: "wb-bars", ariaHidden: "true" }, ...rows.map(({ row }) => row));
  return {
    element,
    show(probabilities, top) {
      rows.forEach(({ row, bar, number }, i) => {
        const p = probabilities?.[i] ?? 0;
        row.classList.toggle("wb-top", i === top);
        bar.style.setProperty("--part", p);
        number.textContent = probabilities ? percent(p) : "";
      });
    },
  };
}

/** For anywidget: draws, asks the kernel, and shows what it answers. */
export function render({ model, el }) {
  const labels = model.get("labels");
  const canvas = make("canvas", { width: 280, height: 280, tabIndex: 0, role: "application", label: KEYS });
  const ring = make("div", { className: "wb-pad-ring" });
  const hint = make("div", { className: "wb-pad-hint", textContent: model.get("hint"), ariaHidden: "true" });
  const pen = make("input", { type: "range", min: PEN.narrowest, max: PEN.widest, step: 1, value: model.get("pen") });
  const [undo, redo, clear] = ["Undo", "Redo", "Clear"].map(button);
  const digit = make("div", { className: "wb-answer-digit", textContent: "–" });
  const words = make("div", { className: "wb-answer-words", textContent: "Draw a digit." });
  const take = make("button", { type: "button", className: "jupyter-button wb-answer-take", hidden: true });
  const seen = make("img", { className: "wb-seen", alt: "What the model saw, 28 × 28 pixels", hidden: true });
  const bars = barsOf(labels);
  const spoken = make("span", { className: "wb-hidden", role: "status" });
  const side = make("div", { className: "wb-answer" },
    make("div", { className: "wb-answer-top" }, digit, words, seen), take, bars.element, spoken);
  el.classList.add("wb", "wb-draw");
  el.append(
    make("div", { className: "wb-draw-left" },
      make("div", { className: "wb-pad" }, canvas, make("div", { className: "wb-pad-above", ariaHidden: "true" }, ring), hint),
      make("div", { className: "wb-pad-tools" }, make("label", {}, "Pen", pen), undo, redo, clear)),
    side);
  el.dataset.lmSuppressShortcuts = "true"; // JupyterLab's own

  let sent = 0;
  let waiting = 0; // id of the drawing that is under way
  let changed = false;
  let lastSent = 0;
  let timer = 0;
  let sayTimer = 0;
  let shown = null; // the answer
  let taken = false; // whether the pieces are taken for what they are

  const sheet = sheetOf({
    canvas,
    ring,
    width: () => pen.valueAsNumber,
    onChange() {
      changed = true;
      showTools();
      schedule();
    },
  });

  function showTools() {
    hint.hidden = !sheet.isEmpty;
    undo.disabled = !sheet.canUndo;
    redo.disabled = !sheet.canRedo;
    clear.disabled = sheet.isEmpty;
  }

  function schedule() {
    if (timer || !changed) return;
    const due = waiting ? lastSent + PATIENCE_MS : lastSent + PAUSE_MS;
    timer = setTimeout(() => { timer = 0; send(); }, Math.max(0, due - performance.now()));
  }

  function send() {
    if (!changed) return;
    changed = false;
    lastSent = performance.now();
    sent += 1;
    waiting = sheet.isEmpty ? 0 : sent;
    if (sheet.isEmpty) show({ text: "Draw a digit." });
    model.send({ kind: "ink", id: sent, width: SIDE, height: SIDE }, undefined, [pixels(sheet.drawing).buffer]);
  }

  function answered(message) {
    if (message.kind !== "answer") return;
    if (message.id === waiting) { // 0 where none is: the kernel has looked at the same drawing once more
      waiting = 0;
      clearTimeout(timer);
      timer = 0;
      if (!sheet.isEmpty) show(message);
    }
    schedule();
  }

  function show(answer) {
    if (pieces(answer).join() !== pieces(shown ?? {}).join()) taken = false;
    shown = answer;
    const { probabilities, seen: picture, text } = answer;
    const doubted = probabilities ? doubt(answer) : "";
    const offered = probabilities ? offer(answer) : "";
    const [top] = probabilities ? rank(probabilities) : [];
    const asPieces = taken && offered !== "";
    const sure = !probabilities ? text : asPieces ? `${percent(answer.doubt.score)} sure` : sureness(probabilities, labels);
    el.dataset.error = String(!probabilities && Boolean(text) && !sheet.isEmpty);
    side.dataset.doubt = String(doubted !== "" && !asPieces);
    digit.textContent = !probabilities ? "–" : asPieces ? pieces(answer).join("") : labels[top];
    words.replaceChildren(...(doubted && !asPieces ? [make("strong", { textContent: doubted }), `${guess(answer)} ${sure}`] : [sure]));
    take.hidden = !offered;
    take.textContent = asPieces ? `Read ${labels[top]}` : offered;
    bars.show(probabilities, doubted ? -1 : top);
    seen.hidden = !picture;
    if (picture) seen.src = picture;
    clearTimeout(sayTimer);
    sayTimer = setTimeout(() => {
      const first = doubted && !asPieces ? `${doubted}${doubted.endsWith("?") ? "" : "."} ${guess(answer)} ` : "";
      spoken.textContent = probabilities ? `${first}${digit.textContent}, ${sure}` : sure;
    }, REST_MS);
  }

  undo.addEventListener("click", () => sheet.undo());
  redo.addEventListener("click", () => sheet.redo());
  clear.addEventListener("click", () => sheet.clear());
  take.addEventListener("click", () => {
    taken = !taken;
    show(shown);
  });
  pen.addEventListener("input", () => {
    model.set("pen", pen.valueAsNumber);
    model.save_changes();
  });
  el.addEventListener("keydown", (event) => {
    const wanted = wish(event);
    if (wanted) {
      event.preventDefault();
      sheet[wanted]();
    }
    if (event.defaultPrevented) event.stopPropagation(); // it is not for the notebook
  });
  const theme = new MutationObserver(() => sheet.repaint()); // JupyterLab's; the system's is the sheet's own matter
  theme.observe(document.body, { attributes: true, attributeFilter: ["data-jp-theme-light"] });
  model.on("msg:custom", answered);
  showTools();
  return () => {
    sheet.close();
    theme.disconnect();
    model.off("msg:custom", answered);
    clearTimeout(timer);
    clearTimeout(sayTimer);
  };
}
