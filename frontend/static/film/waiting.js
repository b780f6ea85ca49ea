// The film of learning on the drawing page while the first model trains: the visitor's own drawing, read by a network that is
// just learning to. Its numbers are fetched a few frames at a time; all else is computed here.

import { isEmpty } from "../drawing.js";
import { fit } from "../home/fit.js";
import { input, values } from "../home/network.js";
import { answerOf } from "../inside/computed.js";
import { SIDE, pixels } from "../picture.js";
import { begun, follow, none, when, withFrame } from "./frames.js";

/**
 * @param part (name) => element: "film", "film-steps", "film-when"
 * @param fetchFrames (after) => outcome
 * @param drawing () => the drawing as it is
 * @param inside the section that shows what is inside
 * @param changed () => void, when the network reads the drawing in another way
 */
export function learningFilm({ part, fetchFrames, drawing, inside, changed }) {
  let film = none;
  let mark = null; // of the training whose film it is
  let chosen = -1; // -1 follows the newest
  let asking = false;
  let due = 0;
  let read = null;

  async function ask() {
    if (asking) return;
    asking = true;
    const outcome = await fetchFrames(film.frames.at(-1)?.step ?? -1);
    asking = false;
    if (outcome.kind !== "film") return;
    const { told } = outcome;
    const before = film.frames;
    // Where another training began all of it comes with the next look.
    if (told.film !== mark) film = told.form ? begun(told.form) : none;
    else if (!told.frames.length) return;
    mark = told.film;
    for (const { step, weights } of film.form ? told.frames : []) film = withFrame(film, step, bytes(weights), told.kept);
    chosen = follow(before, film.frames, chosen);
    part("film-steps").max = Math.max(0, film.frames.length - 1);
    again();
  }

  const again = () => { due ||= requestAnimationFrame(show); };

  function show() {
    due = 0;
    const { form, frames } = film;
    part("film").hidden = !frames.length;
    read = null;
    if (frames.length) {
      const at = chosen < 0 ? frames.length - 1 : chosen;
      const { step, steps } = frames[at];
      part("film-steps").value = at;
      part("film-when").textContent = `${when(step)}${isEmpty(drawing()) ? ". Draw, and see how it reads you" : ""}`;
      part("film-steps").setAttribute("aria-valuetext", when(step));
      const seen = isEmpty(drawing()) ? null : fit({ width: SIDE, height: SIDE, data: pixels(drawing()) });
      if (seen) read = answerOf(form, values(steps, input(form, seen)).at(-1).data);
      inside.computed(form, steps, seen);
    }
    changed();
  }

  part("film-steps").addEventListener("input", ({ target }) => {
    chosen = target.valueAsNumber === film.frames.length - 1 ? -1 : target.valueAsNumber;
    again();
  });

  return {
    /** Look for what is new; to be called now and then while it trains. */
    ask,
    /** The drawing has changed. */
    drew: again,
    /** The ten probabilities at the step that is chosen; null where nothing is drawn, or no frame there yet. */
    get probabilities() { return read; },
    /** A model serves: the film is over. */
    end() {
      film = none;
      part("film").hidden = true;
      read = null;
    },
  };
}

const bytes = (text) => Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
