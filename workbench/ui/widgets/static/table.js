// A table of which only the rows in sight are here; the kernel sorts, narrows down and sends them.

const ROW = 42;
const CARD = 92;
const OVERSCAN = 10;
const NARROW = 620;

/** Which rows to ask for, so that what is in sight and a little around it is there. */
export function windowOf(top, height, row, total) {
  const first = Math.max(0, Math.floor(top / row) - OVERSCAN);
  const last = Math.min(total, Math.ceil((top + height) / row) + OVERSCAN);
  return { first, count: Math.max(2 * OVERSCAN, last - first) };
}

/** The highest priority that a table of this width has room for. */
export function room(width) {
  if (width < NARROW) return 3;
  return width < 780 ? 2 : width < 960 ? 3 : 9;
}

/** What a cell says, as text. */
export function words(value, kind) {
  if (value === null || value === undefined || value === "") return kind === "text" ? "" : "–";
  if (kind === "share") return share(value);
  if (kind === "duration") return duration(value);
  if (kind === "money") return money(value);
  if (kind === "time") return ago(value);
  if (kind === "number") return Number(value).toLocaleString("en");
  return String(value);
}

function element(name, className, text) {
  const node = document.createElement(name);
  if (className) node.className = className;
  if (text !== undefined) node.textContent = text;
  return node;
}

function fill(cell, value, kind) {
  const was = JSON.stringify(value ?? null);
  if (cell.dataset.value === was && kind !== "time") return;
  cell.dataset.value = was;
  if (kind === "state" && value) {
    const badge = element("span", "wb-badge", value);
    badge.dataset.state = value;
    cell.replaceChildren(badge);
  } else if (kind === "progress") {
    const [done, said] = Array.isArray(value) ? value : [value, ""];
    const bar = element("span", "wb-meter");
    const inner = element("i");
    const known = Number.isFinite(done);
    inner.style.width = `${known ? Math.min(1, Math.max(0, done)) * 100 : 0}%`;
    bar.append(inner);
    const text = said || (known ? `${Math.floor(done * 100)} %` : "–");
    cell.replaceChildren(...(known ? [bar] : []), element("span", "wb-meter-text", text));
  } else {
    cell.textContent = words(value, kind);
    if (kind === "time" && Number.isFinite(value)) cell.title = exact(value);
  }
}

