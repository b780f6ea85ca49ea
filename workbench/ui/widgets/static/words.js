// Figures and times as people read them; put before the modules of the widgets that need it.

/** 0.4 → "less than a second", 36 → "36 s", 95 → "1 min 35 s", 7260 → "2 h 1 min". */
export function duration(seconds) {
  if (!Number.isFinite(seconds)) return "–";
  if (seconds < 1) return seconds > 0 ? "under 1 s" : "–";
  const whole = Math.round(seconds);
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${whole % 60} s`;
  if (whole < 86400) return `${Math.floor(whole / 3600)} h ${Math.floor((whole % 3600) / 60)} min`;
  return `${Math.floor(whole / 86400)} d ${Math.floor((whole % 86400) / 3600)} h`;
}

/** How long ago a time in seconds since 1970 was, in one unit. */
export function ago(t, now = Date.now() / 1000) {
  const past = now - t;
  if (!Number.isFinite(past)) return "–";
  if (past < 5) return "just now";
  if (past < 60) return `${Math.floor(past)} s ago`;
  if (past < 3600) return `${Math.floor(past / 60)} min ago`;
  if (past < 86400) return `${Math.floor(past / 3600)} h ago`;
  if (past < 30 * 86400) return `${Math.floor(past / 86400)} d ago`;
  return exact(t).slice(0, 10);
}

/** The time itself: "2026-11-22 14:05:09", as the visitor's clock has it. */
export function exact(t) {
  if (!Number.isFinite(t)) return "";
  const local = new Date(t * 1000 - new Date(t * 1000).getTimezoneOffset() * 60000);
  return local.toISOString().slice(0, 19).replace("T", " ");
}

/** 0.9931 → "99.31 %". */
export function share(value) {
  return Number.isFinite(value) ? `${(value * 100).toFixed(2)} %` : "–";
}

/** A text or HTML in which no line ends between a figure and its "%". */
export function unbroken(text) {
  return text.replace(/(\d) %/g, "$1\u00a0%");
}

/** US dollars; nothing to pay is said in words. */
export function money(value) {
  if (!Number.isFinite(value)) return "–";
  return value === 0 ? "free" : `$${value < 0.1 ? value.toFixed(3) : value.toFixed(2)}`;
}
