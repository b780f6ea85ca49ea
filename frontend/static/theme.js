// Light or dark: the system's choice until the visitor makes another, which this browser remembers.

const KEY = "workbench-theme";
const CHOICES = ["auto", "light", "dark"];

export function theme() {
  try {
    const kept = localStorage.getItem(KEY);
    return CHOICES.includes(kept) ? kept : "auto";
  } catch {
    return "auto"; // storage is forbidden
  }
}

export function choose(choice) {
  document.documentElement.dataset.theme = choice;
  try {
    localStorage.setItem(KEY, choice);
  } catch {
    // it holds for this visit
  }
}

export const following = (choice) => CHOICES[(CHOICES.indexOf(choice) + 1) % CHOICES.length];

document.documentElement.dataset.theme = theme();
