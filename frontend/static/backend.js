// The back end's routes, and what its answers mean. Every request ends in an outcome; none throws.

import { backend } from "./config.js";
import { TIMEOUT } from "./asking.js";

const url = (route) => new URL(`${backend.replace(/\/+$/, "")}/${route}`, document.baseURI);

/** While it waits for a model that is told with status 200 if one asks so: a browser writes a line for each other one. */
export const readyz = () => get("readyz?waiting=200", readiness);
export const models = () => get("models", deployed);
export const predict = (image) => post("predict", { image }, prediction);
export const inside = (image) => post("inside", { image }, looked);
export const layers = () => get("inside", looked);
export const film = (after) => get(`inside?film=${after}`, filmed);
export const correct = (image, predicted, digit) => post("corrections", { image, predicted, digit }, correction);
export const collect = (image, digit, { session, writer }) =>
  post("corrections", { image, digit, kind: "collected", session, writer }, correction);
export const takeBack = (secrets) => post("corrections", { take_back: secrets }, takenBack);

const get = (route, meaning) => ask(route, {}, meaning);
const post = (route, body, meaning) =>
  ask(route, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) }, meaning);

async function ask(route, options, meaning) {
  try {
    const response = await fetch(url(route), {
      ...options,
      headers: { Accept: "application/json", ...options.headers },
      cache: "no-store",
      credentials: "omit",
      referrerPolicy: "no-referrer",
      signal: AbortSignal.timeout(TIMEOUT),
    });
    const text = await response.text();
    return meaning(response.status, parsed(text), response.headers.get("Retry-After"));
  } catch {
    return away(); // no network, no server, no answer in time
  }
}

function parsed(text) {
  try {
    return Object(JSON.parse(text));
  } catch {
    return {};
  }
}

const away = () => ({ kind: "away", luck: Math.random() });

export function readiness(status, body) {
  if (body.state === "leaving") return away();
  if ((status === 200 || status === 503) && typeof body.state === "string" && body.state !== "ready") {
    return { kind: "waiting", progress: body };
  }
  return status === 200 ? { kind: "ready" } : away();
}

export function deployed(status, body) {
  const named = (body.models ?? []).find?.(({ name }) => name === body.predict);
  return { kind: "models", model: status === 200 && named ? { name: named.name, version: named.version } : null };
}

export function prediction(status, body, retryAfter) {
  if (status === 200 && isAnswer(body)) {
    return { kind: "answer", answer: body, model: body.model ? { name: body.model, version: body.version } : undefined };
  }
  if (status === 200 && "digit" in body) return { kind: "refused", message: "Its answer is not about one of ten digits." };
  if (status === 429) return { kind: "limited", pause: pause(retryAfter) };
  if (status === 503) return busy(body, retryAfter) ?? { kind: "unready" };
  return refusal(status, body) ?? away();
}

/** It has a model, and more to do than it can; without one /readyz knows what is under way. */
function busy(body, retryAfter) {
  const wait = pause(retryAfter);
  return wait && body.error?.code !== "no_model" ? { kind: "limited", pause: wait } : null;
}

/** What is inside: the layers, or why there is nothing to be seen. */
export function looked(status, body, retryAfter) {
  if (status === 200 && Array.isArray(body.layers)) return { kind: "inside", told: body };
  if (status === 429) return { kind: "limited", pause: pause(retryAfter) };
  return status === 503 ? away() : refusal(status, body) ?? away();
}

/** Frames of the first model's film of learning. */
export function filmed(status, body) {
  return status === 200 && Array.isArray(body.frames) ? { kind: "film", told: body } : { kind: "none" };
}

function isAnswer({ digit, probabilities }) {
  if (digit === null) return true;
  const ten = Array.isArray(probabilities) && probabilities.length === 10 && probabilities.every(Number.isFinite);
  return ten && Number.isInteger(digit) && digit >= 0 && digit <= 9;
}

export function correction(status, body, retryAfter) {
  if (status >= 200 && status < 300) {
    return { kind: "kept", secret: typeof body.secret === "string" ? body.secret : "" };
  }
  if (status === 501 || status === 404) return { kind: "unkept" };
  if (status === 429) return { kind: "limited", pause: pause(retryAfter) };
  return refusal(status, body) ?? away();
}

/** What was taken back is gone; so is what nobody knows any more. */
export function takenBack(status) {
  if ((status >= 200 && status < 300) || status === 404) return { kind: "taken" };
  return status === 409 ? { kind: "reviewed" } : { kind: "stuck" };
}

/** An error that asking again will not mend, a full disk (507) too; the gateway's 502 to 504 mean that the back end is away. */
function refusal(status, body) {
  const told = typeof body.error?.message === "string" ? body.error.message : "";
  const refused = (status >= 400 && status < 500) || [500, 501, 507].includes(status);
  return refused ? { kind: "refused", message: told || `It answered with status ${status}.` } : null;
}

/** Retry-After in ms, at least a second and at most a minute. */
function pause(retryAfter) {
  const seconds = Number.parseFloat(retryAfter);
  return Number.isFinite(seconds) ? 1000 * Math.min(60, Math.max(1, seconds)) : undefined;
}
