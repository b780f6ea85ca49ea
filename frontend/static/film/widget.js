// The film of learning in a notebook: a drawing as a network reads it after so and so many steps, and what is inside of it
// then. The network's numbers come once; all else is computed here.

import { PEN } from "../drawing.js";
import { SIDE, pixels } from "../picture.js";
import { fit } from "../home/fit.js";
import { insidePanel, make } from "../inside/panel.js";
import { ownLooks } from "../inside/own.js";
import { sheet as sheetOf, wish } from "../sheet.js";
import { begun, follow, none, when, withFrame } from "./frames.js";
import { paintBars, paintMaps, read } from "./shown.js";

const FIRST = [{ width: PEN.first, points: [[80, 75], [200, 75], [175, 130], [130, 225]] }];

/** For anywidget: shows what the kernel sends, and asks it once for all that there is. */
export function render({ model, el }) {
  let film = none;
  let chosen = -1; // -1 follows the newest
  let due = 0;

  const canvas = make("canvas", { width: 280, height: 280, tabIndex: 0 });
  canvas.setAttribute("role", "application");
  canvas.setAttribute("aria-label", "Paper: space puts the pen down and lifts it, the arrow keys move it");
  const slider = make("input", { type: "range", min: 0, max: 0, value: 0, step: 1 });
  slider.setAttribute("aria-label", "Steps of training");
  const moment = make("p", { className: "wb-film-when" });
  const bars = make("ol", { className: "wb-film-bars" });
  const maps = make("div", { className: "wb-film-maps" });
  const clear = make("button", { type: "button", textContent: "Clear" });
  const layers = make("div", { className: "inside", hidden: true });
  const inside = make("button", { type: "button", className: "wb-film-inside", textContent: "See inside" });
  inside.setAttribute("aria-expanded", "false");
  const spoken = make("p", { className: "wb-hidden", role: "status" });
  const root = make("div", { className: "wb wb-film", hidden: true },
    make("h4", { textContent: "Watch it learn" }),
    make("p", { textContent: "A drawing, as the network read it after so many steps of training. Clear the paper and draw your own." }),
    make("div", { className: "wb-film-scale" }, make("span", { textContent: "random" }), slider, make("span", { textContent: "now" })),
    moment,
    make("div", { className: "wb-film-row" }, make("div", { className: "wb-film-paper" }, canvas, clear), bars, maps),
    inside, layers, spoken);
  const reason = make("p", {});
  const absent = make("div", { className: "wb wb-no-film", hidden: true }, make("h4", { textContent: "Watch it learn" }), reason);
  el.replaceChildren(root, absent);

  const panel = insidePanel(layers, (text) => { spoken.textContent = text; }, 5);
  const looks = ownLooks(panel);
  const ask = () => { due ||= requestAnimationFrame(show); };
  const sheet = sheetOf({ canvas, width: () => PEN.first, first: FIRST, onChange: ask });
  slider.addEventListener("input", () => {
    chosen = slider.valueAsNumber === film.frames.length - 1 ? -1 : slider.valueAsNumber;
    ask();
  });
  clear.addEventListener("click", () => sheet.clear());
  root.dataset.lmSuppressShortcuts = "true"; // JupyterLab's own
  root.addEventListener("keydown", (event) => {
    const wanted = wish(event);
    if (wanted) {
      event.preventDefault();
      sheet[wanted]();
    }
    if (event.defaultPrevented) event.stopPropagation(); // it is not for the notebook
  });
  inside.addEventListener("click", () => {
    layers.hidden = !layers.hidden;
    inside.setAttribute("aria-expanded", String(!layers.hidden));
    maps.hidden = !layers.hidden; // they are among the layers
    ask();
  });

  function show() {
    due = 0;
    const { form, frames } = film;
    root.hidden = !frames.length;
    absent.hidden = frames.length > 0 || !form?.missing;
    reason.textContent = absent.hidden ? "" : `There is no film of this network: ${form.missing}.`;
    if (root.hidden) return;
    const at = chosen < 0 ? frames.length - 1 : chosen;
    const { step, steps } = frames[at];
    slider.value = at;
    moment.textContent = when(step);
    slider.setAttribute("aria-valuetext", moment.textContent);
    const seen = sheet.isEmpty ? null : fit({ width: SIDE, height: SIDE, data: pixels(sheet.drawing) });
    const found = seen && read(form, steps, seen);
    paintBars(bars, found?.probabilities ?? [], form.labels);
    paintMaps(maps, found?.layers ?? []);
    if (!layers.hidden) looks.show(form, steps, seen);
  }

  function receive(message, buffers) {
    const before = film.frames;
    if (message.kind === "clear") film = none;
    if (message.kind === "form") film = begun(message.form);
    if (message.kind === "frame" && film.form) film = withFrame(film, message.step, bytesOf(buffers[0]), message.kept);
    chosen = follow(before, film.frames, chosen);
    slider.max = Math.max(0, film.frames.length - 1); // at once: a key may come before the next frame of the screen
    ask();
  }
  model.on("msg:custom", receive);
  model.send({ kind: "ready" });
  return () => {
    sheet.close();
    model.off("msg:custom", receive);
  };
}

const bytesOf = (buffer) => new Uint8Array(buffer.buffer ?? buffer, buffer.byteOffset ?? 0, buffer.byteLength);
