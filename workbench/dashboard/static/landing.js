// The state of the services and jobs; asked for again only while somebody looks.

const EVERY_MS = 3000;
const WAITING = new Set(["starting", "restarting", "training"]);

/** "2 jobs run, 1 waits for its turn", and what is said where there is none. */
export function counted({ queued, running }) {
  if (!queued && !running) return "No job runs or waits.";
  const many = (count, one, several) => (count === 1 ? `1 ${one}` : `${count} ${several}`);
  if (!running) return `${many(queued, "job waits for its turn", "jobs wait for their turn")}.`;
  const waiting = queued ? `, ${many(queued, "waits for its turn", "wait for their turn")}` : "";
  return `${many(running, "job runs", "jobs run")}${waiting}.`;
}

/** How a service does: `wb-well`, `wb-busy` or `wb-ill`. */
export const mood = ({ well, state }) => (well ? "wb-well" : WAITING.has(state) ? "wb-busy" : "wb-ill");

function element(name, className, text) {
  const node = document.createElement(name);
  node.className = className;
  node.textContent = text;
  return node;
}

function banner(title, text, kind = "note") {
  const box = element("div", `wb-banner wb-${kind}`, "");
  box.append(element("strong", "", title), element("div", "", text));
  return box;
}

function show({ services, jobs, problem }) {
  const lines = services.map((service) => {
    const line = element("li", mood(service), "");
    const told = [service.state, service.message].filter(Boolean).join(": ");
    const name = service.name[0].toUpperCase() + service.name.slice(1);
    line.append(element("b", "", name), element("span", "", told));
    return line;
  });
  if (!lines.length) lines.push(element("li", "", "Nobody watches the services: “workbench up” is not running."));
  place(document.getElementById("services"), lines);
  place(document.getElementById("jobs"), jobs ? [counted(jobs)] : []);
  place(document.getElementById("trouble"), problem ? [banner("Jobs cannot be counted", problem, "error")] : []);
}

/** Changes the page only where something changed, so that a screen reader says nothing twice. */
function place(node, children) {
  const next = node.cloneNode(false);
  next.append(...children);
  if (next.innerHTML !== node.innerHTML) node.replaceChildren(...next.childNodes);
}

async function ask(base) {
  let answer;
  try {
    answer = await fetch(`${base}workbench/overview`, { cache: "no-store" });
  } catch {
    answer = { ok: false, status: 0 };
  }
  if (answer.ok) return show(await answer.json());
  const out = answer.status === 403;
  const said = out
    ? banner("You are logged out", "Reload this page and log in again.", "error")
    : banner("The dashboard does not answer", "It may be starting again; this page goes on asking.", "error");
  place(document.getElementById("trouble"), [said]);
}

function begin(base) {
  let timer = 0;
  const again = async () => {
    clearTimeout(timer);
    if (document.visibilityState !== "visible") return;
    await ask(base);
    clearTimeout(timer);
    timer = setTimeout(again, EVERY_MS);
  };
  show(JSON.parse(document.getElementById("overview").textContent));
  document.addEventListener("visibilitychange", again);
  timer = setTimeout(again, EVERY_MS);
}

const script = document.querySelector("script[data-base]");
if (script) begin(script.dataset.base);
