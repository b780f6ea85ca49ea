// How long a job would take in each layout: bars that one can take. Which there are and what they say comes from the kernel.

function render({ model, el }) {
  el.classList.add("wb", "wb-layouts");

  function draw() {
    const choices = model.get("choices");
    const focused = el.contains(document.activeElement) ? document.activeElement.value : null;
    el.replaceChildren();
    if (!choices.length) return;
    const most = Math.max(...choices.map(({ seconds }) => seconds));
    const title = document.createElement("h4");
    title.textContent = "The same job in other layouts";
    const hint = document.createElement("p");
    hint.className = "wb-caption";
    hint.textContent = "The shorter the bar, the sooner it is done. Press one to take it.";
    const list = document.createElement("ol");
    list.append(...choices.map((choice) => row(choice, most)));
    el.append(title, hint, list);
    if (focused) [...list.querySelectorAll("button")].find(({ value }) => value === focused)?.focus();
  }

  function row({ ps, workers, name, seconds, said, chosen, better }, most) {
    const item = document.createElement("li");
    const button = document.createElement("button");
    const [label, bar, figures, tag] = ["span", "span", "span", "span"].map((kind) => document.createElement(kind));
    button.type = "button";
    button.value = `${ps}+${workers}`;
    button.setAttribute("aria-pressed", String(chosen));
    label.textContent = name;
    bar.className = "wb-layout-bar";
    bar.style.setProperty("--much", seconds / most);
    figures.textContent = said;
    tag.className = "wb-layout-tag";
    tag.textContent = chosen ? "as asked" : better ? "better" : "";
    button.append(label, bar, figures, tag);
    button.addEventListener("click", () => model.send({ ps, workers }));
    item.append(button);
    return item;
  }

  model.on("change:choices", draw);
  draw();
  return () => model.off("change:choices", draw);
}

export default { render };
