// CodeMirror (vendor/codemirror.js stands before this module) in tabs; the kernel gets the texts as they are.

const DEBOUNCE_MS = 300;
const REST_MS = 700; // without a key, until the syntax of what is typed is looked at

function look({ tags: t }) {
  return CodeMirror.HighlightStyle.define([
    { tag: [t.keyword, t.operatorKeyword, t.modifier, t.controlKeyword, t.definitionKeyword], color: "var(--wb-code-keyword)" },
    { tag: [t.string, t.special(t.string), t.character], color: "var(--wb-code-string)" },
    { tag: [t.number, t.bool, t.null], color: "var(--wb-code-number)" },
    { tag: [t.comment], color: "var(--wb-code-comment)", fontStyle: "italic" },
    { tag: [t.function(t.definition(t.variableName)), t.definition(t.className)], color: "var(--wb-code-name)", fontWeight: "600" },
    { tag: [t.className, t.standard(t.variableName)], color: "var(--wb-code-name)" },
    { tag: [t.meta], color: "var(--wb-code-keyword)" },
    { tag: t.invalid, color: "var(--wb-bad)" },
  ]);
}

const theme = () =>
  CodeMirror.EditorView.theme({
    "&": { backgroundColor: "transparent", color: "var(--wb-text)", fontSize: "13px", height: "100%" },
    "&.cm-focused": { outline: "none" },
    ".cm-scroller": { fontFamily: "var(--wb-mono)", lineHeight: "1.55", overflow: "auto" },
    ".cm-content": { caretColor: "var(--wb-text)", padding: "10px 0" },
    ".cm-line": { padding: "0 12px" },
    ".cm-gutters": { backgroundColor: "transparent", color: "var(--wb-muted)", border: "none", paddingLeft: "4px" },
    ".cm-activeLine, .cm-activeLineGutter": { backgroundColor: "color-mix(in srgb, var(--wb-accent) 6%, transparent)" },
    "&.cm-focused > .cm-scroller > .cm-selectionLayer .cm-selectionBackground, .cm-selectionBackground, ::selection": {
      backgroundColor: "color-mix(in srgb, var(--wb-accent) 26%, transparent)",
    },
    ".cm-cursor": { borderLeftColor: "var(--wb-text)" },
    ".cm-matchingBracket, &.cm-focused .cm-matchingBracket": {
      backgroundColor: "color-mix(in srgb, var(--wb-accent) 18%, transparent)", color: "inherit",
    },
    ".cm-panels": { backgroundColor: "var(--wb-raised)", color: "var(--wb-text)", borderColor: "var(--wb-line)" },
    ".cm-tooltip": { backgroundColor: "var(--wb-surface)", color: "var(--wb-text)", border: "1px solid var(--wb-line)", borderRadius: "6px" },
    ".cm-diagnostic": { fontFamily: "inherit", fontSize: "13px" },
    ".cm-diagnostic-error": { borderLeft: "3px solid var(--wb-bad)" },
    ".cm-lintRange-error": { backgroundImage: "none", backgroundColor: "color-mix(in srgb, var(--wb-bad) 16%, transparent)" },
  });

/** Where a mark is in a text, as CodeMirror's diagnostics have it. */
export function place(doc, line) {
  if (!line) return { from: 0, to: Math.min(doc.length, doc.line(1).to) };
  const at = doc.line(Math.min(Math.max(1, line), doc.lines));
  const indent = at.text.length - at.text.trimStart().length;
  return { from: at.from + indent, to: Math.max(at.to, at.from + indent) };
}

