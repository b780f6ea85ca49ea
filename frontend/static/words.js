// What the page says: pure functions from the state of asking.js.

import { doubt, guess } from "./doubt.js";
import { percent } from "./percent.js";

export { percent };

/** Digits by probability, the likeliest first. */
export const ranked = (probabilities) =>
  probabilities.map((probability, digit) => ({ digit, probability })).sort((a, b) => b.probability - a.probability);

/** What the page shows instead of an answer, or beside the last one: {mood, title, text, bar, action}. */
export function notice(state) {
  switch (state.link) {
    case "waiting":
      return waiting(state.progress);
    case "away":
      return {
        mood: "away",
        title: "The back end is away",
        text: state.inked
          ? "Your drawing is kept and will be recognised when it is back."
          : "You can draw already; it will be recognised when it is back.",
        action: "Try now",
      };
    case "limited":
      return { mood: "limited", title: "A short pause", text: `The back end is busy. ${state.inked ? "Your drawing is kept and asked about again" : "It will be asked again"} in a moment.` };
  }
  if (state.problem) {
    return { mood: "problem", title: "This drawing could not be recognised", text: sentence(state.problem), action: "Try again" };
  }
  if (state.answer && state.answer.digit === null) {
    return { mood: "nothing", title: "Nothing to recognise", text: sentence(state.answer.reason) || "The back end found nothing drawn." };
  }
  return null;
}

function waiting({ state, message, step, of }) {
  const titles = {
    training: "The first model is being trained",
    exporting: "The first model is being prepared",
    failed: "The first model could not be trained",
  };
  const share = of > 0 && step >= 0 ? Math.min(1, step / of) : null;
  return {
    mood: state === "failed" ? "problem" : "waiting",
    title: titles[state] ?? "There is no model yet",
    text: `${sentence(message) || "The back end waits for a model to be deployed."} ${state === "failed" ? "" : "You can draw already."}`.trim(),
    bar: state === "failed" || !(state in titles) ? undefined : share,
  };
}

/** A message of the back end as a sentence. */
export const sentence = (text) =>
  typeof text === "string" && text ? `${text[0].toUpperCase()}${text.slice(1)}${/[.!?…]$/.test(text) ? "" : "."}` : "";

/** The answer as one would say it. */
export function said(answer) {
  const { digit, probabilities } = answer;
  const [first, second] = ranked(probabilities);
  const doubted = doubt(answer);
  return `${doubted ? `${doubted}${doubted.endsWith("?") ? "" : "."} ${guess(answer)} ` : ""}${digit}, ${percent(first.probability)}. Second guess ${second.digit}, ${percent(second.probability)}.`;
}

/** What a screen reader is told, once things have come to rest; the progress of training by quarters. */
export function announcement(state) {
  const shown = notice(state);
  if (shown?.mood === "waiting" && shown.bar) {
    return `${shown.title}: ${25 * Math.floor(4 * shown.bar)} percent.`;
  }
  if (shown) return `${shown.title}. ${shown.text}`;
  if (state.answer) return said(state.answer);
  return state.slow ? "This takes longer than usual." : "";
}

/** "mnist-cnn, version 3". */
export const modelName = (model) => (model?.name ? `${model.name}, version ${model.version}` : "");

/** "14 ms, the model 0.9 ms". */
export function duration({ ms, latency_ms: model }) {
  const short = (value) => (value < 10 ? value.toFixed(1) : Math.round(value).toLocaleString("en"));
  return Number.isFinite(model) ? `${short(ms)} ms, back end ${short(model)} ms` : `${short(ms)} ms`;
}
