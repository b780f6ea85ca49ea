// The one way in which a probability is written, here and in the dashboard's widgets; it imports nothing.

/** 0.982 → "98.2 %"; never "0 %" or "100 %": what a back end answers is rounded, and no network is certain. */
export function percent(p) {
  if (p < 0.001) return "<0.1 %";
  return p > 0.999 ? ">99.9 %" : `${(100 * p).toFixed(1)} %`;
}
