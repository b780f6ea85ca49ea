// What the page shows of a state: the answer or what is in its way, the ten bars, what the model saw.

import { isAsking } from "./asking.js";
import * as doubts from "./doubt.js";
import { part, set } from "./elements.js";
import * as words from "./words.js";

/**
 * @param inPieces whether the drawing is read piece by piece where it can be
 * @param learning the chances that the first model gives while it learns, if it does
 * @returns the answer that may be corrected, or null
 */
export function showAnswer({ state, inPieces, learning }) {
  const shown = words.notice(state);
  const { answer } = state;
  const sure = answer && answer.digit !== null ? answer : null;
  const mood = shown?.mood ?? (sure ? "answer" : "empty");
  part("answer").dataset.mood = mood;
  part("answer").ariaBusy = String(isAsking(state));
  part("answer").classList.toggle("stale", state.slow || (shown !== null && sure !== null));

  set(part("empty"), { hidden: mood !== "empty" });
  showNotice(shown);

  set(part("verdict"), { hidden: mood !== "answer" });
  const doubt = sure ? doubts.doubt(sure) : "";
  const offer = sure ? doubts.offer(sure) : "";
  const taken = offer !== "" && inPieces;
  if (sure) showVerdict(sure, { doubt, offer, taken });
  // Beneath a fault stands no older answer; a short pause only dims it.
  const standing = mood === "away" || mood === "problem" ? null : sure;
  const chances = standing ? standing.probabilities : learning;
  const top = standing ? standing.digit : chances ? words.ranked(chances)[0].digit : -1;
  showBars(chances, doubt ? -1 : top);

  const seen = mood === "answer" && answer?.seen?.startsWith?.("data:image/") ? answer.seen : "";
  set(part("seen"), { hidden: !seen });
  if (seen) set(part("seen-picture"), { src: seen });
  set(part("model"), { textContent: words.modelName(state.model) });
  set(part("time"), { textContent: state.slow ? "Taking longer than usual …" : mood === "answer" ? words.duration(answer) : "" });
  return mood === "answer" && !taken ? answer : null;
}

function showNotice(shown) {
  set(part("notice"), { hidden: shown === null });
  if (!shown) return;
  set(part("title"), { textContent: shown.title });
  set(part("text"), { textContent: shown.text });
  set(part("again"), { hidden: !shown.action, textContent: shown.action ?? "" });
  const bar = part("bar");
  set(bar, { hidden: shown.bar === undefined });
  if (typeof shown.bar === "number") set(bar, { value: shown.bar });
  else bar.removeAttribute("value"); // under way, how far is not known
}

function showVerdict(answer, { doubt, offer, taken }) {
  const [first, second] = words.ranked(answer.probabilities);
  set(part("digit"), { textContent: taken ? doubts.pieces(answer).join("") : String(answer.digit) });
  set(part("first"), { textContent: words.percent(taken ? answer.doubt.score : first.probability) });
  set(part("second"), { textContent: String(second.digit) });
  set(part("second-percent"), { textContent: words.percent(second.probability) });
  set(part("doubt"), { hidden: !doubt || taken, textContent: doubt });
  set(part("guess"), { textContent: doubt && !taken ? doubts.guess(answer) : "" });
  set(part("take"), { hidden: !offer, textContent: taken ? `Read ${answer.digit}` : offer });
  set(part("verdict").classList, {
    value: taken ? "taken" : doubt ? "unsure doubted" : first.probability < 0.6 ? "unsure" : "",
  });
}

function showBars(chances, top) {
  document.querySelectorAll("#bars li").forEach((row, digit) => {
    const p = chances?.[digit] ?? 0;
    row.style.setProperty("--p", p);
    row.classList.toggle("top", top === digit);
    set(row.lastElementChild, { textContent: chances ? words.percent(p) : "" });
  });
}
