// A sheet to draw on: the paper and the drawing's history. Every page and widget that one draws on uses this one; each lays out
// its own buttons and has its own way of asking.

import { blank, changed, cleared, drawn, isEmpty, redone, undone } from "./drawing.js";
import { paper } from "./paper.js";

/**
 * @param canvas the paper
 * @param ring an element that shows where the pen is, and how wide
 * @param width () => units
 * @param first the drawing that is there at the beginning
 * @param onChange ({finished, another}) => void: whether the pen is up, and whether what was drawn before is gone or back
 * @param onPen (isDown) => void, for the keyboard's pen
 */
export function sheet({ canvas, ring = document.createElement("div"), width, first = [], onChange, onPen = () => {} }) {
  let history = { ...blank, drawing: first };
  let unfinished = null; // the stroke under way
  const page = paper({
    canvas,
    ring,
    width,
    onStroke(stroke, finished) {
      unfinished = finished ? null : stroke;
      if (finished) keep(drawn(history, stroke));
      onChange({ finished, another: false });
    },
    onPen,
  });

  function keep(next) {
    history = next;
    page.show(history.drawing);
  }

  /** Give up the stroke under way, and change the drawing to another one. */
  function turn(change) {
    if (unfinished) {
      page.cancel();
      unfinished = null;
    }
    keep(change(history));
    onChange({ finished: true, another: true });
  }

  page.show(history.drawing);
  return {
    /** With the stroke under way. */
    get drawing() { return unfinished ? drawn(history, unfinished).drawing : history.drawing; },
    get finished() { return history.drawing; },
    get isEmpty() { return isEmpty(this.drawing); },
    get canUndo() { return history.past.length > 0 || unfinished !== null; },
    get canRedo() { return history.future.length > 0; },
    get busy() { return page.busy; },
    undo() { turn(undone); },
    redo() { turn(redone); },
    clear() { turn(cleared); },
    /** Begin with another drawing, without a history. */
    begin(drawing) { turn(() => ({ ...blank, drawing })); },
    /** Put another drawing in the place of this one, which can be undone. */
    put(drawing) { turn((before) => changed(before, drawing)); },
    repaint: page.repaint,
    /** Let go of what belongs to the whole page. */
    close: page.close,
  };
}

/** What a key asks of a sheet: "undo", "redo" or "clear"; "" for all others. */
export function wish({ key, ctrlKey, metaKey, altKey, shiftKey }) {
  if (altKey) return "";
  const letter = key.toLowerCase();
  if (ctrlKey || metaKey) return letter === "z" ? (shiftKey ? "redo" : "undo") : letter === "y" ? "redo" : "";
  return key === "Escape" ? "clear" : "";
}
