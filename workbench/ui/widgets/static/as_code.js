// A fold with the calls of the buttons above it, a line of Python and a line of a shell each, to be copied.

const KINDS = [["python", "Python"], ["shell", "Shell"]];

/** Puts the text on the clipboard; where the browser has none for this page, by a selection. */
export async function copy(text, node) {
  if (navigator.clipboard?.writeText) return navigator.clipboard.writeText(text);
  const range = document.createRange();
  range.selectNodeContents(node);
  getSelection().removeAllRanges();
  getSelection().addRange(range);
  if (!document.execCommand("copy")) throw new Error("this browser does not copy; the text is selected");
  return undefined;
}

function element(name, className, text) {
  const node = document.createElement(name);
  node.className = className;
  if (text !== undefined) node.textContent = text;
  return node;
}

function row(kind, text, label) {
  const line = element("div", "wb-as-code-line");
  const code = element("code", "", text);
  const button = element("button", "wb-as-code-copy", "Copy");
  button.type = "button";
  button.setAttribute("aria-label", `Copy the ${kind} line of ${label}`);
  button.addEventListener("click", async () => {
    try {
      await copy(text, code);
      button.textContent = "Copied";
    } catch {
      button.textContent = "Press Ctrl-C";
    }
    setTimeout(() => { button.textContent = "Copy"; }, 1600);
  });
  line.append(element("span", "wb-as-code-kind", kind), code, button);
  return line;
}

function render({ model, el }) {
  el.classList.add("wb", "wb-as-code");
  const fold = document.createElement("details");
  const summary = element("summary", "", model.get("title"));
  const body = element("div", "wb-as-code-body");
  fold.append(summary, body);
  el.append(fold);
  const draw = () => {
    body.replaceChildren();
    if (model.get("problem")) body.append(element("p", "wb-muted", model.get("problem")));
    for (const { label, note, ...line } of model.get("lines")) {
      const part = element("div", "wb-as-code-part");
      part.append(element("b", "", label));
      if (note) part.append(element("p", "wb-muted", note));
      for (const [kind, name] of KINDS) if (line[kind]) part.append(row(name, line[kind], label));
      body.append(part);
    }
  };
  fold.addEventListener("toggle", () => model.send({ kind: "open", open: fold.open }));
  model.on("change:lines change:problem", draw);
  draw();
  return () => model.off("change:lines change:problem", draw);
}

export default { render };
