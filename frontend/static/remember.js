// What the workbench's first page knows of a visit here: the last drawing as the model saw it, and whether one has looked inside.
// Kept in cookies for that page alone, since it has another port, and ports share cookies; this page and the back end get none.

const MONTH = 30 * 24 * 3600;
const MOST = 2500; // characters; a browser keeps 4,000
const PICTURE = /^data:image\/png;base64,([A-Za-z0-9+/=]+)$/;

const cookie = (name, value) => `${name}=${value}; path=/workbench; max-age=${MONTH}; samesite=lax`;

/** The cookie of an answer, or nothing where there is no digit or no small picture. */
export function lastDrawing({ digit, seen, probabilities }, now) {
  const picture = PICTURE.exec(seen ?? "")?.[1];
  if (!Number.isInteger(digit) || !picture || picture.length > MOST) return "";
  return cookie("workbench_drawing", [digit, probabilities[digit].toFixed(3), Math.round(now / 1000), picture].join("."));
}

export const lookedInside = (now) => cookie("workbench_inside", Math.round(now / 1000));

/** Keeps it, where the browser does. */
export function keep(text) {
  if (text) document.cookie = text;
}
