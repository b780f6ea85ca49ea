// A piece of text that the kernel wrote; whatever came from elsewhere is escaped there. Times are told by words.js,
// which stands before this module, and stay true while one looks. A link with data-recipe leads to the request with
// that recipe; in JupyterLab, which drops what stands behind a question mark, the browser hands it over. What a link
// with data-open names is opened by the kernel where that says so; a click with a key held down follows the link.

const EVERY_MS = 5000;

function render({ model, el }) {
  el.classList.add("wb", "wb-html");
  const tell = () => {
    for (const time of el.querySelectorAll("time[data-t]")) {
      const t = Number(time.dataset.t);
      time.textContent = ago(t);
      time.title = exact(t);
      time.dateTime = new Date(t * 1000).toISOString();
    }
  };
  const handOver = ({ target }) => {
    const link = target.closest("a[data-recipe]");
    if (!link || document.body.dataset.voila) return;
    const handed = { recipe: link.dataset.recipe, t: Date.now() / 1000 };
    try {
      localStorage.setItem("workbench:handed", JSON.stringify(handed));
    } catch {
      // A browser that keeps nothing: one chooses the recipe there.
    }
  };
  const open = (event) => {
    const link = event.target.closest("a[data-open]");
    if (!link || !model.get("opens") || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    model.send({ open: link.dataset.open });
  };
  el.addEventListener("click", handOver);
  el.addEventListener("click", open);
  const draw = () => { el.innerHTML = unbroken(model.get("html")); tell(); };
  const comeIntoSight = () => {
    const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
    // What it says may come with the same message and be drawn after this.
    requestAnimationFrame(() => el.scrollIntoView({ block: "center", behavior: still ? "auto" : "smooth" }));
  };
  model.on("change:html", draw);
  model.on("change:called", comeIntoSight);
  const clock = setInterval(tell, EVERY_MS);
  draw();
  return () => {
    clearInterval(clock);
    el.removeEventListener("click", handOver);
    el.removeEventListener("click", open);
    model.off("change:html", draw);
    model.off("change:called", comeIntoSight);
  };
}

export default { render };
