// The page: events in, requests and words out. What to do is decided in asking.js, what to say in words.js.

import { next, start } from "./asking.js";
import * as backend from "./backend.js";
import * as config from "./config.js";
import { PEN, blank, cleared, drawn, isEmpty, redone, restored, undone } from "./drawing.js";
import { paper } from "./paper.js";
import { dataUrl } from "./picture.js";
import * as theme from "./theme.js";
import * as words from "./words.js";

const KEPT = "workbench-drawing";
const REST = 700; // ms without a change until a screen reader is told
const part = (id) => document.getElementById(id);

let state = start;
let history = blank;
let unfinished = null; // the stroke under way
let chosen = null; // the correction for the answer shown: {digit, outcome}
let asked = null; // the picture that the answer shown is about

// ── drawing ─────────────────────────────────────────────────────────────────────────────────────

const sheet = paper({
  canvas: part("paper"),
  ring: part("ring"),
  width: () => part("width").valueAsNumber,
  onStroke(stroke, finished) {
    unfinished = finished ? null : stroke;
    if (finished) keep(drawn(history, stroke));
    dispatch({ type: "drew", inked: !isEmpty(present()), another: false });
  },
  onPen: (isDown) => say(isDown ? "Pen down." : "Pen up."),
});

const present = () => (unfinished ? drawn(history, unfinished).drawing : history.drawing);

function keep(changed) {
  history = changed;
  sheet.show(history.drawing);
  try {
    sessionStorage.setItem(KEPT, JSON.stringify(history.drawing));
  } catch {
    // storage is full or forbidden: the drawing lasts as long as the page
  }
}

/** Undo, redo, clear: what was asked before is about another drawing. */
function turn(change) {
  if (unfinished) {
    sheet.cancel();
    unfinished = null;
  }
  keep(change(history));
  dispatch({ type: "drew", inked: !isEmpty(history.drawing), another: true });
}

function clear() {
  if (isEmpty(present())) return;
  turn(cleared);
  say("Cleared.");
}

// ── asking ──────────────────────────────────────────────────────────────────────────────────────

let timer = 0;

function dispatch(event) {
  const before = state;
  const { state: after, send, wake } = next(state, event, performance.now());
  state = after;
  if (state.answer !== before.answer || state.revision !== before.revision) chosen = null;
  clearTimeout(timer);
  if (wake !== undefined) timer = setTimeout(dispatch, wake, { type: "woke" });
  if (send) ask(send);
  render();
}

async function ask(what) {
  let outcome;
  if (what === "predict") {
    const image = await dataUrl(present());
    outcome = await backend.predict(image);
    if (outcome.kind === "answer" && state.flight.revision >= state.since) asked = image;
  } else {
    outcome = await backend[what]();
  }
  dispatch({ type: "came", outcome });
}

async function correct(digit) {
  const about = state.answer;
  close();
  chosen = { digit, outcome: null };
  render();
  part("thanks").focus(); // the button that had the focus is gone
  const outcome = await backend.correct(asked, about.digit, digit);
  if (state.answer !== about) return;
  chosen = { digit, outcome };
  render();
}

// ── showing ─────────────────────────────────────────────────────────────────────────────────────

/** Change only what differs: screen readers and the browser's layout are left in peace. */
function set(element, values) {
  for (const [name, value] of Object.entries(values)) {
    if (element[name] !== value) element[name] = value;
  }
}

function render() {
  const shown = words.notice(state);
  const { answer } = state;
  const sure = answer && answer.digit !== null ? answer : null;
  const mood = shown?.mood ?? (sure ? "answer" : "empty");
  part("answer").dataset.mood = mood;
  part("answer").classList.toggle("stale", state.slow || (shown !== null && sure !== null));

  set(part("hint"), { hidden: !isEmpty(present()) });
  set(part("undo"), { disabled: history.past.length === 0 && !unfinished });
  set(part("redo"), { disabled: history.future.length === 0 });
  set(part("clear"), { disabled: isEmpty(present()) });

  set(part("empty"), { hidden: mood !== "empty" });
  set(part("notice"), { hidden: shown === null });
  if (shown) {
    set(part("title"), { textContent: shown.title });
    set(part("text"), { textContent: shown.text });
    set(part("again"), { hidden: !shown.action, textContent: shown.action ?? "" });
    const bar = part("bar");
    set(bar, { hidden: shown.bar === undefined });
    if (typeof shown.bar === "number") set(bar, { value: shown.bar });
    else bar.removeAttribute("value"); // under way, how far is not known
  }

  set(part("verdict"), { hidden: mood !== "answer" });
  if (sure) {
    const [first, second] = words.ranked(sure.probabilities);
    set(part("digit"), { textContent: String(sure.digit) });
    set(part("first"), { textContent: words.percent(first.probability) });
    set(part("second"), { textContent: String(second.digit) });
    set(part("second-percent"), { textContent: words.percent(second.probability) });
    const doubt = words.doubt(sure);
    set(part("doubt"), { hidden: !doubt, textContent: doubt });
    set(part("verdict").classList, { value: doubt || first.probability < 0.6 ? "unsure" : "" });
  }
  document.querySelectorAll("#bars li").forEach((row, digit) => {
    const p = sure ? sure.probabilities[digit] : 0;
    row.style.setProperty("--p", p);
    row.classList.toggle("top", sure?.digit === digit);
    set(row.lastElementChild, { textContent: sure ? words.percent(p) : "" });
  });

  const seen = mood === "answer" && answer?.seen?.startsWith?.("data:image/") ? answer.seen : "";
  set(part("seen"), { hidden: !seen });
  if (seen) set(part("seen-picture"), { src: seen });
  set(part("model"), { textContent: words.modelName(state.model) });
  set(part("time"), { textContent: state.slow ? "Taking longer than usual …" : mood === "answer" ? words.duration(answer) : "" });

  renderCorrection(mood === "answer" ? answer : null);
  announce();
}

