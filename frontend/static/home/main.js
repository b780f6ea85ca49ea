// A network at home: the page that was taken along with it. It draws, fits and answers by itself and asks nobody.

import { doubt, guess } from "../doubt.js";
import { PEN, isEmpty } from "../drawing.js";
import { insidePanel } from "../inside/panel.js";
import { ownLooks } from "../inside/own.js";
import { percent } from "../percent.js";
import { part } from "../elements.js";
import { SIDE, pixels } from "../picture.js";
import { sheet as sheetOf, wish } from "../sheet.js";
import { detectorOf, doubtOf } from "./detector.js";
import { fit } from "./fit.js";
import { opened, probabilities } from "./network.js";

/** What a network says of a drawing: null where nothing is drawn, else {seen, probabilities}. */
export function answer(form, steps, drawing) {
  if (isEmpty(drawing)) return null;
  const seen = fit({ width: SIDE, height: SIDE, data: pixels(drawing) });
  return seen && { seen, probabilities: probabilities(form, steps, seen) };
}

export function begin(form) {
  const steps = opened(form);
  const detector = detectorOf(form.doubt);
  let due = 0;
  let looks = null; // once it was asked what is inside
  const look = () => { due ||= requestAnimationFrame(show); };
  const sheet = sheetOf({
    canvas: part("paper"),
    ring: part("ring"),
    width: () => part("width").valueAsNumber,
    onChange: look,
  });

  function show() {
    due = 0;
    const found = answer(form, steps, sheet.drawing);
    const doubted = found ? doubtOf(detector, found.seen) : null;
    const [best, second] = found ? ranked(found.probabilities) : [-1, -1];
    part("hint").hidden = !sheet.isEmpty;
    part("undo").disabled = !sheet.canUndo;
    part("redo").disabled = !sheet.canRedo;
    part("clear").disabled = sheet.isEmpty;
    part("digit").textContent = found ? form.labels[best] : "";
    part("digit").classList.toggle("doubted", doubted !== null);
    part("doubt").hidden = !doubted;
    part("doubt").textContent = doubt({ doubt: doubted });
    const sure = found ? percent(found.probabilities[best]) : "The answer appears here.";
    part("sure").textContent = doubted ? `${guess({ doubt: doubted })} ${sure}` : sure;
    part("second").textContent = found && second !== undefined ? `Second guess ${form.labels[second]} · ${percent(found.probabilities[second])}` : "";
    [...part("bars").children].forEach((row, i) => {
      row.style.setProperty("--p", found ? found.probabilities[i] : 0);
      row.classList.toggle("top", i === best && !doubted);
      row.lastElementChild.textContent = found ? percent(found.probabilities[i]) : "";
    });
    if (!part("layers").hidden) looks.show(form, steps, found?.seen ?? null);
  }

  part("bars").replaceChildren(...form.labels.map((label) => {
    const [row, name, bar, text] = ["li", "span", "span", "span"].map((tag) => document.createElement(tag));
    name.textContent = label;
    [name.className, bar.className, text.className] = ["name", "bar", "value"];
    row.append(name, bar, text);
    return row;
  }));
  Object.assign(part("width"), { min: PEN.narrowest, max: PEN.widest, value: PEN.first });
  for (const turn of ["undo", "redo", "clear"]) part(turn).addEventListener("click", () => sheet[turn]());
  part("look").addEventListener("click", () => {
    const open = part("layers").hidden;
    part("layers").hidden = !open;
    part("look").setAttribute("aria-expanded", String(open));
    looks ??= ownLooks(insidePanel(part("layers"), (text) => { part("spoken").textContent = text; }));
    look();
  });
  addEventListener("keydown", (event) => {
    const wanted = event.defaultPrevented ? "" : wish(event);
    if (!wanted) return;
    event.preventDefault();
    sheet[wanted]();
  });
  show();
}

const ranked = (numbers) => numbers.map((_, i) => i).sort((a, b) => numbers[b] - numbers[a]);
