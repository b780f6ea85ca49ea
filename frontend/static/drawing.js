// A drawing is a list of strokes {width, points: [[x, y], …]} in a square of SIZE units; a history is
// {past, drawing, future}. Neither is ever changed in place: each function gives a new one.

export const SIZE = 280;
export const PEN = { narrowest: 10, widest: 50, first: 15 };
const REMEMBERED = 200;
const STEP = 0.75; // units: points nearer than this add nothing to a line

export const blank = { past: [], drawing: [], future: [] };

export const isEmpty = (drawing) => drawing.length === 0;

/** The stroke with those of the points that are away from the last one; the same stroke if none is. */
export function extended(stroke, points) {
  const all = [...stroke.points];
  for (const [x, y] of points) {
    const last = all.at(-1);
    if (!last || Math.hypot(x - last[0], y - last[1]) >= STEP) all.push([round(x), round(y)]);
  }
  return all.length === stroke.points.length ? stroke : { ...stroke, points: all };
}

/** Whether any of the stroke's ink is on the paper. */
export function visible({ width, points }) {
  const near = (v) => v > -width / 2 && v < SIZE + width / 2;
  return points.some(([x, y]) => near(x) && near(y));
}

export function changed(history, drawing) {
  return { past: [...history.past, history.drawing].slice(-REMEMBERED), drawing, future: [] };
}

export const drawn = (history, stroke) =>
  visible(stroke) ? changed(history, [...history.drawing, stroke]) : history;

/** Clearing is a change like any other: it can be undone. */
export const cleared = (history) => (isEmpty(history.drawing) ? history : changed(history, []));

export function undone({ past, drawing, future }) {
  return past.length
    ? { past: past.slice(0, -1), drawing: past.at(-1), future: [drawing, ...future] }
    : { past, drawing, future };
}

export function redone({ past, drawing, future }) {
  return future.length
    ? { past: [...past, drawing], drawing: future[0], future: future.slice(1) }
    : { past, drawing, future };
}

/** The drawing that was saved as JSON; an empty one if the text is not such a drawing. */
export function restored(text) {
  try {
    const drawing = JSON.parse(text);
    return sound(drawing) ? drawing : [];
  } catch {
    return [];
  }
}

/** Whether a value that was kept is a drawing. */
export function sound(drawing) {
  const isStroke = (stroke) =>
    stroke?.width >= PEN.narrowest && stroke.width <= PEN.widest && stroke.points?.length > 0 &&
    stroke.points.every((point) => point?.length === 2 && point.every(Number.isFinite));
  return Array.isArray(drawing) && drawing.every(isStroke);
}

const round = (v) => Math.round(v * 10) / 10;
