// What a writer is asked for and has given: pure functions, each giving a new state. A drawing that was given is
// {key, digit, image, state, secret, message}: it is being packed into a picture, waits, is kept (then it has the secret that
// takes it back), or was refused.

export const EACH = [1, 2, 3, 5, 10];
export const LONGEST_NAME = 40;
const SESSION_BYTES = 16;

export const nobody = { session: "", name: "", each: 3, order: [], given: [], unwanted: [], count: 0 };

/** Ten digits a round, each round in another order, and never the same one twice in a row. */
export function shuffled(each, random = Math.random) {
  const order = [];
  for (let round = 0; round < each; round++) {
    const digits = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9];
    for (let i = 9; i > 0; i--) {
      const j = Math.floor(random() * (i + 1));
      [digits[i], digits[j]] = [digits[j], digits[i]];
    }
    if (digits[0] === order.at(-1)) digits.push(digits.shift());
    order.push(...digits);
  }
  return order;
}

/** What names this writer's visit, and is told to nobody but the back end. */
export const session = () =>
  Array.from(crypto.getRandomValues(new Uint8Array(SESSION_BYTES)), (byte) => byte.toString(16).padStart(2, "0")).join("");

export const begun = (name, each, order, named) =>
  ({ ...nobody, session: named, name: name.trim().slice(0, LONGEST_NAME), each, order });

/** The digit that is asked for now; undefined once all were given. */
export const wanted = ({ order, given }) => order[given.length];

export const isDone = (state) => state.order.length > 0 && state.given.length >= state.order.length;

/** The state in which a drawing was given; its picture comes later, for the key `state.count`. */
export const give = (state) => ({
  ...state,
  count: state.count + 1,
  given: [
    ...state.given,
    { key: state.count, digit: wanted(state), image: "", state: "packing", secret: "", message: "" },
  ],
});

/** The state in which the drawing of this key has its picture, and waits to be sent. */
export const packed = (state, key, image) => ({
  ...state,
  given: state.given.map((one) => (one.key === key ? { ...one, image, state: "waiting" } : one)),
});

/** The state without one drawing. What the back end may have of it is unwanted: to be taken back. */
export function without(state, at) {
  const one = state.given[at];
  if (!one) return state;
  const mayBeThere = one.state !== "refused" && (one.secret !== "" || one.tried);
  return {
    ...state,
    order: state.order.filter((_, i) => i !== at),
    given: state.given.filter((_, i) => i !== at),
    unwanted: mayBeThere ? [...state.unwanted, one] : state.unwanted,
  };
}

/** The state without the last drawing, which is asked for again. */
export const back = (state) => ({ ...without(state, state.given.length - 1), order: state.order });

/** The state without any drawing: what was given is unwanted, nothing more is asked for. */
export function withoutAll(state) {
  let left = state;
  while (left.given.length) left = without(left, left.given.length - 1);
  return { ...left, order: [] };
}

/**
 * What is to be done next: take back what is unwanted, send what waits; null if nothing is. What is unwanted and has no
 * secret, since its answer was lost, is sent again: the answer to the same page has one.
 */
export function due({ given, unwanted }) {
  const secrets = unwanted.filter((one) => one.secret).map((one) => one.secret);
  if (secrets.length) return { what: "take back", secrets };
  const one = unwanted[0] ?? given.find((each) => each.state === "waiting");
  return one ? { what: "send", one } : null;
}

/** The state while one is being sent. */
export function sending(state, one) {
  const mark = (list) => list.map((each) => (each === one ? { ...each, sending: true, tried: true } : each));
  return { ...state, given: mark(state.given), unwanted: mark(state.unwanted) };
}

/** The state after the back end said what became of the one that was being sent. */
export function sent(state, outcome) {
  const change = {
    kept: { state: "kept", secret: outcome.secret ?? "" },
    refused: { state: "refused", message: outcome.message },
    unkept: { state: "refused", message: "this back end does not collect drawings" },
  }[outcome.kind] ?? {}; // else it waits, and is sent again
  const after = (list) => list.map((one) => (one.sending ? { ...one, ...change, sending: false } : one));
  const isLeft = (one) => one.state === "waiting" || one.secret !== "";
  return { ...state, given: after(state.given), unwanted: after(state.unwanted).filter(isLeft) };
}

/** The state after these were taken back, or turned out to be reviewed. */
export const takenBack = (state, secrets) =>
  ({ ...state, unwanted: state.unwanted.filter((one) => !secrets.includes(one.secret)) });

export function counts({ given }) {
  const many = (state) => given.filter((one) => one.state === state).length;
  return { kept: many("kept"), waiting: many("waiting") + many("packing"), refused: many("refused") };
}

/** The state that was saved as JSON; nobody's if the text is no such state. */
export function restored(text) {
  try {
    const kept = JSON.parse(text);
    const isDigit = (d) => Number.isInteger(d) && d >= 0 && d <= 9;
    const isGiven = (one) => isDigit(one.digit) && typeof one.image === "string" && typeof one.secret === "string";
    const sound =
      /^[0-9a-f]{32}$/.test(kept.session) && Number.isInteger(kept.count) && typeof kept.name === "string" && EACH.includes(kept.each) &&
      kept.order.every(isDigit) && kept.given.length <= kept.order.length &&
      kept.given.every(isGiven) && kept.unwanted.every(isGiven);
    const idle = (one) => ({ ...one, sending: false });
    const lost = kept.given.findIndex((one) => one.state === "packing"); // its picture was never made: it is asked for again
    const given = lost < 0 ? kept.given : kept.given.slice(0, lost);
    return sound ? { ...kept, given: given.map(idle), unwanted: kept.unwanted.map(idle) } : nobody;
  } catch {
    return nobody;
  }
}

/** "2 minutes": how long so many digits take, at four seconds each. */
export function effort(count) {
  const minutes = Math.max(1, Math.round((count * 4) / 60));
  return `${count} digits, about ${minutes === 1 ? "a minute" : `${minutes} minutes`}`;
}

/** What became of the drawings so far: "12 kept, 2 on their way". */
export function told(state, link) {
  const { kept, waiting, refused } = counts(state);
  const words = [kept || !waiting ? `${kept} kept` : ""];
  if (waiting) words.push(link === "ready" ? `${waiting} on the way` : `${waiting} to be sent`);
  if (refused) words.push(`${refused} not taken`);
  const why = { away: "The back end is away; they are sent when it is back.", limited: "A short pause; it goes on by itself." };
  return `${words.filter(Boolean).join(", ")}.${waiting && why[link] ? ` ${why[link]}` : ""}`;
}
