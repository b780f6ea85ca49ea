// The page that asks a writer for digits: events in, drawings out, one after the other. What is asked for and what
// becomes of it is decided in collecting.js.

import * as backend from "./backend.js";
import * as collecting from "./collecting.js";
import * as config from "./config.js";
import { PEN } from "./drawing.js";
import { part, set } from "./elements.js";
import { dataUrl } from "./picture.js";
import { sheet as sheetOf, wish } from "./sheet.js";
import * as theme from "./theme.js";
import { sentence } from "./words.js";

const KEPT = "workbench-collecting";
const PAUSES = [1000, 2000, 4000, 8000, 15_000];
const say = (text) => { part("spoken").textContent = text; };

let state = collecting.nobody;
let link = "ready"; // ready | away | limited
let tries = 0;
let busy = false;

const sheet = sheetOf({
  canvas: part("paper"),
  ring: part("ring"),
  width: () => part("width").valueAsNumber,
  onChange: () => render(),
  onPen: (isDown) => say(isDown ? "Pen down." : "Pen up."),
});

// ── what is given ───────────────────────────────────────────────────────────────────────────────

function become(next) {
  state = next;
  try {
    sessionStorage.setItem(KEPT, JSON.stringify(state));
  } catch {
    // storage is full or forbidden: it lasts as long as the page
  }
  render();
  work();
}

/** Send what waits and take back what is unwanted, one thing at a time, as long as it takes. */
async function work() {
  const due = collecting.due(state);
  if (busy || !due) return;
  busy = true;
  let outcome;
  if (due.what === "send") {
    state = collecting.sending(state, due.one);
    outcome = await backend.collect(due.one.image, due.one.digit, { session: state.session, writer: state.name });
  } else {
    outcome = await backend.takeBack(due.secrets);
  }
  busy = false;
  const held = { away: "away", stuck: "away", limited: "limited" }[outcome.kind];
  link = held ?? "ready";
  tries = held ? tries + 1 : 0;
  if (due.what === "send") state = collecting.sent(state, outcome);
  else if (!held) state = collecting.takenBack(state, due.secrets);
  if (held) {
    const pause = outcome.pause ?? PAUSES[Math.min(tries, PAUSES.length) - 1];
    setTimeout(() => become(state), pause);
    render();
  } else {
    become(state);
  }
}

function next() {
  if (sheet.isEmpty) {
    say(`Nothing is drawn yet. Draw a ${collecting.wanted(state)}.`);
    const hint = part("hint");
    hint.classList.remove("nudge");
    requestAnimationFrame(() => hint.classList.add("nudge"));
    return;
  }
  const [drawing, key] = [sheet.drawing, state.count];
  wipe();
  become(collecting.give(state));
  ask();
  pack(drawing, key);
}

async function pack(drawing, key) {
  const image = await dataUrl(drawing);
  become(collecting.packed(state, key, image));
}

const wipe = () => sheet.begin([]);

/** Take the last one back: it is asked for again. */
function back() {
  const last = state.given.at(-1);
  if (!last) return;
  wipe();
  become(collecting.back(state));
  say(`Taken back. Draw a ${last.digit}.`);
}

function takeBack(at) {
  const { digit } = state.given[at];
  become(collecting.without(state, at));
  say(`The ${digit} is taken back.`);
}

function ask() {
  const digit = collecting.wanted(state);
  if (digit === undefined) {
    part("thanks").focus();
  } else {
    say(`Draw a ${digit}. ${state.given.length + 1} of ${state.order.length}.`);
  }
}

// ── showing ─────────────────────────────────────────────────────────────────────────────────────

function render() {
  const begun = state.session !== "";
  const done = begun && (collecting.isDone(state) || state.order.length === 0);
  set(part("consent"), { hidden: begun });
  set(part("drawing"), { hidden: !begun || done });
  set(part("done"), { hidden: !done });
  set(part("hint"), { hidden: !sheet.isEmpty });
  set(part("undo"), { disabled: !sheet.canUndo });
  set(part("clear"), { disabled: sheet.isEmpty });
  if (!begun) return;
  const words = collecting.told(state, link);
  if (done) return renderDone(words);
  const [at, of] = [state.given.length, state.order.length];
  set(part("wanted"), { textContent: String(collecting.wanted(state)) });
  set(part("count"), { textContent: `${at + 1} of ${of}` });
  set(part("bar"), { max: of, value: at });
  set(part("back"), { disabled: at === 0 });
  set(part("next"), { textContent: at + 1 === of ? "Finish" : "Next" });
  const refused = state.given.find((one) => one.state === "refused");
  set(part("kept"), { textContent: refused ? `Not taken: ${sentence(refused.message)}` : at ? words : "" });
}

