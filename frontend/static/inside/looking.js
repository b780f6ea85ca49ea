// When to look inside: after the answer to a drawing, never before it, one look at a time and PACE apart. A pure function.

export const PACE = 150; // ms; the back end takes at most fifteen looks a second of a visitor
const PAUSE = 1500; // after one that was refused

export const start = { open: false, wanted: null, seen: null, flight: null, due: 0 };

/**
 * @param event {type: "opened"} | {type: "closed"} | {type: "answered", image} | {type: "came", ok} | {type: "woke"}
 * @returns {state, send?: image, wake?: ms}
 */
export function next(state, event, now) {
  return decide(apply(state, event, now), now);
}

function apply(state, event, now) {
  switch (event.type) {
    case "opened": return { ...state, open: true, seen: null };
    case "closed": return { ...state, open: false };
    case "answered": return { ...state, wanted: event.image };
    case "came": return {
      ...state,
      seen: event.ok ? state.flight : state.seen,
      flight: null,
      due: Math.max(state.due, event.ok ? 0 : now + PAUSE),
    };
    default: return state;
  }
}

function decide(state, now) {
  if (!state.open || state.flight !== null || state.wanted === null || state.wanted === state.seen) return { state };
  if (now < state.due) return { state, wake: state.due - now };
  return { state: { ...state, flight: state.wanted, due: now + PACE }, send: state.wanted };
}
