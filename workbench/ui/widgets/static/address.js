// Reads what is behind the question mark once, and keeps it as the kernel wants it from then on.

const OTHERS = ["token"]; // belongs to the server

/** The address with these values behind the question mark. */
export function withValues(href, values) {
  const url = new URL(href);
  for (const name of [...url.searchParams.keys()]) if (!OTHERS.includes(name)) url.searchParams.delete(name);
  for (const [name, value] of Object.entries(values)) url.searchParams.set(name, value);
  return url.href;
}

/** What is behind the question mark, but for what belongs to the server. */
export function valuesOf(href) {
  return Object.fromEntries([...new URL(href).searchParams].filter(([name]) => !OTHERS.includes(name)));
}

function initialize({ model }) {
  if (!document.body.dataset.voila) return undefined;
  const write = () => history.replaceState(history.state, "", withValues(location.href, model.get("values")));
  model.on("change:values", write);
  model.send({ kind: "here", values: valuesOf(location.href) });
  return () => model.off("change:values", write);
}

function render({ el }) {
  el.hidden = true;
  el.style.display = "none";
}

export default { initialize, render };
