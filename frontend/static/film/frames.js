// A film of learning as a page has it: the network's numbers after so and so many steps. Pure functions.

import { withNumbers } from "../home/network.js";

export const none = { form: null, frames: [] };

/** Numbers of two bytes each (IEEE 754 binary16), as ordinary ones. */
export function fromHalf(view) {
  const bits = new DataView(view.buffer, view.byteOffset, view.byteLength);
  return Float32Array.from({ length: view.byteLength / 2 }, (_, i) => {
    const half = bits.getUint16(2 * i, true);
    const [exponent, rest] = [(half >> 10) & 31, half & 1023];
    const size = exponent ? 2 ** (exponent - 15) * (1 + rest / 1024) : 2 ** -14 * (rest / 1024);
    return half >> 15 ? -size : size;
  });
}

export const begun = (form) => ({ form, frames: [] });

/**
 * The film with one more frame.
 *
 * @param view the frame's bytes
 * @param kept the steps whose frames belong to the film, where some were taken out of it
 */
export function withFrame({ form, frames }, step, view, kept = null) {
  const others = frames.filter((frame) => frame.step !== step && (kept === null || kept.includes(frame.step)));
  const added = { step, steps: withNumbers(form.steps, fromHalf(view)) };
  return { form, frames: [...others, added].sort((a, b) => a.step - b.step) };
}

/** Where a slider stands after the frames changed: at the same step, and at the newest where it stood there. */
export function follow(before, after, chosen) {
  if (chosen < 0 || !before.length) return -1;
  const at = after.findIndex(({ step }) => step === before[chosen].step);
  return at === after.length - 1 ? -1 : at;
}

export const when = (step) =>
  step ? `after ${step.toLocaleString("en")} ${step === 1 ? "step" : "steps"}` : "before the first step: random numbers";
