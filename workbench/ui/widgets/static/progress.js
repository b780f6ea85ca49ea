// A bar, what is being done, and how long it will take. Only a change of state is announced; a bar that talks is noise.

const SETTLED_MS = 400;
const STATES = { idle: "waiting", running: "started", done: "finished", stopped: "stopped", failed: "failed" };

function render({ model, el }) {
  el.classList.add("wb", "wb-progress");
  const track = document.createElement("div");
  const bar = document.createElement("div");
  const line = document.createElement("div");
  const left = document.createElement("span");
  const right = document.createElement("span");
  const spoken = document.createElement("span");
  track.className = "wb-track";
  line.className = "wb-progress-text";
  spoken.className = "wb-hidden";
  spoken.setAttribute("role", "status");
  track.setAttribute("role", "progressbar");
  track.setAttribute("aria-valuemin", "0");
  track.setAttribute("aria-valuemax", "100");
  track.append(bar);
  line.append(left, right);
  el.append(track, line, spoken);
  let state = null;
  let speaking = 0;

  function draw() {
    const value = model.get("value");
    const known = Number.isFinite(value);
    el.dataset.state = model.get("state");
    track.classList.toggle("wb-unknown", !known);
    bar.style.width = known ? `${Math.min(1, Math.max(0, value)) * 100}%` : "";
    left.textContent = model.get("text");
    right.textContent = model.get("aside");
    track.setAttribute("aria-label", model.get("label"));
    track.setAttribute("aria-valuetext", `${left.textContent} ${right.textContent}`.trim());
    if (known) track.setAttribute("aria-valuenow", String(Math.round(value * 100)));
    else track.removeAttribute("aria-valuenow");
    if (state !== null && state !== model.get("state")) {
      // Who moves through several states at once is told the last.
      clearTimeout(speaking);
      speaking = setTimeout(() => {
        spoken.textContent = `${model.get("label")} ${STATES[model.get("state")]}. ${left.textContent}`;
      }, SETTLED_MS);
    }
    state = model.get("state");
  }

  const watched = "change:value change:text change:aside change:state change:label";
  model.on(watched, draw);
  draw();
  return () => {
    clearTimeout(speaking);
    model.off(watched, draw);
  };
}

export default { render };
