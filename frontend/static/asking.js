// What to ask the back end, and when: decided here, done in app.js. `next` is a pure function from the state,
// an event and the time (ms) to the state after it and what to do now. The rules:
//
// - One request at a time. While the pen moves the latest drawing is asked about, PACE apart.
// - An answer about a drawing that has been cleared or undone meanwhile is dropped.
// - While the back end has no model, or is away, or asks for a pause, only /readyz is asked, at growing
//   intervals; the drawing is asked about by itself once that succeeds.
// - A page that nobody sees asks nothing (app.js): it goes on when it is seen again.

export const PACE = 125;
export const SLOW = 1500;
export const TIMEOUT = 10_000;
const POLL = 1000;
const BACKOFF = [500, 1000, 2000, 4000, 8000, 15_000];
const PAUSE = 2000;

export const start = {
  link: "unknown", // unknown | ready | waiting | away | limited
  progress: null, // while waiting: what /readyz says is under way
  model: null, // {name, version} of the model that answers
  revision: 0, // counts the changes of the drawing
  since: 0, // answers about earlier revisions are about another drawing
  inked: false,
  wanted: false, // the present revision is to be asked about
  flight: null, // the request under way: {what, revision, at}
  slow: false, // it has been under way for long
  due: 0, // no request before this time
  pause: 0, // no drawing before this time, though /readyz may be asked
  tries: 0, // times that /readyz was asked in vain, one after the other
  vain: 0, // times that a drawing was
  answer: null,
  problem: null, // why the last drawing got none
};

export function next(state, event, now) {
  return decide(apply(state, event, now), now);
}

function apply(state, event, now) {
  switch (event.type) {
    case "drew": // {inked, another}: the drawing changed, perhaps into another one
      return {
        ...state,
        revision: state.revision + 1,
        since: event.another ? state.revision + 1 : state.since,
        inked: event.inked,
        wanted: event.inked,
        answer: event.inked ? state.answer : null,
        problem: event.another || !event.inked ? null : state.problem,
      };
    case "pressed": // Predict, or Try now
      return { ...state, wanted: state.inked, problem: null, due: state.link === "limited" ? state.due : now };
    case "nudged": // the network, or the visitor, is back
      return state.link === "away" || state.link === "waiting" ? { ...state, due: now } : state;
    case "came":
      return arrived({ ...state, flight: null, slow: false }, state.flight, event.outcome, now);
    default: // "woke"
      return state;
  }
}

function arrived(state, flight, outcome, now) {
  switch (outcome.kind) {
    case "answer": {
      const known = { ...state, link: "ready", tries: 0, vain: 0, model: outcome.model ?? state.model };
      const late = flight.revision < state.since;
      return late ? known : { ...known, problem: null, answer: { ...outcome.answer, ms: now - flight.at } };
    }
    case "refused": {
      const known = { ...state, link: "ready", tries: 0, vain: 0 };
      return flight.revision < state.since ? known : { ...known, problem: outcome.message };
    }
    case "ready":
      return { ...state, link: "ready", progress: null, tries: 0, due: Math.max(now, state.pause), wanted: state.inked };
    case "models":
      return { ...state, model: outcome.model ?? { name: null } };
    case "waiting":
      return { ...again(state), link: "waiting", progress: outcome.progress, tries: 0, vain: 0, due: now + POLL };
    case "limited":
      return {
        ...again(state),
        link: "limited",
        vain: state.vain + 1,
        due: now + Math.max(outcome.pause ?? PAUSE, state.vain ? backoff(state.vain, outcome) : 0),
      };
    case "unready": // /readyz knows what is under way
      return { ...failed(state, outcome, now), link: "unknown", due: now };
    default: // away
      if (flight.what === "models") return { ...state, model: { name: null } };
      return {
        ...(flight.what === "predict" ? failed(state, outcome, now) : again(state)),
        link: "away",
        tries: state.tries + 1,
        due: now + backoff(state.tries, outcome),
      };
  }
}

/** Whether an answer about the drawing as it is, or was a moment ago, is still to come. */
export const isAsking = ({ link, wanted, flight }) => link === "ready" && (wanted || flight?.what === "predict");

const again = (state) => ({ ...state, wanted: state.inked });

/** What says it is ready and yet does not answer is asked at growing intervals too. */
const failed = (state, outcome, now) => ({
  ...again(state),
  vain: state.vain + 1,
  pause: state.vain ? now + backoff(state.vain, outcome) : 0,
});

/** Longer each time, and not the same for everyone who waits. */
const backoff = (tries, { luck = 0.5 }) => BACKOFF[Math.min(tries, BACKOFF.length - 1)] * (0.75 + 0.5 * luck);

/** What to send now, if anything, and after how many ms to look again. */
function decide(state, now) {
  if (state.flight) {
    const left = state.flight.at + SLOW - now;
    return left > 0 ? { state, wake: left } : { state: { ...state, slow: true } };
  }
  if (state.link === "limited" && now >= state.due) state = { ...state, link: "ready" };
  const what = wish(state);
  if (!what) return { state };
  if (now < state.due) return { state, wake: state.due - now };
  const flight = { what, revision: state.revision, at: now };
  const wanted = what === "predict" ? false : state.wanted;
  const due = what === "predict" ? now + PACE : state.due;
  return { state: { ...state, flight, wanted, due }, send: what, wake: SLOW };
}

function wish(state) {
  if (state.link !== "ready" && state.link !== "limited") return "readyz";
  if (state.wanted) return "predict";
  return state.model ? null : "models";
}
