/* What the evaluation pages do beyond links and forms, which all work without it: keys, filters that apply at once,
   and standings of runs under way that are fetched again. HTML comes only from our own server, already escaped. */

(() => {
  "use strict";

  const POLL_MS = 2000;
  const find = (selector, within = document) => within.querySelector(selector);
  const links = () => [...document.querySelectorAll("[data-rows] .row-link")];

  // ---- keys: what has data-key is pressed by that key; j and k go through a list

  document.addEventListener("keydown", (event) => {
    if (event.isComposing) return;
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
      if (event.target.form) find("[data-save]", event.target.form)?.click();
      return;
    }
    if (event.metaKey || event.ctrlKey || event.altKey) return;
    const typing = event.target.matches?.("input:not([type=radio]):not([type=checkbox]), textarea, select");
    if (event.key === "Escape") leave(event.target);
    if (typing) return;
    // A key that is held down must not decide one case after another.
    const pressed = !event.repeat && find(`[data-key="${CSS.escape(event.key)}"]`);
    if (event.key === "/" && find("[data-find]")) {
      event.preventDefault();
      find("[data-find]").focus();
    } else if (pressed) {
      event.preventDefault();
      if (pressed.matches("summary")) edit(pressed.parentElement);
      else pressed.click();
    } else if (event.key === "j" || event.key === "k") step(event.key === "j" ? 1 : -1);
  });

  // At once, not when the browser has opened it: what is typed next must not be taken for keys.
  function edit(details) {
    details.open = true;
    find("textarea", details).focus();
  }

  function leave(field) {
    const open = find("details[data-edit][open]");
    if (open) open.open = false;
    field.blur();
  }

  function step(by) {
    const all = links();
    const at = all.indexOf(document.activeElement);
    const next = at < 0 ? (by > 0 ? 0 : all.length - 1) : at + by;
    all[next]?.focus();
  }

  // ---- forms: a choice applies at once; what is empty stays out of the address

  document.addEventListener("change", (event) => {
    const form = event.target.closest("form[data-auto]");
    if (form && event.target.matches("select")) form.requestSubmit();
  });

  document.addEventListener("submit", (event) => {
    if (event.target.method !== "get") return;
    for (const field of event.target.elements) if (field.name && !field.value) field.disabled = true;
  });

  // Coming back, the browser shows the page as it was left.
  addEventListener("pageshow", () => {
    for (const field of document.querySelectorAll("form[method=get] [disabled]")) field.disabled = false;
  });

  // ---- runs under way

  async function fetchAgain(old) {
    const response = await fetch(old.dataset.live);
    if (!response.ok) return;
    const fresh = find(".standing", new DOMParser().parseFromString(await response.text(), "text/html"));
    if (!fresh) return;
    if (!fresh.dataset.live && old.closest("[data-until-done]")) location.reload();
    else old.replaceWith(document.adoptNode(fresh));
  }

  async function poll() {
    if (!document.hidden) {
      for (const old of document.querySelectorAll("[data-live]")) {
        try {
          await fetchAgain(old);
        } catch {
          /* the server is away: the next time tells */
        }
      }
    }
    if (find("[data-live]")) setTimeout(poll, POLL_MS);
  }

  addEventListener("DOMContentLoaded", () => {
    if (find("[data-live]")) setTimeout(poll, POLL_MS);
  });
})();
