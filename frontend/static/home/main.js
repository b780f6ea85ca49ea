// A network at home: the page that was taken along with it. It draws, fits and answers by itself and asks nobody.

import { PEN, blank, cleared, drawn, isEmpty, undone } from "../drawing.js";
import { paper } from "../paper.js";
import { SIDE, pixels } from "../picture.js";
import { fit } from "./fit.js";
import { percent } from "../percent.js";
import { opened, probabilities } from "./network.js";

const part = (id) => document.getElementById(id);

/** What a network says of a drawing: null where nothing is drawn, else {seen, probabilities}. */
export function answer(form, steps, drawing) {
  if (isEmpty(drawing)) return null;
  const seen = fit({ width: SIDE, height: SIDE, data: pixels(drawing) });
  return seen && { seen, probabilities: probabilities(form, steps, seen) };
}

export function begin(form) {
  const steps = opened(form);
  let history = blank;
  let unfinished = null;
  let due = 0;
  const sheet = paper({
    canvas: part("paper"),
    ring: part("ring"),
    width: () => PEN.first,
    onStroke(stroke, finished) {
      unfinished = finished ? null : stroke;
      if (finished) history = drawn(history, stroke);
      sheet.show(history.drawing);
      look();
    },
    onPen: () => {},
  });
  const look = () => { due ||= requestAnimationFrame(show); };

  function show() {
    due = 0;
    const drawing = unfinished ? drawn(history, unfinished).drawing : history.drawing;
    const found = answer(form, steps, drawing);
    const best = found ? found.probabilities.indexOf(Math.max(...found.probabilities)) : -1;
    part("hint").hidden = !isEmpty(drawing);
    part("digit").textContent = found ? form.labels[best] : "";
    part("sure").textContent = found ? percent(found.probabilities[best]) : "The answer appears here.";
    [...part("bars").children].forEach((row, i) => {
      row.style.setProperty("--p", found ? found.probabilities[i] : 0);
      row.classList.toggle("top", i === best);
      row.lastElementChild.textContent = found ? percent(found.probabilities[i]) : "";
    });
  }

  part("bars").replaceChildren(...form.labels.map((label) => {
    const [row, name, bar, text] = ["li", "span", "span", "span"].map((tag) => document.createElement(tag));
    name.textContent = label;
    [name.className, bar.className, text.className] = ["name", "bar", "value"];
    row.append(name, bar, text);
    return row;
  }));
  const turn = (change) => {
    sheet.cancel();
    unfinished = null;
    history = change(history);
    sheet.show(history.drawing);
    look();
  };
  part("undo").addEventListener("click", () => turn(undone));
  part("clear").addEventListener("click", () => turn(cleared));
  show();
}
