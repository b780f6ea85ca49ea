// What this tab's visitor gave and may take back: {digit, secret}, the latest last. A reload keeps it, a closed tab does not.

const KEPT = "workbench-given";
const MOST = 200;

/** Those that were saved as JSON; none if the text is not such a list. */
export function restored(text) {
  try {
    const given = JSON.parse(text);
    const sound = ({ digit, secret }) => Number.isInteger(digit) && typeof secret === "string" && secret !== "";
    return Array.isArray(given) ? given.filter(sound).slice(-MOST) : [];
  } catch {
    return [];
  }
}

export function load() {
  try {
    return restored(sessionStorage.getItem(KEPT) ?? "");
  } catch {
    return []; // storage is forbidden: what was given can be taken back as long as the page lasts
  }
}

export function save(given) {
  try {
    sessionStorage.setItem(KEPT, JSON.stringify(given.slice(-MOST)));
  } catch {
    // as above
  }
}

/** What is said of them, beside the button that takes the last one back. */
export function told(given) {
  if (!given.length) return "";
  const last = given.at(-1).digit;
  return given.length === 1 ? `You noted a ${last}.` : `You noted ${given.length} digits, the last one a ${last}.`;
}
