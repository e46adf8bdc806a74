/** The person's choice of theme: light, dark, or what the system prefers. */

const system = matchMedia("(prefers-color-scheme: dark)");

/** @returns {"light" | "dark" | "auto"} */
function choice() {
  return /** @type {"light" | "dark" | "auto"} */ (document.documentElement.dataset.themeChoice ?? "auto");
}

/** Puts the theme on the page and tells whoever draws with its colours (`themechange` on the document). */
function apply() {
  const root = document.documentElement;
  const dark = choice() === "dark" || (choice() === "auto" && system.matches);
  root.dataset.bsTheme = dark ? "dark" : "light";
  for (const button of document.querySelectorAll("[data-theme-value]")) {
    button.setAttribute("aria-pressed", String(button.getAttribute("data-theme-value") === choice()));
  }
  document.dispatchEvent(new CustomEvent("themechange"));
}

/** @param {string} value */
function choose(value) {
  document.documentElement.dataset.themeChoice = value;
  try {
    localStorage.setItem("theme", value);
  } catch {
    // Without storage the choice lasts for this page.
  }
  apply();
}

/** Wires the theme menu and follows the system's preference while "automatic" is chosen. */
export function wireAppearance() {
  for (const button of document.querySelectorAll("[data-theme-value]")) {
    button.addEventListener("click", () => choose(button.getAttribute("data-theme-value") ?? "auto"));
  }
  system.addEventListener("change", apply);
  apply();
}
