// The page: events in, requests and words out. What to do is decided in asking.js, what to say in words.js.

import { next, start } from "./asking.js";
import { wayBack } from "./back.js";
import * as backend from "./backend.js";
import * as config from "./config.js";
import { correcting } from "./correcting.js";
import * as doubts from "./doubt.js";
import { PEN, restored } from "./drawing.js";
import { earlierDrawings } from "./earlier.js";
import { part, set } from "./elements.js";
import { givenPicture } from "./given_picture.js";
import { insideSection } from "./inside/section.js";
import { dataUrl } from "./picture.js";
import * as remember from "./remember.js";
import { sheet as sheetOf, wish } from "./sheet.js";
import { showAnswer } from "./showing.js";
import * as theme from "./theme.js";
import * as words from "./words.js";

const KEPT = "workbench-drawing";
const REST = 700; // ms without a change until a screen reader is told

let state = start;
let asked = null; // the picture that the answer shown is about
let reading = -1; // the drawing (by the first change of it) whose pieces are taken for what they are

// ── drawing ─────────────────────────────────────────────────────────────────────────────────────

const sheet = sheetOf({
  canvas: part("paper"),
  ring: part("ring"),
  width: () => part("width").valueAsNumber,
  first: saved(),
  onChange({ finished, another }) {
    if (finished) save();
    const replaced = given.clear();
    dispatch({ type: "drew", inked: !sheet.isEmpty, another: another || replaced });
  },
  onPen: (isDown) => say(isDown ? "Pen down." : "Pen up."),
});

/** What was drawn before this page was loaded again. */
function saved() {
  try {
    return restored(sessionStorage.getItem(KEPT) ?? "");
  } catch {
    return []; // storage is forbidden: the page begins empty
  }
}

function save() {
  try {
    sessionStorage.setItem(KEPT, JSON.stringify(sheet.finished));
  } catch {
    // storage is full or forbidden: the drawing lasts as long as the page
  }
}

const given = givenPicture({
  zone: part("sheet"),
  image: part("given-picture"),
  said: part("not-taken"),
  changed() {
    dispatch({ type: "drew", inked: true, another: true });
    say("The picture lies on the paper.");
  },
});

const earlier = earlierDrawings({
  section: part("earlier"),
  strip: part("strip"),
  forget: part("forget"),
  choose({ drawing, text }) {
    note();
    sheet.put(drawing);
    part("paper").focus({ preventScroll: true });
    part("paper").scrollIntoView({ block: "nearest" });
    say(`${text} is on the paper again.`);
  },
});

/** Keep the drawing that is about to go, with its answer, if it has one. */
function note() {
  const { answer } = state;
  if (sheet.busy || given.url || answer === null || answer.digit === null) return;
  const taken = reading === state.since;
  const text = taken ? doubts.pieces(answer).join("") : String(answer.digit);
  earlier.note(sheet.finished, text, taken ? answer.doubt.score : answer.probabilities[answer.digit]);
}

/** The picture goes first, and shows the drawing that it lies on. */
function undo() {
  if (!given.clear()) return sheet.undo();
  return dispatch({ type: "drew", inked: !sheet.isEmpty, another: true });
}

const isBlank = () => sheet.isEmpty && !given.url;

function clear() {
  if (isBlank()) return;
  note();
  if (sheet.isEmpty) {
    given.clear();
    dispatch({ type: "drew", inked: false, another: true });
  } else {
    sheet.clear();
  }
  say("Cleared.");
}

// ── asking ──────────────────────────────────────────────────────────────────────────────────────

const FILMED = ["training", "evaluating", "exporting", "deploying"];
let timer = 0;
let learning = null; // the film of the first model's learning, while there is one

function dispatch(event) {
  const before = state;
  const { state: after, send, wake } = next(state, event, performance.now());
  state = after;
  if (state.answer !== before.answer || state.revision !== before.revision) correction.forget();
  clearTimeout(timer);
  if (wake !== undefined) timer = setTimeout(awake, wake);
  if (send) ask(send);
  follow(event);
  render();
}

/** A page that nobody sees does not ask again and again for a back end that is away; see "nudge". */
function awake() {
  if (!document.hidden || state.link === "ready") dispatch({ type: "woke" });
}

/** While the first model trains its film is shown; what shows it is loaded then. */
async function follow({ type, outcome }) {
  if (type === "drew") learning?.drew();
  if (type !== "came") return;
  if (state.link === "ready") {
    learning?.end();
    learning = null;
  } else if (outcome.kind === "waiting" && FILMED.includes(outcome.progress.state)) {
    const { learningFilm } = await import("./film/waiting.js");
    if (state.link !== "waiting") return;
    learning ??= learningFilm({ part, fetchFrames: backend.film, drawing: () => sheet.drawing, inside, changed: () => render() });
    learning.ask();
  }
}

