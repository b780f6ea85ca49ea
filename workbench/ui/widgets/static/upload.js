// Send a file in pieces, the next once the one before is kept, and go on where an upload of the same file broke off. Pieces
// grow while they are kept at once, since each waits for an answer, and shrink where they take long: what is kept of a file,
// and the bar, then go on at least every few seconds. A message to a kernel has 10 MB at most.

const LEAST = 1 << 18;
const FIRST = 1 << 20;
const MOST = 1 << 23;
const QUICK_MS = 500;
const SLOW_MS = 2000;

function render({ model, el }) {
  el.classList.add("wb", "wb-upload");
  const label = document.createElement("label");
  const input = document.createElement("input");
  const words = document.createElement("span");
  input.type = "file";
  input.accept = model.get("accept");
  words.textContent = model.get("label");
  label.append(words, input);
  el.append(label);
  let file = null;
  let piece = FIRST;
  let sentAt = null; // since when the answer to a piece is waited for

  function take(files) {
    if (!files.length || file !== null) return;
    file = files[0];
    input.disabled = true;
    model.send({ kind: "begin", name: file.name, size: file.size, changed: file.lastModified });
  }

  function fit() {
    if (sentAt === null) return;
    const took = performance.now() - sentAt;
    if (took < QUICK_MS) piece = Math.min(MOST, 2 * piece);
    else if (took > SLOW_MS) piece = Math.max(LEAST, piece / 2);
    sentAt = null;
  }

  async function sendFrom(offset) {
    if (file === null) return;
    fit();
    if (offset >= file.size) {
      model.send({ kind: "end" });
      return;
    }
    try {
      const content = await file.slice(offset, offset + piece).arrayBuffer();
      sentAt = performance.now();
      model.send({ kind: "piece", offset }, undefined, [content]);
    } catch (error) {
      model.send({ kind: "lost", why: String(error) });
    }
  }

  function rest() {
    file = null;
    sentAt = null;
    input.value = "";
    input.disabled = false;
  }

  model.on("msg:custom", (said) => (said.kind === "want" ? sendFrom(said.offset) : rest()));
  input.addEventListener("change", () => take(input.files));
  for (const name of ["dragenter", "dragover", "dragleave", "drop"]) {
    el.addEventListener(name, (event) => {
      event.preventDefault();
      el.classList.toggle("wb-over", name === "dragenter" || name === "dragover");
    });
  }
  el.addEventListener("drop", (event) => take(event.dataTransfer.files));
}

export default { render };
