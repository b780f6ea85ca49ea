// The part of the page in which a visitor says which digit it was, and takes that back.

import * as backend from "./backend.js";
import { part, set } from "./elements.js";
import * as given from "./given.js";
import { sentence } from "./words.js";

/** What is said of a correction: {digit, outcome}, outcome null while it is sent. */
export function thanks({ digit, outcome }) {
  switch (outcome?.kind) {
    case undefined: return "Sending …";
    case "kept": return `Thank you. Noted: a ${digit}, to be reviewed.`;
    case "taken": return `Taken back: the ${digit} is not kept.`;
    case "reviewed": return `The ${digit} was reviewed already, so it stays.`;
    case "unkept": return "Thank you. This back end does not collect corrections yet.";
    case "limited": return "Not noted: the back end is busy. Please try again in a moment.";
    case "refused": return `Not noted. ${sentence(outcome.message)}`;
    case "stuck": return "Not taken back yet: the back end is away. Please try again later.";
    default: return "Not noted: the back end is away. Please try again later.";
  }
}

const SETTLED = [undefined, "kept", "unkept"];

/**
 * @param about () => {answer, picture}: the answer that is shown, if any, and the picture that it is about
 * @param changed () => void, after what is to be shown has changed
 */
export function correcting({ about, changed }) {
  let chosen = null; // for the answer shown: {digit, outcome}
  let kept = given.load();
  let busy = false;

  async function correct(digit) {
    const { answer, picture } = about();
    close();
    const mine = (chosen = { digit, outcome: null });
    changed();
    part("thanks").focus(); // the button that had the focus is gone
    const outcome = await backend.correct(picture, answer.digit, digit);
    if (outcome.secret) remember([...kept, { digit, secret: outcome.secret }]);
    if (chosen === mine) chosen = { digit, outcome };
    changed();
  }

  async function takeBack() {
    const last = kept.at(-1);
    if (!last || busy) return;
    busy = true;
    changed();
    const outcome = await backend.takeBack([last.secret]);
    busy = false;
    if (outcome.kind !== "stuck") remember(kept.filter(({ secret }) => secret !== last.secret));
    chosen = { digit: last.digit, outcome };
    changed();
    part("thanks").focus();
  }

  function remember(now) {
    kept = now;
    given.save(kept);
  }

  function open() {
    part("wrong").setAttribute("aria-expanded", "true");
    part("digits").hidden = false;
    part("digits").querySelector("button:enabled").focus();
  }

  function close() {
    const had = part("digits").contains(document.activeElement);
    part("wrong").setAttribute("aria-expanded", "false");
    part("digits").hidden = true;
    if (had) part("wrong").focus();
  }

  part("wrong").addEventListener("click", () => (part("digits").hidden ? open() : close()));
  part("digits").addEventListener("click", ({ target }) => {
    if (target instanceof HTMLButtonElement) correct(Number(target.textContent));
  });
  part("back").addEventListener("click", takeBack);

  return {
    correct,
    close,
    get isOpen() { return !part("digits").hidden; },
    /** Words for a screen reader, once there is an outcome. */
    get told() { return chosen?.outcome ? thanks(chosen) : ""; },
    forget() { chosen = null; },
    /** Show it for an answer that may be corrected, or for none. */
    show(answer) {
      if (!part("digits").hidden && !answer) close();
      set(part("wrong"), { hidden: !answer || (chosen !== null && SETTLED.includes(chosen.outcome?.kind)) });
      set(part("thanks"), { hidden: chosen === null, textContent: chosen ? thanks(chosen) : "" });
      for (const button of part("digits").children) {
        set(button, { disabled: Number(button.textContent) === answer?.digit });
      }
      set(part("given"), { hidden: kept.length === 0 });
      set(part("given-words"), { textContent: chosen?.outcome?.kind === "kept" ? "" : given.told(kept) });
      set(part("back"), { disabled: busy });
    },
  };
}
