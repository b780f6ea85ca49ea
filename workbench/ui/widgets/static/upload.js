// Send a file in pieces, the next once the one before is kept, and go on where an upload of the same file broke off.

const PIECE = 1 << 20;

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

  function take(files) {
    if (!files.length || file !== null) return;
    file = files[0];
    input.disabled = true;
    model.send({ kind: "begin", name: file.name, size: file.size, changed: file.lastModified });
  }

  async function sendFrom(offset) {
    if (file === null) return;
    if (offset >= file.size) {
      model.send({ kind: "end" });
      return;
    }
    try {
      const content = await file.slice(offset, offset + PIECE).arrayBuffer();
      model.send({ kind: "piece", offset }, undefined, [content]);
    } catch (error) {
      model.send({ kind: "lost", why: String(error) });
    }
  }

  function rest() {
    file = null;
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
