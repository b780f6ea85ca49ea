// The part of the drawing page that shows what is inside: opened by a button, asked for while it is open. What it shows it
// with is loaded when it is first opened.

import { sentence } from "../words.js";
import { next, start } from "./looking.js";

/**
 * @param ask (image) => outcome, of one drawing
 * @param name () => outcome, of the layers alone
 * @param model () => which version serves: its layers are named once
 * @param drawn () => whether there is a drawing, though nobody may have read it yet
 * @returns {answered(image), computed(form, steps, seen)}: to be called when a drawing was answered, and when the page itself
 *   has a network that reads it
 */
export function insideSection({ button, body, ask, name, model, drawn, say }) {
  let state = start;
  let timer = 0;
  let panel = null;
  let named = null; // the version whose layers the panel knows
  let own = null; // {wish, looks}: of a network that the page computes

  async function dispatch(event) {
    const { state: after, send, wake } = next(state, event, performance.now());
    state = after;
    clearTimeout(timer);
    if (wake !== undefined) timer = setTimeout(dispatch, wake, { type: "woke" });
    if (send !== undefined) look(send);
  }

  async function look(image) {
    const outcome = await ask(image);
    await know();
    if (outcome.kind === "inside") panel?.show(outcome.told);
    else if (outcome.kind === "refused") panel?.fail(sentence(outcome.message));
    dispatch({ type: "came", ok: outcome.kind === "inside" || outcome.kind === "refused" });
  }

  /** Have the panel know the numbers of the convolutions of the version that serves. */
  async function know() {
    const version = model();
    if (!panel || named === version) return;
    const outcome = await name();
    if (outcome.kind !== "inside") return;
    panel.name(outcome.told);
    named = version;
  }

  async function lookOwn() {
    const { ownLooks } = await import("./own.js");
    own.looks ??= ownLooks(panel);
    named = null;
    own.looks.show(...own.wish);
  }

  async function open() {
    button.setAttribute("aria-expanded", "true");
    body.hidden = false;
    if (!panel) {
      const { insidePanel } = await import("./panel.js");
      panel = insidePanel(body, say);
      panel.show({ layers: [] });
      if (drawn()) panel.fail("No model has read your drawing yet: what each layer makes of it appears here as soon as one has.");
    }
    if (own) lookOwn();
    dispatch({ type: "opened" });
  }

  function close() {
    button.setAttribute("aria-expanded", "false");
    body.hidden = true;
    dispatch({ type: "closed" });
  }

  button.addEventListener("click", () => (body.hidden ? open() : close()));
  return {
    answered(image) {
      own = null;
      dispatch({ type: "answered", image });
    },
    computed(...wish) {
      own = { wish, looks: own?.looks };
      if (!body.hidden && panel) lookOwn();
    },
  };
}
