// Runs before first paint, so it is a classic script and does the least: which theme, and that scripts run.
(() => {
  const root = document.documentElement;
  let chosen = "auto";
  try {
    chosen = localStorage.getItem("theme") ?? "auto";
  } catch {
    // Storage may be forbidden; the system's preference then decides.
  }
  const dark = chosen === "dark" || (chosen !== "light" && matchMedia("(prefers-color-scheme: dark)").matches);
  root.dataset.bsTheme = dark ? "dark" : "light";
  root.dataset.themeChoice = ["light", "dark"].includes(chosen) ? chosen : "auto";
  root.classList.add("js");
})();
