// Light or dark: as the system has it, until the reader chooses.

const KEY = "deepaas-theme";

/** Put the reader's choice, if there is one, on the page. */
export function applyTheme() {
  const chosen = localStorage.getItem(KEY);
  if (chosen) document.documentElement.dataset.theme = chosen;
}

/** Say whether the page is dark now. */
export function isDark() {
  const chosen = document.documentElement.dataset.theme;
  return chosen ? chosen === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
}

/** Change from light to dark, or back, and remember it. */
export function switchTheme() {
  const theme = isDark() ? "light" : "dark";
  document.documentElement.dataset.theme = theme;
  localStorage.setItem(KEY, theme);
  dispatchEvent(new Event("deepaas-theme"));
}

/** Call `redraw` whenever light becomes dark or the other way round, until `signal` is aborted. */
export function onTheme(redraw, signal) {
  addEventListener("deepaas-theme", redraw, { signal });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw, { signal });
}
