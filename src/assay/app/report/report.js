(() => {
  const list = document.querySelector(".list");
  const cards = [...list.querySelectorAll(".case")];
  const bar = document.querySelector(".filters");
  const get = (selector) => bar.querySelector(selector);
  const outcome = get('[data-filter="outcome"]'), tag = get('[data-filter="tag"]');
  const order = get("[data-order]"), find = get("[data-find]"), count = get("[data-count]");
  const texts = new Map();
  const textOf = (card) => {
    if (!texts.has(card)) texts.set(card, card.textContent.toLowerCase());
    return texts.get(card);
  };
  const apply = () => {
    const words = find.value.trim().toLowerCase();
    let shown = 0;
    for (const card of cards) {
      const fits = (!outcome.value || card.dataset.outcome === outcome.value)
        && (!tag.value || card.dataset.tags.split("\n").includes(tag.value))
        && (!words || textOf(card).includes(words));
      card.hidden = !fits;
      shown += fits;
    }
    count.textContent = shown === cards.length ? "" : `${shown} of ${cards.length} shown`;
  };
  const sort = () => {
    const sorted = [...cards];
    if (order.value === "best") sorted.reverse();
    if (order.value === "slow") sorted.sort((a, b) => b.dataset.ms - a.dataset.ms);
    list.append(...sorted);
  };
  let waiting;
  find.addEventListener("input", () => { clearTimeout(waiting); waiting = setTimeout(apply, 120); });
  for (const select of [outcome, tag]) select.addEventListener("change", apply);
  order.addEventListener("change", sort);
  bar.hidden = false;
})();