async function ask(what) {
  let outcome;
  if (what === "predict") {
    const image = given.url || (await dataUrl(sheet.drawing));
    outcome = await backend.predict(image);
    if (outcome.kind === "answer" && state.flight.revision >= state.since) asked = image;
    if (outcome.kind === "answer") {
      inside.answered(image);
      remember.keep(remember.lastDrawing(outcome.answer, Date.now()));
    }
  } else {
    outcome = await backend[what]();
  }
  dispatch({ type: "came", outcome });
}

const correction = correcting({
  about: () => ({ answer: state.answer, picture: asked }),
  changed: () => render(),
});

// ── showing ─────────────────────────────────────────────────────────────────────────────────────

function render() {
  set(part("hint"), { hidden: !isBlank() });
  set(part("undo"), { disabled: !sheet.canUndo && !given.url });
  set(part("redo"), { disabled: !sheet.canRedo });
  set(part("clear"), { disabled: isBlank() });
  const correctable = showAnswer({ state, inPieces: reading === state.since, learning: learning?.probabilities });
  correction.show(correctable);
  announce();
}

// Screen readers are told once things have come to rest, not at every stroke of the pen.

let told = "";
let resting = 0;

function announce() {
  clearTimeout(resting);
  resting = setTimeout(() => {
    if (sheet.busy || (state.flight?.what === "predict" && !state.slow)) return;
    const text = correction.told || words.announcement(state);
    if (text !== told) say(text);
    told = text;
  }, REST);
}

const say = (text) => { part("spoken").textContent = text; };

const inside = insideSection({
  button: part("look"),
  body: part("layers"),
  ask: backend.inside,
  name: backend.layers,
  model: () => `${state.model?.name}:${state.model?.version}`,
  drawn: () => !isBlank(),
  say: (text) => say(text),
});

// ── controls ────────────────────────────────────────────────────────────────────────────────────

function press() {
  if (isBlank()) {
    say("Nothing is drawn yet.");
    const hint = part("hint");
    hint.classList.remove("nudge");
    requestAnimationFrame(() => hint.classList.add("nudge"));
  }
  dispatch({ type: "pressed" });
}

/** Read the pieces one by one, or all as one digit again; as long as it is the same drawing. */
function take() {
  reading = reading === state.since ? -1 : state.since;
  render();
  say(reading === state.since ? `${doubts.pieces(state.answer).join("")}.` : words.announcement(state));
}

part("undo").addEventListener("click", undo);
part("redo").addEventListener("click", () => sheet.redo());
part("clear").addEventListener("click", clear);
part("predict").addEventListener("click", press);
part("again").addEventListener("click", press);
part("width").addEventListener("input", ({ target }) => {
  part("width-shown").textContent = target.value;
  part("nib").style.setProperty("--width", target.value);
});
part("take").addEventListener("click", take);
part("look").addEventListener("click", () => remember.keep(remember.lookedInside(Date.now())));

addEventListener("keydown", (event) => {
  if (event.defaultPrevented || event.altKey) return;
  const wanted = wish(event);
  const chooserOpen = correction.isOpen;
  if (wanted === "clear") act(event, chooserOpen ? correction.close : clear);
  else if (wanted) act(event, wanted === "undo" ? undo : sheet.redo);
  else if (event.ctrlKey || event.metaKey) return;
  else if (event.key === "Enter" && event.target === part("paper")) act(event, press);
  else if (chooserOpen && /^[0-9]$/.test(event.key) && Number(event.key) !== state.answer?.digit) act(event, () => correction.correct(Number(event.key)));
});

function act(event, action) {
  event.preventDefault();
  action();
}

const nudge = () => { if (!document.hidden) dispatch({ type: "nudged" }); };
addEventListener("online", nudge);
document.addEventListener("visibilitychange", nudge);
addEventListener("pagehide", note);

// ── beginning ───────────────────────────────────────────────────────────────────────────────────

const workbench = wayBack(location);
if (workbench) set(part("workbench"), { href: workbench, hidden: false });
if (config.notice) set(part("remark"), { textContent: config.notice, hidden: false });

theme.attach(part("theme"), part("theme-name"), () => sheet.repaint());

set(part("width"), { min: PEN.narrowest, max: PEN.widest, valueAsNumber: PEN.first });
part("nib").style.setProperty("--width", PEN.first);

dispatch({ type: "drew", inked: !sheet.isEmpty, another: true });
if (location.hash === "#inside") part("look").click();