function renderCorrection(answer) {
  const done = chosen !== null && [undefined, "kept", "unkept"].includes(chosen.outcome?.kind);
  if (!part("digits").hidden && !answer) close();
  set(part("wrong"), { hidden: !answer || done });
  set(part("thanks"), { hidden: chosen === null, textContent: chosen ? thanks(chosen) : "" });
  for (const button of part("digits").children) {
    set(button, { disabled: Number(button.textContent) === answer?.digit });
  }
}

function thanks({ digit, outcome }) {
  switch (outcome?.kind) {
    case undefined: return "Sending …";
    case "kept": return `Thank you. Noted: a ${digit}, to be reviewed.`;
    case "unkept": return "Thank you. This back end does not collect corrections yet.";
    case "limited": return "Not noted: the back end is busy. Please try again in a moment.";
    case "refused": return `Not noted. ${words.sentence(outcome.message)}`;
    default: return "Not noted: the back end is away. Please try again later.";
  }
}

// Screen readers are told once things have come to rest, not at every stroke of the pen.

let told = "";
let resting = 0;

function announce() {
  clearTimeout(resting);
  resting = setTimeout(() => {
    if (sheet.busy || (state.flight?.what === "predict" && !state.slow)) return;
    const text = chosen?.outcome ? thanks(chosen) : words.announcement(state);
    if (text !== told) say(text);
    told = text;
  }, REST);
}

const say = (text) => { part("spoken").textContent = text; };

// ── controls ────────────────────────────────────────────────────────────────────────────────────

function press() {
  if (isEmpty(present())) {
    say("Nothing is drawn yet.");
    const hint = part("hint");
    hint.classList.remove("nudge");
    requestAnimationFrame(() => hint.classList.add("nudge"));
  }
  dispatch({ type: "pressed" });
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

part("undo").addEventListener("click", () => turn(undone));
part("redo").addEventListener("click", () => turn(redone));
part("clear").addEventListener("click", clear);
part("predict").addEventListener("click", press);
part("again").addEventListener("click", press);
part("width").addEventListener("input", ({ target }) => {
  part("width-shown").textContent = target.value;
  part("nib").style.setProperty("--width", target.value);
});
part("wrong").addEventListener("click", () => (part("digits").hidden ? open() : close()));
part("digits").addEventListener("click", ({ target }) => {
  if (target instanceof HTMLButtonElement) correct(Number(target.textContent));
});

addEventListener("keydown", (event) => {
  const command = event.ctrlKey || event.metaKey;
  const key = event.key.toLowerCase();
  const chooserOpen = !part("digits").hidden;
  if (event.defaultPrevented || event.altKey) return;
  if (command && key === "z") act(event, () => turn(event.shiftKey ? redone : undone));
  else if (command && key === "y") act(event, () => turn(redone));
  else if (command) return;
  else if (key === "escape") act(event, chooserOpen ? close : clear);
  else if (key === "enter" && event.target === part("paper")) act(event, press);
  else if (chooserOpen && /^[0-9]$/.test(key) && Number(key) !== state.answer?.digit) act(event, () => correct(Number(key)));
});

function act(event, action) {
  event.preventDefault();
  action();
}

const nudge = () => { if (!document.hidden) dispatch({ type: "nudged" }); };
addEventListener("online", nudge);
document.addEventListener("visibilitychange", nudge);

// ── beginning ───────────────────────────────────────────────────────────────────────────────────

if (config.notice) set(part("remark"), { textContent: config.notice, hidden: false });

function showTheme() {
  const choice = document.documentElement.dataset.theme;
  const names = { auto: "as the system", light: "light", dark: "dark" };
  part("theme").setAttribute("aria-label", `Colours: ${names[choice]}`);
  part("theme").title = `Colours: ${names[choice]}`;
  sheet.repaint();
}
part("theme").addEventListener("click", () => {
  theme.choose(theme.following(document.documentElement.dataset.theme));
  showTheme();
});
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => sheet.repaint());
matchMedia("(forced-colors: active)").addEventListener("change", () => sheet.repaint());
showTheme();

set(part("width"), { min: PEN.narrowest, max: PEN.widest, valueAsNumber: PEN.first });
part("nib").style.setProperty("--width", PEN.first);

let saved = "";
try {
  saved = sessionStorage.getItem(KEPT) ?? "";
} catch {
  // storage is forbidden: the page begins empty
}
history = { ...blank, drawing: restored(saved) };
sheet.show(history.drawing);
dispatch({ type: "drew", inked: !isEmpty(history.drawing), another: true });
