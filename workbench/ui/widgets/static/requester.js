// "Who are you?" as a card until there is a name; then the name in the page's corner, with a way to change it.

function element(name, className, text = "") {
  const node = document.createElement(name);
  if (className) node.className = className;
  node.textContent = text;
  return node;
}

let count = 0;

function render({ model, el }) {
  el.classList.add("wb", "wb-requester-place");
  const box = element("div", "wb wb-requester");
  const corner = element("div", "wb-requester-known");
  const avatar = element("span", "wb-requester-initial");
  avatar.ariaHidden = "true";
  const name = element("span", "wb-requester-name");
  const change = element("button", "wb-requester-change", "Change");
  change.type = "button";
  change.setAttribute("aria-label", "Change your name");
  corner.append(avatar, name, change);

  const form = element("form", "wb-requester-form wb-card");
  const field = element("input");
  field.id = `wb-requester-${(count += 1)}`;
  Object.assign(field, { maxLength: 255, autocomplete: "nickname", spellcheck: false });
  const label = element("label", "", "Who are you?");
  label.htmlFor = field.id;
  const why = element("p", "wb-muted", "Jobs carry this name, so that others know whose they are. It is kept in this browser.");
  why.id = `${field.id}-why`;
  const problem = element("p", "wb-requester-problem");
  problem.id = `${field.id}-problem`;
  problem.setAttribute("role", "alert");
  field.setAttribute("aria-describedby", `${why.id} ${problem.id}`);
  const save = element("button", "jupyter-button wb-primary", "That’s me");
  save.type = "submit";
  const cancel = element("button", "jupyter-button", "Cancel");
  cancel.type = "button";
  const line = element("div", "wb-requester-line");
  line.append(field, save, cancel);
  form.append(label, line, problem, why);
  box.append(corner, form);

  let changing = false;
  const draw = () => {
    const known = model.get("name");
    // The bar of a Voilà page has a place for it; elsewhere it stays where it was displayed.
    const place = (known && document.getElementById("wb-corner")) || el;
    if (box.parentNode !== place) place.append(box);
    corner.hidden = !known;
    avatar.textContent = [...known][0]?.toUpperCase() ?? "";
    name.textContent = known;
    name.title = `Your jobs carry the name ${known}`;
    change.setAttribute("aria-expanded", String(changing));
    form.hidden = known ? !changing : !model.get("asking");
    form.classList.toggle("wb-requester-over", Boolean(known));
    cancel.hidden = !known;
    problem.textContent = model.get("problem");
    problem.hidden = !problem.textContent;
    field.setAttribute("aria-invalid", String(Boolean(problem.textContent)));
  };
  const open = (yes) => {
    changing = yes;
    if (yes) field.value = model.get("name");
    draw();
    if (yes) field.select();
    else change.focus();
  };
  change.addEventListener("click", () => open(!changing));
  cancel.addEventListener("click", () => open(false));
  form.addEventListener("keydown", (event) => {
    // JupyterLab has shortcuts for plain letters.
    event.stopPropagation();
    if (event.key === "Escape" && changing) open(false);
  });
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    if (changing && field.value.trim() === model.get("name")) open(false);
    else model.send({ kind: "name", name: field.value });
  });
  const renamed = () => {
    const mine = box.contains(document.activeElement);
    changing = false;
    draw();
    if (mine) change.focus();
  };
  model.on("change:name", renamed);
  model.on("change:asking change:problem", draw);
  field.value = model.get("name") || model.get("suggested");
  draw();
  return () => {
    model.off("change:name", renamed);
    model.off("change:asking change:problem", draw);
    box.remove();
  };
}

export default { render };
