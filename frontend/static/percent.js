// The one way in which a probability is written, here and in the dashboard's widgets; it imports nothing.

/** 0.982 → "98.2 %"; never "0 %" or "100 %" for what is not certain. */
export function percent(p) {
  if (p > 0 && p < 0.001) return "<0.1 %";
  if (p < 1 && p > 0.999) return ">99.9 %";
  return `${(100 * p).toFixed(p === 0 || p === 1 ? 0 : 1)} %`;
}
