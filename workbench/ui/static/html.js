// A piece of text that the kernel wrote; whatever came from elsewhere is escaped there.

function render({ model, el }) {
  el.classList.add("wb", "wb-html");
  const draw = () => { el.innerHTML = model.get("html"); };
  model.on("change:html", draw);
  draw();
  return () => model.off("change:html", draw);
}

export default { render };
