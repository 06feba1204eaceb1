// Lists of folds that the reader searches, chooses from and sorts. What was chosen is in the page's address, so that a
// view can be sent to a colleague. "/" leads to the first search field.
(() => {
  "use strict";

  function begin(finder) {
    const form = finder.querySelector("form.search");
    const list = finder.querySelector(".found");
    const entries = [...list.children].map((element, index) => ({
      element,
      index,
      text: element.dataset.text,
      choice: element.dataset.choice,
      keys: element.dataset.keys.split(" ").map(Number),
    }));
    const search = form.elements.namedItem("q");
    const order = form.elements.namedItem("order");
    const boxes = [...form.querySelectorAll("input[name=show]")];
    const output = form.querySelector("output");
    const nothing = finder.querySelector(".nothing");
    const name = (key) => `${finder.id}.${key}`;

    function read() {
      const asked = new URLSearchParams(window.location.search);
      search.value = asked.get(name("q")) ?? "";
      const chosen = asked.get(name("order"));
      if (chosen !== null && order.querySelector(`option[value="${CSS.escape(chosen)}"]`) !== null) order.value = chosen;
      const hidden = (asked.get(name("hide")) ?? "").split(",");
      for (const box of boxes) box.checked = !hidden.includes(box.value);
    }

    function write() {
      const address = new URL(window.location.href);
      const hidden = boxes.filter((box) => !box.checked).map((box) => box.value);
      const chosen = order.value === "0" ? "" : order.value;
      for (const [key, value] of [["q", search.value.trim()], ["order", chosen], ["hide", hidden.join(",")]]) {
        if (value === "") address.searchParams.delete(name(key));
        else address.searchParams.set(name(key), value);
      }
      if (address.href !== window.location.href) window.history.replaceState(window.history.state, "", address);
    }

    function show() {
      const words = search.value.toLowerCase().split(/\s+/).filter((word) => word !== "");
      const shown = new Set(boxes.filter((box) => box.checked).map((box) => box.value));
      let count = 0;
      for (const entry of entries) {
        const fits =
          (boxes.length === 0 || shown.has(entry.choice)) && words.every((word) => entry.text.includes(word));
        entry.element.hidden = !fits;
        if (fits) count += 1;
      }
      const by = Number(order.value);
      const sorted = [...entries].sort((one, other) => other.keys[by] - one.keys[by] || one.index - other.index);
      if (sorted.some((entry, place) => list.children[place] !== entry.element)) {
        list.replaceChildren(...sorted.map((entry) => entry.element));
      }
      const all = entries.length.toLocaleString("en");
      const noun = entries.length === 1 ? output.dataset.noun : output.dataset.nouns;
      output.textContent =
        count === entries.length ? `${all} ${noun}` : `${count.toLocaleString("en")} of ${all}`;
      nothing.hidden = count > 0;
    }

    read();
    form.hidden = false;
    form.addEventListener("submit", (event) => event.preventDefault());
    form.addEventListener("input", () => { show(); write(); });
    search.addEventListener("keydown", (event) => {
      if (event.key === "Escape" && search.value !== "") {
        search.value = "";
        show();
        write();
        event.preventDefault();
      }
    });
    // Whoever is led to an entry that is not shown wants to see it all the same.
    const reveal = () => {
      let name = "";
      try { name = decodeURIComponent(window.location.hash.slice(1)); } catch { return; }
      const target = document.getElementById(name);
      const entry = target?.closest(".entry");
      if (entry !== null && entry !== undefined && finder.contains(entry) && entry.hidden) {
        entry.hidden = false;
        target.scrollIntoView();
      }
    };
    window.addEventListener("hashchange", reveal);
    show();
    reveal();
  }

  document.addEventListener("DOMContentLoaded", () => {
    const finders = [...document.querySelectorAll(".finder")];
    for (const finder of finders) begin(finder);
    document.addEventListener("keydown", (event) => {
      const typing = event.target instanceof Element && event.target.matches("input:not([type=checkbox]), textarea");
      if (event.key !== "/" || typing || event.ctrlKey || event.metaKey || event.altKey || finders.length === 0) return;
      event.preventDefault();
      finders[0].querySelector("input[type=search]").focus();
    });
  });
})();
