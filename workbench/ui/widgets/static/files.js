// A button that opens the browser's choice of files, and sends what was chosen, whole.

function render({ model, el }) {
  el.classList.add("wb", "wb-files");
  const button = document.createElement("button");
  const input = document.createElement("input");
  button.type = "button";
  button.className = "jupyter-button";
  button.textContent = model.get("description");
  input.type = "file";
  input.hidden = true;
  input.multiple = model.get("multiple");
  input.accept = model.get("accept");
  el.append(button, input);

  async function take() {
    const files = [...input.files];
    if (!files.length) return;
    button.disabled = true;
    try {
      const contents = await Promise.all(files.map((file) => file.arrayBuffer()));
      model.send({ kind: "files", names: files.map(({ name }) => name) }, undefined, contents);
    } catch (error) {
      model.send({ kind: "lost", why: String(error) });
    } finally {
      button.disabled = false;
      input.value = ""; // so that the same file can be chosen again
    }
  }

  button.addEventListener("click", () => input.click());
  input.addEventListener("change", take);
}

export default { render };
