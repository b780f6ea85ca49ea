// A button that opens the browser's choice of files, and sends what was chosen: small files at once, others in pieces, the
// next once the kernel has the one before, since a message to a kernel has 10 MB at most. Pressed meanwhile, it stops. Where
// it has a zone, pictures may be dropped there or pasted as well (dropping.js of the drawing page).

const PIECE = 4 << 20;

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
  if (model.get("zone")) {
    const aside = document.createElement("span");
    aside.textContent = "or drop or paste one";
    el.append(aside);
  }

  let sending = null; // { files, number, offset } while pieces go

  function rest() {
    sending = null;
    button.disabled = false;
    button.textContent = model.get("description");
    input.value = ""; // so that the same file can be chosen again
  }

  async function take(files) {
    if (!files.length || sending) return;
    const size = files.reduce((sum, file) => sum + file.size, 0);
    const most = model.get("most");
    if (most && size > most) {
      const mb = (bytes) => (bytes / 1e6).toLocaleString("en", { maximumFractionDigits: 1 });
      model.send({ kind: "refused", why: `${files.map((f) => f.name).join(", ").slice(0, 120)}: ${mb(size)} MB, at most ${mb(most)} are taken` });
      rest();
      return;
    }
    const names = files.map(({ name }) => name);
    if (size > PIECE) {
      sending = { files, size, sent: 0 };
      button.title = "Stop sending";
      model.send({ kind: "begin", names, sizes: files.map((file) => file.size) });
      return;
    }
    button.disabled = true;
    try {
      const contents = await Promise.all(files.map((file) => file.arrayBuffer()));
      model.send({ kind: "files", names }, undefined, contents);
    } catch (error) {
      model.send({ kind: "lost", why: String(error) });
    } finally {
      rest();
    }
  }

  async function sendFrom({ number, offset, sent }) {
    if (!sending) return;
    button.textContent = `Stop (${Math.floor((100 * sent) / sending.size)} %)`;
    try {
      const content = await sending.files[number].slice(offset, offset + PIECE).arrayBuffer();
      if (sending) model.send({ kind: "piece", number, offset }, undefined, [content]);
    } catch (error) {
      model.send({ kind: "lost", why: String(error) });
      rest();
    }
  }

  function press() {
    if (!sending) return input.click();
    model.send({ kind: "cancel" });
    return rest();
  }

  model.on("msg:custom", (said) => (said.kind === "want" ? sendFrom(said) : rest()));
  button.addEventListener("click", press);
  input.addEventListener("change", () => take([...input.files]));
  if (!model.get("zone")) return undefined;
  const { dropping, unfit } = modules.dropping;
  const zone = () => el.closest(model.get("zone"));
  const isInSight = (box) => box && box.height > 0 && box.bottom > 0 && box.top < innerHeight;
  return dropping({
    zone,
    here: () => isInSight(zone()?.getBoundingClientRect()),
    take(files) {
      const why = unfit(files, model.get("most"));
      if (why) model.send({ kind: "refused", why });
      else take(files);
    },
  });
}

export default { render };
