// Files that are dropped on an element, or pasted into the page, for the drawing page and for the notebooks' buttons alike.

/** Fields that take what is pasted themselves. */
const TYPED_INTO = "input:not([type=file]), textarea, select, [contenteditable='true'], [contenteditable='']";

/**
 * @param zone () => the element that has the class "dropping" while files are held where they may be dropped; null while it is away
 * @param field () => the element on which they may be dropped; the zone, if it is not said
 * @param take (files) => void, with at least one
 * @param here () => whether what is pasted now is meant for it
 * @returns a function that lets go
 */
export function dropping({ zone, field = zone, take, here = () => true }) {
  const gone = new AbortController();
  const on = (kind, listener) => document.addEventListener(kind, listener, { signal: gone.signal });
  const isMeant = ({ target, dataTransfer }) => dataTransfer?.types.includes("Files") && field()?.contains(target);
  const mark = (isAbove) => zone()?.classList.toggle("dropping", Boolean(isAbove));

  on("dragover", (event) => {
    const meant = isMeant(event);
    mark(meant);
    if (!meant) return;
    event.preventDefault(); // else the browser would open the file in place of the page
    event.dataTransfer.dropEffect = "copy";
  });
  on("dragleave", ({ relatedTarget }) => { if (!relatedTarget) mark(false); }); // out of the window
  on("drop", (event) => {
    mark(false);
    if (!isMeant(event)) return;
    event.preventDefault();
    const files = [...event.dataTransfer.files];
    if (files.length) take(files);
  });
  on("paste", (event) => {
    const files = [...(event.clipboardData?.files ?? [])];
    if (!files.length || event.target.closest?.(TYPED_INTO) || !here()) return;
    event.preventDefault();
    take(files);
  });
  return () => gone.abort();
}

/** Why these files are no single picture that may be taken, as a sentence; "" where they may. A kind that the browser does not know passes. */
export function unfit(files, most) {
  const [file] = files;
  if (files.length > 1) return `One picture at a time, please: these are ${files.length} files.`;
  if (file.type && !file.type.startsWith("image/")) return `${named(file)} is no picture.`;
  if (most && file.size > most) return `${named(file)} has ${megabytes(file.size)} MB; at most ${megabytes(most)} are taken.`;
  return file.size ? "" : `${named(file)} is empty.`;
}

const named = ({ name }) => (name.length > 60 ? `${name.slice(0, 57)}…` : name);
const megabytes = (bytes) => (bytes / 1e6).toLocaleString("en", { maximumFractionDigits: 1 });
