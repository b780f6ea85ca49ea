// One's last drawings and what they were read as, in a strip; kept in this browser and nowhere else. One that is chosen comes
// back onto the paper.

import { SIZE, sound } from "./drawing.js";
import { percent } from "./percent.js";

const KEPT = "workbench-earlier";
export const MOST = 12;
const WORDS = 12; // characters of an answer

/** The list with a drawing {drawing, text, sure} at its front; the same drawing stands there once. */
export function noted(list, one) {
  const same = JSON.stringify(one.drawing);
  return [one, ...list.filter(({ drawing }) => JSON.stringify(drawing) !== same)].slice(0, MOST);
}

/** The list that was kept as JSON, as far as it is sound. */
export function restored(text) {
  try {
    const list = JSON.parse(text);
    return Array.isArray(list) ? list.filter(isSound).slice(0, MOST) : [];
  } catch {
    return [];
  }
}

const isSound = (one) =>
  sound(one?.drawing) && one.drawing.length > 0 &&
  typeof one.text === "string" && one.text.length <= WORDS && one.sure >= 0 && one.sure <= 1;

/** A drawing as lines of an SVG whose sides are SIZE. */
export const path = (points) =>
  `M${points.map(([x, y]) => `${Math.round(x)} ${Math.round(y)}`).join("L")}${points.length > 1 ? "" : "h.1"}`;

/**
 * @param section the part of the page, hidden while there is none
 * @param strip the list in it
 * @param forget the button that forgets all
 * @param choose (one) => void
 */
export function earlierDrawings({ section, strip, forget, choose }) {
  let list = load();

  function load() {
    try {
      return restored(localStorage.getItem(KEPT) ?? "");
    } catch {
      return []; // storage is forbidden
    }
  }

  function save() {
    try {
      if (list.length) localStorage.setItem(KEPT, JSON.stringify(list));
      else localStorage.removeItem(KEPT);
    } catch {
      // storage is full or forbidden: they last as long as the page
    }
  }

  function show() {
    section.hidden = list.length === 0;
    strip.replaceChildren(...list.map((one) => {
      const row = document.createElement("li");
      row.append(button(one));
      return row;
    }));
  }

  function button(one) {
    const found = document.createElement("button");
    found.type = "button";
    found.title = `Put it back onto the paper; it was read as ${one.text}, ${percent(one.sure)}`;
    found.setAttribute("aria-label", `${one.text}, ${percent(one.sure)}: put it back onto the paper`);
    const word = document.createElement("span");
    word.textContent = one.text;
    found.append(picture(one.drawing), word);
    found.addEventListener("click", () => choose(one));
    return found;
  }

  forget.addEventListener("click", () => {
    list = [];
    save();
    show();
  });
  addEventListener("storage", ({ key }) => { // another tab of this page
    if (key !== KEPT && key !== null) return;
    list = load();
    show();
  });
  show();

  return {
    /** Keep a drawing that leaves the paper, with what it was read as. */
    note(drawing, text, sure) {
      if (!drawing.length || !text) return;
      list = noted(load(), { drawing, text: text.slice(0, WORDS), sure });
      save();
      show();
    },
  };
}

function picture(drawing) {
  const make = (name) => document.createElementNS("http://www.w3.org/2000/svg", name);
  const image = make("svg");
  image.setAttribute("viewBox", `0 0 ${SIZE} ${SIZE}`);
  image.setAttribute("aria-hidden", "true");
  for (const { width, points } of drawing) {
    const line = make("path");
    line.setAttribute("d", path(points));
    line.setAttribute("stroke-width", String(width));
    image.append(line);
  }
  return image;
}