function render({ model, el }) {
  el.classList.add("wb", "wb-editor");
  el.dataset.lmSuppressShortcuts = "true";
  const fields = model.get("fields");
  const tabs = document.createElement("div");
  tabs.className = "wb-tabs";
  tabs.setAttribute("role", "tablist");
  tabs.setAttribute("aria-label", model.get("label"));
  const panels = document.createElement("div");
  panels.className = "wb-editor-panels";
  const unique = Math.random().toString(36).slice(2, 8);
  const said = document.createElement("p"); // of the syntax, in the tab that is in sight
  said.className = "wb-slip";
  said.setAttribute("role", "status");
  const wayOut = document.createElement("span");
  wayOut.className = "wb-way-out";
  wayOut.id = `way-out-${unique}`;
  wayOut.textContent = "Tab indents; Escape, then Tab leaves";
  el.append(tabs, wayOut, panels, said);
  const views = new Map();
  const buttons = new Map();
  let pending = 0;
  const slips = new Map(); // field → {line, message}: faults of syntax in what was typed
  const asked = new Map(); // field → the number of its newest question; none while keys come
  const resting = new Map(); // field → timer
  let questions = 0;

  function flush() {
    clearTimeout(pending);
    pending = 0;
    const values = Object.fromEntries([...views].map(([key, view]) => [key, view.state.sliceDoc()]));
    if (JSON.stringify(values) === JSON.stringify(model.get("values"))) return;
    model.set("values", values);
    model.save_changes();
  }

  function rest(key) {
    asked.delete(key);
    clearTimeout(resting.get(key));
    resting.set(key, setTimeout(() => {
      asked.set(key, ++questions);
      try {
        model.send({ kind: "typed", question: questions, field: key, text: views.get(key).state.sliceDoc() });
      } catch { // the kernel has gone meanwhile, which the page says by itself
        asked.delete(key);
      }
    }, REST_MS));
  }

  function answered({ kind, question, field, slip }) {
    if (kind !== "slip" || asked.get(field) !== question) return;
    if (slip) slips.set(field, slip); else slips.delete(field);
    paintMarks(field);
    drawTabs();
  }

  const C = CodeMirror;
  // Who comes with Tab and presses nothing else goes on with Tab, and changes nothing.
  let passing = false;
  let pointed = false;
  const indent = C.indentWithTab;
  const indentOrPass = {
    ...indent,
    run: (view) => !passing && indent.run(view),
    shift: (view) => !passing && indent.shift(view),
  };
  for (const [key, title] of fields) {
    const tab = document.createElement("button");
    tab.type = "button";
    tab.id = `tab-${unique}-${key}`;
    tab.setAttribute("role", "tab");
    tab.setAttribute("aria-controls", `panel-${unique}-${key}`);
    tab.textContent = title;
    tab.addEventListener("click", () => choose(key));
    tabs.append(tab);
    buttons.set(key, tab);
    const panel = document.createElement("div");
    panel.id = `panel-${unique}-${key}`;
    panel.setAttribute("role", "tabpanel");
    panel.setAttribute("aria-labelledby", tab.id);
    panels.append(panel);
    const typed = C.EditorView.updateListener.of((update) => {
      if (!update.docChanged || update.transactions.some((t) => t.isUserEvent("from.kernel"))) return;
      clearTimeout(pending);
      pending = setTimeout(flush, DEBOUNCE_MS);
      rest(key);
    });
    const view = new C.EditorView({
      parent: panel,
      state: C.EditorState.create({
        doc: model.get("values")[key] ?? "",
        extensions: [
          // Only "\n" parts lines, so that whatever else is in a text stays in it.
          C.EditorState.lineSeparator.of("\n"),
          C.EditorState.tabSize.of(4),
          C.indentUnit.of("    "),
          C.lineNumbers(),
          C.lintGutter(),
          C.history(),
          C.highlightSpecialChars(),
          C.drawSelection(),
          C.highlightActiveLine(),
          C.highlightActiveLineGutter(),
          C.bracketMatching(),
          C.indentOnInput(),
          C.highlightSelectionMatches(),
          C.python(),
          C.syntaxHighlighting(look(C)),
          C.EditorView.domEventHandlers({
            pointerdown: () => { passing = false; pointed = true; },
            focus: () => { passing = !pointed; },
            blur: () => { pointed = false; },
            keydown: (event) => { passing &&= event.key === "Tab" || event.key === "Shift"; },
          }),
          C.keymap.of([indentOrPass, ...C.defaultKeymap, ...C.historyKeymap, ...C.searchKeymap]),
          C.EditorView.contentAttributes.of({ "aria-label": title, "aria-describedby": wayOut.id, spellcheck: "false", tabindex: "0" }),
          theme(),
          typed,
        ],
      }),
    });
    views.set(key, view);
  }

  function choose(key) {
    if (model.get("shown") === key) return;
    flush();
    model.set("shown", key);
    model.save_changes();
  }
  tabs.addEventListener("keydown", (event) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!step) return;
    const keys = fields.map(([key]) => key);
    const next = keys[(keys.indexOf(model.get("shown")) + step + keys.length) % keys.length];
    choose(next);
    buttons.get(next).focus();
    event.preventDefault();
  });

  function drawTabs() {
    for (const [key, tab] of buttons) {
      const here = model.get("shown") === key;
      const marks = marksOf(key).length;
      tab.setAttribute("aria-selected", String(here));
      tab.tabIndex = here ? 0 : -1;
      tab.classList.toggle("wb-marked", marks > 0);
      tab.title = marks ? `${marks} error${marks > 1 ? "s" : ""}` : "";
      panels.querySelector(`#panel-${unique}-${key}`).hidden = !here;
    }
    const slip = slips.get(model.get("shown"));
    said.textContent = slip ? `${slip.line ? `Line ${slip.line}: ` : ""}${slip.message}` : "";
    views.get(model.get("shown"))?.requestMeasure();
  }
  function drawValues() {
    for (const [key, view] of views) {
      const value = model.get("values")[key] ?? "";
      if (view.state.sliceDoc() === value) continue;
      clearTimeout(resting.get(key));
      asked.delete(key);
      slips.delete(key);
      const everything = { from: 0, to: view.state.doc.length, insert: value };
      view.dispatch({ changes: everything, userEvent: "from.kernel" });
      paintMarks(key);
    }
    drawTabs();
  }
  /** What a check found, and the fault of syntax that was typed since. */
  function marksOf(key) {
    const marks = model.get("marks")[key] ?? [];
    const slip = slips.get(key);
    return slip && !marks.some(({ line }) => line === slip.line) ? [...marks, slip] : marks;
  }
  function paintMarks(key) {
    const { state } = views.get(key);
    const found = marksOf(key).map(({ line, message }) => ({ ...place(state.doc, line), severity: "error", message }));
    views.get(key).dispatch(C.setDiagnostics(state, found));
  }
  function drawMarks() {
    for (const [key, view] of views) {
      paintMarks(key);
      const found = (model.get("marks")[key] ?? []).map(({ line }) => place(view.state.doc, line));
      if (!found.length) continue;
      const at = found[0].from;
      view.dispatch({ selection: { anchor: at }, effects: C.EditorView.scrollIntoView(at, { y: "center" }) });
    }
    drawTabs();
  }
  // A click on a button overtakes what a busy kernel has yet to read, so it may not know which tab is shown.
  function showMarks() {
    drawMarks();
    const marked = fields.map(([key]) => key).filter((key) => model.get("marks")[key]?.length);
    if (marked.length && !marked.includes(model.get("shown"))) choose(marked[0]);
  }
  // Made before it was on the page, CodeMirror has measured nothing yet.
  const observer = new ResizeObserver(() => views.forEach((view) => view.requestMeasure()));
  observer.observe(el);
  // A sheet that comes late makes lines higher or lower than they were measured.
  for (const view of views.values()) observer.observe(view.contentDOM);
  el.addEventListener("focusout", flush);
  model.on("change:values", drawValues);
  model.on("change:marks", showMarks);
  model.on("change:shown", drawTabs);
  model.on("msg:custom", answered);
  drawMarks();
  return () => {
    if (pending) flush();
    observer.disconnect();
    model.off("change:values", drawValues);
    model.off("change:marks", showMarks);
    model.off("change:shown", drawTabs);
    model.off("msg:custom", answered);
    for (const timer of resting.values()) clearTimeout(timer);
    for (const view of views.values()) view.destroy();
  };
}

export default { render };
