// A piece of text that the kernel wrote; whatever came from elsewhere is escaped there. Times are told by words.js,
// which stands before this module, and stay true while one looks.

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
  const draw = () => { el.innerHTML = model.get("html"); tell(); };
  model.on("change:html", draw);
  const clock = setInterval(tell, EVERY_MS);
  draw();
  return () => {
    clearInterval(clock);
    model.off("change:html", draw);
  };
}

export default { render };
