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

/** Let a button go from one choice to the next and its label say which holds; `repaint` is called with each. */
export function attach(button, label, repaint) {
  const show = () => {
    const choice = document.documentElement.dataset.theme;
    button.title = `Colours: ${choice === "auto" ? "as the system" : choice}`;
    button.setAttribute("aria-label", button.title);
    label.textContent = { auto: "System", light: "Light", dark: "Dark" }[choice];
    repaint();
  };
  button.addEventListener("click", () => {
    choose(following(document.documentElement.dataset.theme));
    show();
  });
  show();
}

document.documentElement.dataset.theme = theme();
