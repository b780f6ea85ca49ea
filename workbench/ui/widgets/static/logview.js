// A log: pick the machine, follow its end, hold it still. What it says is text, whatever it looks like.

function render({ model, el }) {
  el.classList.add("wb", "wb-logview");
  el.dataset.lmSuppressShortcuts = "true";
  const details = document.createElement("details");
  const summary = document.createElement("summary");
  summary.textContent = "Logs";
  const bar = document.createElement("div");
  bar.className = "wb-logview-bar";
  const choice = document.createElement("select");
  choice.setAttribute("aria-label", "Machine");
  const follow = document.createElement("button");
  follow.type = "button";
  follow.className = "wb-chip";
  const note = document.createElement("span");
  note.className = "wb-muted";
  const text = document.createElement("pre");
  text.tabIndex = 0;
  text.setAttribute("role", "log");
  text.setAttribute("aria-live", "off");
  text.setAttribute("aria-label", "What the machine wrote");
  bar.append(choice, follow, note);
  details.append(summary, bar, text);
  el.append(details);

  const put = (name, value) => { model.set(name, value); model.save_changes(); };
  details.open = model.get("unfolded");
  details.addEventListener("toggle", () => { if (model.get("unfolded") !== details.open) put("unfolded", details.open); });
  choice.addEventListener("change", () => put("chosen", choice.value));
  follow.addEventListener("click", () => put("following", !model.get("following")));

  function draw() {
    const logs = model.get("logs");
    const drawn = JSON.stringify(logs);
    if (choice.dataset.drawn !== drawn) {
      choice.dataset.drawn = drawn;
      choice.replaceChildren(...logs.map(([key, title]) => {
        const option = document.createElement("option");
        option.value = key;
        option.textContent = title;
        return option;
      }));
    }
    choice.value = model.get("chosen");
    choice.hidden = !logs.length;
    follow.hidden = !logs.length || model.get("over");
    const following = model.get("following");
    follow.textContent = following ? "Following" : "Held still";
    follow.setAttribute("aria-pressed", String(following));
    follow.title = following ? "Hold it still" : "Follow its end";
    note.textContent = model.get("whole") ? "" : "the last 64 kB";
    const yet = model.get("over") ? "" : " yet";
    const said = model.get("text") || (logs.length ? `It has written nothing${yet}.` : `No machine has written anything${yet}.`);
    if (text.textContent !== said) {
      const atEnd = text.scrollTop + text.clientHeight >= text.scrollHeight - 24;
      text.textContent = said;
      if (atEnd && following) text.scrollTop = text.scrollHeight;
    }
  }
  const watched = "change:logs change:chosen change:text change:whole change:following change:over";
  model.on(watched, draw);
  draw();
  return () => model.off(watched, draw);
}

export default { render };
