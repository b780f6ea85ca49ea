// What is said of an answer that is no one digit: pure words, which the drawing page and the tutorial's box share.

/** The digits that a drawing's pieces were read as, from left to right; none where it was read as one. */
export const pieces = ({ doubt: found, parts }) =>
  found?.kind === "several" ? (parts ?? []).map(({ digit }) => digit) : [];

/** What speaks against taking the answer as one digit: "Two digits? 4 and 2"; "" where nothing does. */
export function doubt(answer) {
  if (answer.doubt?.kind === "no_digit") return "I don't see a digit";
  if (answer.doubt?.kind !== "several") return "";
  const digits = pieces(answer);
  const count = { 2: "Two", 3: "Three", 4: "Four", 5: "Five", 6: "Six" }[digits.length];
  return count ? `${count} digits? ${digits.slice(0, -1).join(", ")} and ${digits.at(-1)}` : "Several digits?";
}

/** What stands before the guess that a doubted answer has all the same. */
export const guess = (answer) => (answer.doubt?.kind === "no_digit" ? "If it is one:" : "As one digit:");

/** The words on the button that takes the pieces for what they are; "" where there are none to take. */
export function offer(answer) {
  const digits = pieces(answer);
  return digits.length > 1 ? `Read ${digits.join("")}` : "";
}
