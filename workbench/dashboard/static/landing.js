// The state of the services and jobs; asked for again only while somebody looks.

const EVERY_MS = 3000;
/** On the way to being well; the last five are the first model's. */
const WAITING = new Set([
  "starting", "restarting", "preparing", "training", "evaluating", "exporting", "deploying",
]);

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

/** "restarting: ended with exit code 1"; a message that begins with the state's word needs it once. */
export const stated = ({ state, message }) =>
  message.startsWith(state) ? message : [state, message].filter(Boolean).join(": ");

const CLUSTER = "voila/render/deploy_cluster.ipynb";
const STEPS = ["draw", "inside", "train", "deploy", "again"];

/** The drawing page's cookies: {digit, sure, t, picture} of the last drawing or null, and when one looked inside or 0. */
export function visit(cookies) {
  const values = Object.fromEntries(cookies.split("; ").map((pair) => pair.split(/=(.*)/s).slice(0, 2)));
  const last = /^(\d)\.([01]\.\d+)\.(\d+)\.([A-Za-z0-9+/=]+)$/.exec(values.workbench_drawing ?? "");
  return {
    last: last && { digit: Number(last[1]), sure: Number(last[2]), t: Number(last[3]), picture: `data:image/png;base64,${last[4]}` },
    inside: Number(values.workbench_inside) || 0,
  };
}

/** Which steps of the first path are done; the first model came with `make up`, so the second version is one's own. */
export function done({ last, inside }, { serving, versions }) {
  const own = Boolean(serving) && serving.version > 1;
  const again = own && Boolean(last) && last.t * 1000 > Date.parse(serving.since);
  return { draw: Boolean(last), inside: inside > 0, train: versions > 1 || own, deploy: own, again };
}

/** The step that comes next; the last one when all are done. */
export const current = (ticks) => STEPS.find((step) => !ticks[step]) ?? STEPS.at(-1);

/** "mnist-cnn:2 answers: 99.24 % right on digits that it had never seen." */
export function told(serving) {
  if (!serving) return "";
  const share = serving.accuracy === null ? "" : `: ${(100 * serving.accuracy).toFixed(2)}\u00a0% right on examples that it had never seen`;
  return `${serving.name}:${serving.version} answers${share}.`;
}

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

function showPath(base, overview) {
  const seen = visit(document.cookie);
  const ticks = done(seen, overview);
  const next = current(ticks);
  for (const item of document.querySelectorAll("#path li")) {
    const { step } = item.dataset;
    item.classList.toggle("wb-done", ticks[step]);
    if (step === next) item.setAttribute("aria-current", "step");
    else item.removeAttribute("aria-current");
    const said = ticks[step] ? "Done. " : "";
    const hidden = item.querySelector(".wb-hidden") ?? item.querySelector("a").insertBefore(element("span", "wb-hidden", ""), item.querySelector("b"));
    if (hidden.textContent !== said) hidden.textContent = said;
  }
  if (!seen.last) return;
  const picture = element("img", "", "");
  Object.assign(picture, { src: seen.last.picture, width: 112, height: 112, alt: "Your last drawing, as the model saw it" });
  const words = element("span", "", "Your last drawing: ");
  words.append(element("b", "", String(seen.last.digit)), `, ${percent(seen.last.sure)} sure`);
  place(document.getElementById("last"), [picture, words]);
}

const percent = (share) => (share > 0.999 ? ">99.9\u00a0%" : `${(100 * share).toFixed(1)}\u00a0%`);

function going(base, { id, name, state, share }) {
  const line = element("li", "", "");
  const link = element("a", "", `Job ${id}, ${name}`);
  link.href = `${base}${CLUSTER}?job=${id}`;
  const words = share === null ? state : `${state}, ${Math.round(100 * share)} %`;
  line.append(link, element("span", "", words));
  return line;
}

function show(base, overview) {
  const { services, jobs, problem } = overview;
  showPath(base, overview);
  place(document.getElementById("serving"), [told(overview.serving)]);
  place(document.getElementById("going"), overview.going.map((job) => going(base, job)));
  const lines = services.map((service) => {
    const line = element("li", mood(service), "");
    const name = service.name[0].toUpperCase() + service.name.slice(1);
    line.append(element("b", "", name), element("span", "", stated(service)));
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
  if (answer.ok) return show(base, await answer.json());
  const out = answer.status === 403;
  const said = out
    ? banner("You are logged out", "Reload this page and log in again.", "error")
    : banner("The dashboard does not answer", "It may be starting again; this page goes on asking.", "error");
  place(document.getElementById("trouble"), [said]);
  for (const stale of ["jobs", "going", "services"]) place(document.getElementById(stale), []);
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
  show(base, JSON.parse(document.getElementById("overview").textContent));
  document.addEventListener("visibilitychange", again);
  timer = setTimeout(again, EVERY_MS);
}

const script = document.querySelector("script[data-base]");
if (script) begin(script.dataset.base);
