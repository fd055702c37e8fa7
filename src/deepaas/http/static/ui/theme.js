// Light or dark theme: the system's setting, unless the user has chosen one.

const KEY = "deepaas-theme";

/** Apply the theme that the user has chosen, if any. */
export function applyTheme() {
  const chosen = localStorage.getItem(KEY);
  if (chosen) document.documentElement.dataset.theme = chosen;
}

/** Check whether the dark theme is active. */
export function isDark() {
  const chosen = document.documentElement.dataset.theme;
  return chosen ? chosen === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
}

/** Toggle the theme and store the choice. */
export function switchTheme() {
  const theme = isDark() ? "light" : "dark";
  document.documentElement.dataset.theme = theme;
  localStorage.setItem(KEY, theme);
  dispatchEvent(new Event("deepaas-theme"));
}

/** Call `listener` whenever the theme changes, until `signal` is aborted. */
export function onThemeChange(listener, signal) {
  addEventListener("deepaas-theme", listener, { signal });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", listener, { signal });
}
