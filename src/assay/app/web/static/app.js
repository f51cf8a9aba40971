/* What only the browser can do: keys, focus, scrolling, and one event to the server saying what was done. The bar has
   its own script, bar.js.

   No state of the product lives here. Data from documents and models is never read from or written to HTML by
   this script; it follows attributes the server wrote: data-go, data-open, data-act. */

(() => {
  "use strict";

  const find = (selector, within = document) => within.querySelector(selector);
  const narrow = matchMedia("(max-width: 899px)");
  const hasMouse = matchMedia("(hover: hover) and (pointer: fine)");
  const tell = (act, more = {}) => emitEvent("assay", { act, ...more });
  const here = () => location.pathname + location.search;

  // ---- navigation: the URL first, then the server draws what it names

  let opener = null;

  function go(url) {
    if (url !== here()) history.pushState({}, "", url);
    tell("go", { url });
  }

  function onLink(event, link) {
    if (event.metaKey || event.ctrlKey || event.shiftKey || event.altKey || event.button) return;
    event.preventDefault();
    if (link.dataset.open) opener = link;
    go(link.dataset.open || link.getAttribute("href"));
  }

  addEventListener("popstate", () => tell("go", { url: here() }));

  // ---- clicks

  const acts = {
    earlier: () => keepPlace("earlier"),
    later: () => keepPlace("later"),
  };

  document.addEventListener("click", (event) => {
    const target = event.target.closest?.("[data-go], [data-open], [data-act]");
    if (!target) return;
    const { act } = target.dataset;
    if (act) (acts[act] || tell)(acts[act] ? target : act);
    else onLink(event, target);
  });

  // ---- the question

  const box = () => find(".question-box");

  function send() {
    const field = box();
    if (!field.value.trim() || find(".composer-slot.busy")) return;
    follow = true;
    tell("ask", { question: field.value });
    field.value = "";
    grow(field);
  }

  function grow(field) {
    field.style.height = "auto";
    field.style.height = `${Math.min(field.scrollHeight, 200)}px`;
  }

  document.addEventListener("submit", (event) => {
    if (!event.target.matches("[data-composer]")) return;
    event.preventDefault();
    send();
  });

  let filterTimer = 0;
  document.addEventListener("input", (event) => {
    if (event.target === box()) grow(event.target);
    if (event.target.matches("[data-filter]")) {
      clearTimeout(filterTimer);
      filterTimer = setTimeout(() => tell("filter", { text: event.target.value }), 120);
    }
  });

  // ---- keys

  document.addEventListener("keydown", (event) => {
    if (event.isComposing || event.metaKey || event.ctrlKey || event.altKey) return;
    const typing = event.target.matches?.("input, textarea, select, [contenteditable]");
    if (event.key === "Enter" && event.target === box() && !event.shiftKey) {
      event.preventDefault();
      send();
    } else if (event.key === "Escape") onEscape(event);
    else if (event.key === "/" && !typing) {
      event.preventDefault();
      if (!find(".view.documents.off")) find(".filter")?.focus();
      else if (find(".view.chat.off")) go("/");
      else box()?.focus();
    }
  });

  function onEscape(event) {
    if (!find(".panel:not(.off)")) return;
    event.preventDefault();
    find(".panel .close")?.click();
  }

  function giveFocusBack() {
    const back = opener?.isConnected ? opener : opener && find(`[data-open="${CSS.escape(opener.dataset.open)}"]`);
    (back || (hasMouse.matches && box()) || find("#content"))?.focus();
    opener = null;
  }

  // ---- scrolling

  let follow = true;
  let kept = null;
  let wasOpen = false;

  document.addEventListener(
    "scroll",
    ({ target }) => {
      if (target.classList?.contains("log")) follow = target.scrollHeight - target.scrollTop - target.clientHeight < 90;
    },
    true,
  );

  function keepPlace(act) {
    const anchor = find(".document > :first-child");
    kept = anchor && { anchor, top: anchor.getBoundingClientRect().top };
    tell(act);
  }

  // ---- while the page is drawn

  const started = new WeakMap();

  function runClocks() {
    for (const clock of document.querySelectorAll(".clock")) {
      const elapsed = Number(clock.dataset.elapsed);
      const known = started.get(clock);
      if (!known || known.elapsed !== elapsed) started.set(clock, { elapsed, at: performance.now() - elapsed });
      const text = `${Math.floor((performance.now() - started.get(clock).at) / 1000)} s`;
      if (clock.textContent !== text) clock.textContent = text;
    }
  }

  function arrange() {
    const log = find(".log");
    if (log && follow) log.scrollTop = log.scrollHeight;
    // On a phone the document covers everything, so nothing behind it may take the focus.
    const open = Boolean(find(".panel:not(.off)"));
    for (const behind of document.querySelectorAll(".content, .top")) behind.inert = narrow.matches && open;
    // Only now can what was behind take the focus again.
    if (wasOpen && !open && (document.activeElement === document.body || find(".panel").contains(document.activeElement)))
      giveFocusBack();
    wasOpen = open;
  }

  addEventListener("DOMContentLoaded", () => {
    new MutationObserver(arrange).observe(document.body, { subtree: true, childList: true, attributeFilter: ["class"] });
    setInterval(runClocks, 250);
  });
  narrow.addEventListener("change", arrange);

  // ---- what the server calls after it has drawn

  window.assay = {
    /** A document is open: show the cited span, and move the focus to it. */
    reveal() {
      const scroller = find(".panel-scroll");
      const mark = find("mark", scroller);
      if (mark) {
        const { top } = mark.getBoundingClientRect();
        scroller.scrollTop += top - scroller.getBoundingClientRect().top - Math.min(scroller.clientHeight / 4, 160);
      } else scroller.scrollTop = 0;
      find(".panel h2")?.focus({ preventScroll: true });
    },

    /** Another view is shown. */
    arrived(isFirst) {
      if (find(".panel:not(.off)")) return;
      if (find(".view.chat:not(.off)")) {
        if (hasMouse.matches) box()?.focus({ preventScroll: true });
      } else if (!isFirst) find("#content")?.focus({ preventScroll: true });
      if (!isFirst && find(".view.chat.off")) find("#content").scrollTop = 0;
    },

    /** More text was added: what was being read stays where it was. */
    settle() {
      if (!kept) return;
      find(".panel-scroll").scrollTop += kept.anchor.getBoundingClientRect().top - kept.top;
      kept = null;
    },
  };
})();
