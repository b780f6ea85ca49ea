// Visitors' drawings to be judged, one after the other: arrows move, A accepts, R rejects, U undoes. To accept what the
// model contradicts takes a second A.

/** Which drawing an arrow leads to, in a grid of so many columns. */
export function moved(at, key, columns, count) {
  const step = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -columns, ArrowDown: columns }[key] ?? 0;
  const to = at + step;
  return to < 0 || to >= count ? at : to;
}

/** What the keys mean. */
export const VERDICTS = { a: "accept", r: "reject" };

/** Who says what: the first two lines of a card. */
export function said({ digit, predicted, model, writer, sure }) {
  const who = model || "the model";
  return {
    first: writer ? `asked of ${writer}` : "said the visitor",
    second: `${predicted} said ${who}${sure ? `, ${sure} sure` : ""}`,
    spoken: writer
      ? `${writer} was asked for a ${digit}, the model said ${predicted}${sure ? `, ${sure} sure` : ""}`
      : `A visitor said ${digit}, the model ${predicted}${sure ? `, ${sure} sure` : ""}`,
  };
}

function element(name, className, text) {
  const node = document.createElement(name);
  if (className) node.className = className;
  if (text !== undefined) node.textContent = unbroken(text);
  return node;
}

function render({ model, el }) {
  el.classList.add("wb", "wb-review");
  el.dataset.lmSuppressShortcuts = "true";
  const list = element("ul", "wb-review-grid");
  list.setAttribute("aria-label", "Corrections");
  const spoken = element("span", "wb-hidden");
  spoken.setAttribute("role", "status");
  el.append(list, spoken);
  let active = 0; // which drawing the keyboard is at
  const figures = new Map(); // by id
  let doubted = ""; // the id whose acceptance waits for a second word

  const items = () => model.get("items");

  function judge(id, verdict) {
    const item = items().find((one) => one.id === id);
    if (!item || figures.get(id)?.dataset.leaves) return; // the kernel does what was said one after the other
    if (verdict === "accept" && item.absurd && doubted !== id) return ask(item);
    ask(null);
    figures.get(id)?.setAttribute("data-leaves", verdict);
    spoken.textContent = `${item.digit}: ${verdict}ed`;
    model.send({ kind: "review", ids: [id], verdict });
  }

  /** Show beneath one drawing, or none, why accepting it needs a second word. */
  function ask(item) {
    figures.get(doubted)?.querySelector(".wb-doubted")?.remove();
    doubted = item?.id ?? "";
    if (!item) return;
    const question = element("p", "wb-doubted", "Accept it all the same? ");
    question.append(element("kbd", "", "A"), " again, or Accept.");
    figures.get(item.id).append(question);
    spoken.textContent = `But ${item.absurd}. ${question.textContent}`;
  }

  function make(item) {
    const li = element("li", "wb-correction");
    li.tabIndex = -1;
    li.dataset.id = item.id;
    const picture = element("img");
    picture.src = item.picture;
    picture.alt = "";
    const words = element("p");
    const lines = said(item);
    words.append(element("b", "", item.digit), ` ${lines.first}`);
    const told = element("p", "wb-said", lines.second);
    const time = element("time", "", ago(item.t));
    time.title = exact(item.t);
    const tools = element("div", "wb-judge");
    for (const [verdict, text] of [["accept", "Accept"], ["reject", "Reject"]]) {
      const button = element("button", `jupyter-button wb-${verdict}`, text);
      button.type = "button";
      button.tabIndex = -1;
      button.dataset.verdict = verdict;
      button.setAttribute("aria-label", `${text}: a visitor said this is a ${item.digit}`);
      button.addEventListener("click", () => judge(item.id, verdict));
      tools.append(button);
    }
    li.setAttribute("aria-label", `${lines.spoken}${item.absurd ? `; ${item.absurd}` : ""}`);
    if (item.absurd) {
      li.dataset.absurd = "true";
      told.textContent = unbroken(`${item.absurd[0].toUpperCase()}${item.absurd.slice(1)}`);
      told.title = lines.second;
    }
    li.append(picture, words, told, ...alike(item), time, tools);
    return li;
  }

  function alike(item) {
    if (!item.alike?.length) return [];
    const row = element("ol", "wb-alike");
    row.setAttribute("aria-label", `Most alike in training: ${item.alike.map((one) => one.label).join(", ")}`);
    row.title = "The five training pictures most like it, and what they are";
    for (const one of item.alike) {
      const figure = element("li", "");
      const image = element("img");
      image.src = one.picture;
      image.alt = "";
      figure.append(image, element("span", one.label === item.digit ? "wb-same" : "", one.label));
      row.append(figure);
    }
    return [row];
  }

  function draw() {
    const hadFocus = el.contains(document.activeElement);
    const shown = items();
    const wanted = new Set(shown.map((item) => item.id));
    for (const [id, node] of figures) {
      if (!wanted.has(id)) { node.remove(); figures.delete(id); }
    }
    shown.forEach((item, n) => {
      if (!figures.has(item.id)) figures.set(item.id, make(item));
      const node = figures.get(item.id);
      node.removeAttribute("data-leaves");
      if (list.children[n] !== node) list.insertBefore(node, list.children[n] ?? null);
    });
    const state = model.get("state");
    for (const button of list.querySelectorAll("button")) {
      button.hidden = (button.dataset.verdict === "accept" && state === "accepted")
        || (button.dataset.verdict === "reject" && state === "rejected");
    }
    reach(Math.min(active, shown.length - 1), hadFocus);
  }

  function reach(to, focus = true) {
    if (doubted && list.children[Math.max(0, to)]?.dataset.id !== doubted) ask(null);
    active = Math.max(0, to);
    [...list.children].forEach((node, n) => { node.tabIndex = n === active ? 0 : -1; });
    if (focus) list.children[active]?.focus({ preventScroll: false });
  }

  const columns = () => {
    const [first, ...rest] = list.children;
    if (!first) return 1;
    const below = rest.findIndex((node) => node.offsetTop > first.offsetTop);
    return below < 0 ? list.children.length : below + 1;
  };

  list.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
    if (key.startsWith("Arrow")) reach(moved(active, key, columns(), list.children.length));
    else if (VERDICTS[key]) { const item = items()[active]; if (item) judge(item.id, VERDICTS[key]); }
    else if (key === "u") model.send({ kind: "undo" });
    else if (key === "Escape" && doubted) ask(null);
    else return;
    event.preventDefault();
    event.stopPropagation();
  });
  list.addEventListener("focusin", (event) => {
    const at = [...list.children].indexOf(event.target.closest("li"));
    if (at >= 0 && at !== active) reach(at, false);
  });

  const busy = () => {
    el.dataset.busy = String(model.get("busy"));
    if (model.get("busy")) return;
    for (const node of figures.values()) node.removeAttribute("data-leaves"); // what failed may be said again
  };
  model.on("change:items", draw);
  model.on("change:state", draw);
  model.on("change:busy", busy);
  draw();
  busy();
  return () => {
    model.off("change:items", draw);
    model.off("change:state", draw);
    model.off("change:busy", busy);
  };
}

export default { render };