function renderDone(words) {
  const { given, name, unwanted } = state;
  const kept = collecting.counts(state).kept;
  set(part("thanks"), { textContent: given.length ? `Thank you${name ? `, ${name}` : ""}` : "Nothing of yours is kept" });
  const gone = unwanted.length ? "What you gave is being taken back." : "All your drawings were taken back.";
  const next = kept === given.length
    ? "They wait to be looked at; then a network can learn from them. Until then you can take back each one: choose it."
    : "";
  set(part("became"), { textContent: given.length ? `${words} ${next}`.trim() : gone });
  set(part("all"), { hidden: !given.length });
  const wall = part("wall");
  while (wall.children.length > given.length) wall.lastElementChild.remove();
  given.forEach((one, at) => {
    const button = wall.children[at]?.firstElementChild ?? brick(wall, at);
    button.dataset.state = one.state;
    set(button, { title: one.state === "refused" ? sentence(one.message) : "Take it back" });
    button.setAttribute("aria-label", `Take this ${one.digit} back`);
    set(button.firstElementChild, { src: one.image });
  });
}

function brick(wall, at) {
  const button = document.createElement("button");
  button.type = "button";
  const picture = document.createElement("img");
  picture.alt = "";
  button.append(picture);
  button.addEventListener("click", () => takeBack(at));
  const item = document.createElement("li");
  item.append(button);
  wall.append(item);
  return button;
}

// ── controls ────────────────────────────────────────────────────────────────────────────────────

part("form").addEventListener("submit", (event) => {
  event.preventDefault();
  const each = Number(part("each").value);
  become(collecting.begun(part("name").value, each, collecting.shuffled(each), collecting.session()));
  part("paper").focus({ preventScroll: true });
  ask();
});
part("next").addEventListener("click", next);
part("back").addEventListener("click", back);
part("undo").addEventListener("click", () => sheet.undo());
part("clear").addEventListener("click", () => sheet.clear());
part("all").addEventListener("click", () => {
  become(collecting.withoutAll(state));
  say("All your drawings are taken back.");
});
part("another").addEventListener("click", () => {
  wipe();
  become({ ...collecting.nobody, unwanted: state.unwanted, each: state.each });
  part("name").value = "";
  part("agreed").checked = false;
  part("name").focus();
});
part("each").addEventListener("change", showEffort);
part("width").addEventListener("input", ({ target }) => {
  set(part("width-shown"), { textContent: target.value });
  part("nib").style.setProperty("--width", target.value);
});

addEventListener("keydown", (event) => {
  if (part("drawing").hidden || event.defaultPrevented || event.altKey) return;
  const wanted = wish(event);
  const act = (action) => {
    event.preventDefault();
    action();
  };
  if (wanted) act(() => sheet[wanted]());
  else if (event.ctrlKey || event.metaKey) return;
  else if (event.key === "Enter" && event.target === part("paper")) act(next);
  else if (event.key === "Backspace" && event.target === part("paper")) act(back);
});
addEventListener("online", () => { tries = 0; work(); });
addEventListener("beforeunload", (event) => {
  if (collecting.due(state) || collecting.counts(state).waiting) event.preventDefault(); // something is not sent yet
});

// ── beginning ───────────────────────────────────────────────────────────────────────────────────

function showEffort() {
  const each = Number(part("each").value);
  set(part("effort"), { textContent: collecting.effort(10 * each) });
}

if (config.notice) set(part("remark"), { textContent: config.notice, hidden: false });
for (const each of collecting.EACH) part("each").append(new Option(String(each), String(each)));
set(part("each"), { value: String(collecting.nobody.each) });
set(part("name"), { maxLength: collecting.LONGEST_NAME });
set(part("width"), { min: PEN.narrowest, max: PEN.widest, valueAsNumber: PEN.first });
part("nib").style.setProperty("--width", PEN.first);
showEffort();
theme.attach(part("theme"), part("theme-name"), () => sheet.repaint());
let saved = "";
try {
  saved = sessionStorage.getItem(KEPT) ?? "";
} catch {
  // storage is forbidden: the page begins anew
}
become(collecting.restored(saved));
