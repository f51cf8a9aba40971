/* What every page does: the theme, the menu of a phone, the link that skips to the content, buttons that copy.

   Loaded before anything is painted, so that the chosen theme is there from the first frame. */

(() => {
  "use strict";

  const root = document.documentElement;
  const find = (selector) => document.querySelector(selector);

  // ---- theme: system, light, dark; remembered in this browser only

  const themes = ["system", "light", "dark"];

  function remembered() {
    try {
      const theme = localStorage.getItem("assay-theme");
      return themes.includes(theme) ? theme : "system";
    } catch {
      return "system"; // storage is forbidden: follow the system
    }
  }

  function setTheme(theme) {
    root.dataset.theme = theme;
    try {
      localStorage.setItem("assay-theme", theme);
    } catch {
      /* it holds until the next load */
    }
  }

  root.dataset.theme = remembered();

  // ---- menu

  function setMenu(open) {
    const button = find(".menu-button");
    if (!button) return;
    button.setAttribute("aria-expanded", String(open));
    find(".top").classList.toggle("menu-open", open);
    if (open) find(".nav a")?.focus();
  }

  // ---- clicks and keys

  async function copyText(text, button) {
    const label = button.querySelector("span");
    try {
      await navigator.clipboard.writeText(text);
      label.textContent = "Copied";
    } catch {
      // No clipboard outside a secure context: select the text, so that one key press copies it.
      getSelection().selectAllChildren(button.parentElement.querySelector("code"));
      label.textContent = "Selected";
    }
    setTimeout(() => (label.textContent = "Copy"), 1500);
  }

  document.addEventListener("click", (event) => {
    const target = event.target.closest?.("[data-copy], [data-menu], [data-theme-toggle], [data-skip], .nav a");
    if (target?.matches("[data-copy]")) copyText(target.dataset.copy, target);
    else if (target?.matches("[data-theme-toggle]")) setTheme(themes[(themes.indexOf(root.dataset.theme) + 1) % themes.length]);
    else if (target?.matches("[data-skip]")) {
      event.preventDefault();
      find("#content")?.focus();
    } else if (target?.matches("[data-menu]")) setMenu(target.getAttribute("aria-expanded") !== "true");
    else if (target || !event.target.closest?.(".top")) setMenu(false);
  });

  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || !find(".menu-open")) return;
    event.stopImmediatePropagation();
    setMenu(false);
    find(".menu-button").focus();
  });
})();