function render({ model, el }) {
  el.classList.add("wb", "wb-table");
  const columns = model.get("columns");
  const selectable = model.get("selectable");
  const openable = model.get("openable");
  let active = -1; // the row that the arrows have reached, counted from the first of all
  let narrow = false;

  // Tools: text, choices, sorting on phones, and how many there are.
  const tools = element("div", "wb-table-tools");
  const search = element("input");
  search.type = "search";
  search.placeholder = "Filter";
  search.setAttribute("aria-label", `Filter ${model.get("label")}`);
  const choices = element("div", "wb-chips");
  const sorting = element("select", "wb-table-sort");
  sorting.setAttribute("aria-label", "Sort by");
  for (const column of columns.filter((c) => c.sortable)) {
    for (const [down, arrow] of [[false, "↑"], [true, "↓"]]) {
      const option = element("option", "", `${column.title} ${arrow}`);
      option.value = `${column.key} ${down}`;
      sorting.append(option);
    }
  }
  const count = element("span", "wb-table-count");
  count.setAttribute("role", "status");
  tools.append(search, choices, sorting, count);

  const scroller = element("div", "wb-table-scroll");
  const table = element("table");
  table.setAttribute("role", "grid");
  table.setAttribute("aria-label", model.get("label"));
  const head = element("tr");
  const heads = new Map();
  if (selectable) {
    const corner = element("th", "wb-cell-select");
    corner.append(element("span", "wb-hidden", "Compare"));
    head.append(corner);
  }
  for (const column of columns) {
    const th = element("th", `wb-kind-${column.kind}`);
    th.scope = "col";
    th.dataset.priority = column.priority;
    if (column.sortable) {
      const button = element("button", "", column.title);
      button.type = "button";
      button.addEventListener("click", () => sort(column));
      th.append(button);
    } else th.textContent = column.title;
    heads.set(column.key, th);
    head.append(th);
  }
  const thead = element("thead");
  thead.append(head);
  const body = element("tbody");
  const above = element("tr", "wb-room");
  const below = element("tr", "wb-room");
  for (const pad of [above, below]) {
    pad.setAttribute("aria-hidden", "true");
    pad.append(element("td"));
    pad.firstChild.colSpan = columns.length + (selectable ? 1 : 0);
  }
  table.append(thead, body);
  scroller.append(table);
  const note = element("div", "wb-table-note");
  el.append(tools, scroller, note);

  const query = () => model.get("query");
  function ask(change) {
    const next = { ...query(), ...change };
    if (JSON.stringify(next) === JSON.stringify(query())) return;
    model.set("query", next);
    model.save_changes();
  }
  function anew(change) {
    active = -1;
    scroller.scrollTop = 0;
    ask({ ...change, first: 0 });
  }
  function sort(column) {
    const same = query().sort === column.key;
    const numbers = !["text", "state"].includes(column.kind);
    anew({ sort: column.key, descending: same ? !query().descending : numbers });
  }
  sorting.addEventListener("change", () => {
    const [key, down] = sorting.value.split(" ");
    anew({ sort: key, descending: down === "true" });
  });
  let typing = 0;
  search.addEventListener("input", () => {
    clearTimeout(typing);
    typing = setTimeout(() => anew({ text: search.value }), 200);
  });

  function choose(facet, value) {
    const now = query().facets?.[facet.key] ?? [];
    let next = now.includes(value) ? now.filter((v) => v !== value) : [...now, value];
    if (facet.menu) next = value ? [value] : [];
    anew({ facets: { ...query().facets, [facet.key]: next } });
  }
  function drawChoices() {
    const offered = model.get("page")?.facets ?? {};
    const drawn = JSON.stringify([offered, query().facets]);
    if (choices.dataset.drawn === drawn) return;
    const focused = choices.contains(document.activeElement) ? document.activeElement.dataset.choice : null;
    choices.dataset.drawn = drawn;
    choices.replaceChildren();
    for (const facet of model.get("offered")) {
      const chosen = query().facets?.[facet.key] ?? [];
      const known = offered[facet.key] ?? [];
      const there = [...known, ...chosen.filter((v) => !known.some(([k]) => k === v)).map((v) => [v, 0])];
      if (facet.menu) {
        if (there.length < 2 && !chosen.length) continue;
        const menu = element("select");
        menu.setAttribute("aria-label", facet.title);
        menu.dataset.choice = facet.key;
        const all = element("option", "", facet.title);
        all.value = "";
        menu.append(all);
        for (const [value, n] of there) {
          const option = element("option", "", `${value} (${n})`);
          option.value = value;
          option.selected = chosen.includes(value);
          menu.append(option);
        }
        menu.addEventListener("change", () => choose(facet, menu.value));
        choices.append(menu);
        continue;
      }
      for (const [value, n] of there) {
        const chip = element("button", "wb-chip");
        chip.type = "button";
        chip.dataset.state = value;
        chip.dataset.choice = `${facet.key} ${value}`;
        chip.setAttribute("aria-pressed", String(chosen.includes(value)));
        chip.append(element("span", "", value), element("small", "", n.toLocaleString("en")));
        chip.addEventListener("click", () => choose(facet, value));
        choices.append(chip);
      }
    }
    if (focused) [...choices.children].find((c) => c.dataset.choice === focused)?.focus();
  }

  // Rows: one <tr> a key, changed where it stands, so that focus and scrolling stay.
  const shown = new Map();
  const open = (key) => {
    if (!openable) return;
    model.set("opened", model.get("opened") === key ? null : key);
    model.save_changes();
  };
  const toggle = (key) => {
    const now = model.get("selected");
    model.set("selected", now.includes(key) ? now.filter((k) => k !== key) : [...now, key]);
    model.save_changes();
  };
  const named = columns.find((column) => column.kind === "text"); // the one cell of a card that needs no name of its column
  function makeRow(key) {
    const tr = element("tr", "wb-row");
    tr.dataset.key = key;
    if (selectable) {
      const cell = element("td", "wb-cell-select");
      const box = element("input");
      box.type = "checkbox";
      box.tabIndex = -1;
      box.setAttribute("aria-label", `Compare ${key}`);
      box.addEventListener("change", () => toggle(key));
      cell.addEventListener("click", (event) => event.stopPropagation());
      cell.append(box);
      tr.append(cell);
    }
    for (const column of columns) {
      const td = element("td", `wb-kind-${column.kind}`);
      td.classList.toggle("wb-cell-name", column === named);
      td.dataset.priority = column.priority;
      td.dataset.label = column.title;
      td.dataset.column = column.key;
      tr.append(td);
    }
    tr.addEventListener("click", () => { if (!String(getSelection())) open(key); });
    return tr;
  }
  function draw() {
    const page = model.get("page");
    const asked = query();
    for (const [key, th] of heads) {
      th.setAttribute("aria-sort", asked.sort !== key ? "none" : asked.descending ? "descending" : "ascending");
    }
    sorting.value = `${asked.sort} ${asked.descending}`;
    drawChoices();
    const narrowed = Boolean(asked.text) || Object.values(asked.facets ?? {}).some((v) => v.length);
    const total = page?.total ?? 0;
    count.textContent = page ? `${total.toLocaleString("en")}${narrowed ? " found" : " in all"}` : "";
    const problem = model.get("problem");
    const bare = page && !total && !narrowed && !problem;
    tools.hidden = Boolean(bare) || !page;
    scroller.hidden = !total;
    note.hidden = Boolean(total) && !problem;
    if (problem) {
      note.replaceChildren(element("div", "wb-banner wb-error"));
      note.firstChild.setAttribute("role", "alert");
      note.firstChild.append(element("strong", "", "The list could not be read"), element("div", "", problem));
    } else if (!page) {
      note.innerHTML = '<div class="wb-waiting" role="status"><span class="wb-working">Loading …</span></div>';
    } else if (bare) note.innerHTML = model.get("empty");
    else if (!total) {
      const clear = element("button", "wb-link", "Show all");
      clear.type = "button";
      clear.addEventListener("click", () => { search.value = ""; anew({ text: "", facets: {} }); });
      note.replaceChildren(element("div", "wb-waiting", "Nothing matches. "));
      note.firstChild.append(clear);
    }
    table.setAttribute("aria-rowcount", String(total + 1));

    const row = narrow ? CARD : ROW;
    const rows = page?.rows ?? [];
    const first = page?.first ?? 0;
    above.firstChild.style.height = `${first * row}px`;
    below.firstChild.style.height = `${Math.max(0, total - first - rows.length) * row}px`;
    const keys = new Set(rows.map((r) => r.key));
    for (const [key, tr] of shown) if (!keys.has(key)) { tr.remove(); shown.delete(key); }
    const selected = new Set(model.get("selected"));
    const at = active < 0 ? first : active;
    const order = rows.map((values, i) => {
      const tr = shown.get(values.key) ?? makeRow(values.key);
      shown.set(values.key, tr);
      tr.setAttribute("aria-rowindex", String(first + i + 2));
      tr.dataset.index = String(first + i);
      tr.tabIndex = first + i === at ? 0 : -1;
      tr.setAttribute("aria-selected", String(model.get("opened") === values.key));
      tr.title = values.note ?? "";
      for (const td of tr.querySelectorAll("td[data-column]")) {
        fill(td, values[td.dataset.column], columns.find((c) => c.key === td.dataset.column).kind);
      }
      const box = tr.querySelector("input[type=checkbox]");
      if (box) box.checked = selected.has(values.key);
      return tr;
    });
    // Only what is out of place is moved: moving takes the focus away.
    let next = body.firstChild;
    for (const node of [above, ...order, below]) {
      if (node === next) next = next.nextSibling;
      else body.insertBefore(node, next);
    }
    while (next) { const gone = next; next = next.nextSibling; gone.remove(); }
  }

  function look() {
    const total = model.get("page")?.total ?? 0;
    const page = model.get("page");
    const row = narrow ? CARD : ROW;
    const first = Math.floor(scroller.scrollTop / row);
    const last = Math.min(total, Math.ceil((scroller.scrollTop + scroller.clientHeight) / row));
    if (page && first >= page.first && last <= page.first + page.rows.length) return;
    ask(windowOf(scroller.scrollTop, scroller.clientHeight || 480, row, total));
  }
  let looking = 0;
  scroller.addEventListener("scroll", () => {
    if (!looking) looking = setTimeout(() => { looking = 0; look(); }, 60);
  });

  function goTo(index) {
    const total = model.get("page")?.total ?? 0;
    active = Math.min(total - 1, Math.max(0, index));
    const row = narrow ? CARD : ROW;
    const top = active * row;
    const headHeight = thead.offsetHeight;
    if (top < scroller.scrollTop) scroller.scrollTop = top;
    else if (top + row > scroller.scrollTop + scroller.clientHeight - headHeight) {
      scroller.scrollTop = top + row - scroller.clientHeight + headHeight;
    }
    draw();
    body.querySelector(`tr[data-index="${active}"]`)?.focus({ preventScroll: true });
  }
  body.addEventListener("keydown", (event) => {
    const tr = event.target.closest("tr.wb-row");
    if (!tr) return;
    const index = Number(tr.dataset.index);
    const page = Math.max(1, Math.floor(scroller.clientHeight / (narrow ? CARD : ROW)) - 2);
    const to = {
      ArrowDown: index + 1, ArrowUp: index - 1, Home: 0, End: Infinity, PageDown: index + page, PageUp: index - page,
    }[event.key];
    const row = model.get("page").rows.find((r) => String(r.key) === tr.dataset.key);
    if (to !== undefined) goTo(Math.min(to, 1e9));
    else if (event.key === "Enter" && event.target === tr) open(row.key);
    else if (event.key === " " && selectable && event.target === tr) toggle(row.key);
    else return;
    event.preventDefault();
    event.stopPropagation();
  });
  body.addEventListener("focusin", (event) => {
    const tr = event.target.closest("tr.wb-row");
    if (tr) active = Number(tr.dataset.index);
  });
  // JupyterLab's own keys must not act on the cell meanwhile.
  el.dataset.lmSuppressShortcuts = "true";

  const observer = new ResizeObserver(([entry]) => {
    const width = entry.contentRect.width;
    if (!width) return;
    narrow = width < NARROW;
    el.dataset.narrow = String(narrow);
    const most = room(width);
    for (let p = 1; p < 10; p += 1) el.toggleAttribute(`data-hide-${p}`, p > most);
    draw();
    look();
  });
  observer.observe(el);
  const watched = "change:page change:query change:problem change:selected change:opened";
  model.on(watched, draw);
  const clock = setInterval(() => { if (columns.some((c) => c.kind === "time")) draw(); }, 10000);
  draw();
  return () => {
    observer.disconnect();
    clearInterval(clock);
    clearTimeout(looking);
    clearTimeout(typing);
    model.off(watched, draw);
  };
}

export default { render };
