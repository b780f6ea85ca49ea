// Named values in localStorage, as JSON under "workbench:NAME", told to the kernel; and whether anybody looks.

const PREFIX = "workbench:";
const STORED = "workbench:stored"; // tells this window; the storage event tells only the others

/** What is kept under the name; `null` where nothing is, or nothing that is JSON. */
export function read(storage, name) {
  try {
    return JSON.parse(storage.getItem(PREFIX + name) ?? "null");
  } catch {
    return null;
  }
}

/** Keep a value under the name; `null` removes it. Throws where the browser does not keep it. */
export function write(storage, name, value) {
  if (value === null) storage.removeItem(PREFIX + name);
  else storage.setItem(PREFIX + name, JSON.stringify(value));
}

function initialize({ model }) {
  const names = model.get("names");
  const leaving = new AbortController();
  const until = { signal: leaving.signal };
  const changed = (name) => {
    if (names.includes(name)) model.send({ kind: "changed", name, value: read(localStorage, name) });
  };
  const looked = () => document.visibilityState === "visible";

  window.addEventListener("storage", (event) => {
    if (event.key === null) names.forEach(changed);
    else if (event.key.startsWith(PREFIX)) changed(event.key.slice(PREFIX.length));
  }, until);
  window.addEventListener(STORED, ({ detail }) => {
    if (detail.from !== model) changed(detail.name);
  }, until);
  document.addEventListener("visibilitychange", () => model.send({ kind: "visible", visible: looked() }), until);

  const receive = (message) => {
    if (message.kind !== "set") return;
    try {
      write(localStorage, message.name, message.value);
    } catch (error) {
      model.send({ kind: "problem", text: `This browser does not keep it: ${error.message}` });
      return;
    }
    window.dispatchEvent(new CustomEvent(STORED, { detail: { name: message.name, from: model } }));
  };
  model.on("msg:custom", receive);

  const values = Object.fromEntries(names.map((name) => [name, read(localStorage, name)]));
  model.send({ kind: "here", values, visible: looked() });
  return () => {
    leaving.abort();
    model.off("msg:custom", receive);
  };
}

function render({ el }) {
  el.hidden = true;
  el.style.display = "none";
}

export default { initialize, render };
