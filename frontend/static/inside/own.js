// Looks inside a network that the page computes itself: the layers at once, then what takes longer, a little at a time, so
// that the pen stays free. One look after the other, the newest wish next.

import { input, values } from "../home/network.js";
import { describe, examplesOf, explanation, learned, likeness, look } from "./computed.js";

const SLICE = 8; // ms
const GRIDS = [7, 5, 4];
const BUDGET = 1500; // ms in all for what spoke for and against
const TRIALS = 3; // the first answers of a network are slower than those that follow

/** @param panel as `insidePanel` gives it */
export function ownLooks(panel) {
  let wish = null; // {form, steps, seen}
  let busy = false;
  let named = null; // the steps whose numbers the panel knows
  let examples = { form: null, all: [] };
  let learning = { steps: null, known: null, under: null };

  async function work() {
    busy = true;
    while (wish) {
      const { form, steps, seen } = wish;
      wish = null;
      try {
        await read(form, steps, seen);
      } catch (error) { // one that cannot be read must not be the last
        panel.fail(`This cannot be looked into: ${error.message}.`);
      }
    }
    busy = false;
  }

  async function read(form, steps, seen) {
    if (named !== steps) panel.name(describe(form, steps));
    named = steps;
    if (!seen) {
      panel.show({ layers: [] });
      return;
    }
    const told = look(form, steps, seen);
    panel.show({ ...told, coming: ["for_and_against", "alike"] });
    const took = answerTakes(form, steps, seen);
    const grid = GRIDS.find((parts) => (took * parts * parts) / 2 <= BUDGET);
    if (grid) told.for_and_against = await inSlices(explanation(form, steps, seen, grid), () => false);
    else told.missing.for_and_against = "this network takes too long to be asked about each part of a drawing";
    panel.show({ ...told, coming: ["alike"] });
    const known = await learn(form, steps);
    if (known) panel.show({ ...told, alike: likeness(form, steps, seen, known) });
    else if (!examples.all.length) panel.show({ ...told, missing: { ...told.missing, alike: "what it learned from did not come along" } });
  }

  /** What the network makes of the examples; null where there are none, or where another drawing came meanwhile. */
  async function learn(form, steps) {
    if (examples.form !== form) examples = { form, all: examplesOf(form) };
    if (!examples.all.length) return null;
    if (learning.steps !== steps) learning = { steps, known: null, under: learned(form, steps, examples.all) };
    if (learning.known) return learning.known;
    const mine = learning;
    const known = await inSlices(mine.under, () => wish !== null);
    if (known) mine.known = known;
    return known;
  }

  return {
    /** Show what the network makes of a drawing as it sees it; of none where `seen` is null. */
    show(form, steps, seen) {
      wish = { form, steps, seen };
      if (!busy) work();
    },
  };
}

/** How long an answer takes here, in ms. */
function answerTakes(form, steps, seen) {
  let least = Infinity;
  for (let i = 0; i < TRIALS && least > 1; i++) {
    const begun = performance.now();
    values(steps, input(form, seen));
    least = Math.min(least, performance.now() - begun);
  }
  return least;
}

/** What a generator gives at last, computed in slices of time; null where it was given up, to be gone on with later. */
async function inSlices(generator, givenUp) {
  let begun = performance.now();
  for (;;) {
    const { done, value } = generator.next();
    if (done) return value;
    if (performance.now() - begun < SLICE) continue;
    await new Promise((resolve) => { setTimeout(resolve); });
    if (givenUp()) return null;
    begun = performance.now();
  }
}
