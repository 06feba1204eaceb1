// A report: pictures are drawn when they come near the visible part of the page, since there may be hundreds of them.
(() => {
  "use strict";

  // What pictures are drawn from is packed: see detector/pages/packing.py.
  async function item(drawing) {
    const packed = window.atob(document.getElementById(drawing.dataset.item).textContent);
    const bytes = Uint8Array.from(packed, (character) => character.charCodeAt(0));
    const unpacked = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
    return JSON.parse(await new Response(unpacked).text());
  }

  async function draw(drawing) {
    if (drawing.dataset.state !== undefined) return;
    drawing.dataset.state = "waiting";
    if (!("DecompressionStream" in window)) {
      drawing.textContent = "This browser is too old to draw the picture; a browser of 2023 or later can.";
      return;
    }
    await window.reconstream.mount(drawing, await item(drawing));
  }

  const near = new IntersectionObserver(
    (entries) => {
      for (const entry of entries) {
        if (!entry.isIntersecting) continue;
        near.unobserve(entry.target);
        draw(entry.target);
      }
    },
    { rootMargin: "600px 0px" },
  );

  function unfold(hash) {
    let name = "";
    try { name = decodeURIComponent(hash.slice(1)); } catch { return; }
    const target = name === "" ? null : document.getElementById(name);
    for (let each = target; each !== null; each = each.parentElement) {
      if (each instanceof HTMLDetailsElement) each.open = true;
    }
    target?.scrollIntoView();
  }

  // Which section is being read: the last one whose head has passed under the bar.
  function mark(links) {
    let current = links[0];
    for (const link of links) {
      const section = document.getElementById(decodeURIComponent(link.hash.slice(1)));
      if (section !== null && section.getBoundingClientRect().top < 140) current = link;
    }
    const end = window.innerHeight + window.scrollY >= root.scrollHeight - 2 && window.scrollY > 0;
    if (end) current = links[links.length - 1];
    for (const link of links) {
      if (link === current) link.setAttribute("aria-current", "true");
      else link.removeAttribute("aria-current");
    }
  }

  const root = document.documentElement;
  document.addEventListener("DOMContentLoaded", () => {
    const drawings = [...document.querySelectorAll(".drawing[data-item]")];
    for (const drawing of drawings) near.observe(drawing);
    window.addEventListener("beforeprint", () => { for (const drawing of drawings) draw(drawing); });
    const links = [...document.querySelectorAll(".top nav a")];
    if (links.length > 0) {
      let due = false;
      const later = () => {
        if (due) return;
        due = true;
        window.requestAnimationFrame(() => { due = false; mark(links); });
      };
      document.addEventListener("scroll", later, { passive: true });
      mark(links);
    }
    for (const button of document.querySelectorAll("button[data-folds]")) {
      button.addEventListener("click", () => {
        const open = button.dataset.folds === "open";
        for (const fold of document.querySelectorAll("details.fold")) fold.open = open;
      });
    }
    window.addEventListener("hashchange", () => unfold(window.location.hash));
    if (window.location.hash !== "") unfold(window.location.hash);
    // What is picked in the timeline of incidents is shown further down, where there is a place of that name.
    document.addEventListener("reconstream:select", (event) => {
      const [first] = event.detail.values;
      const place = first === undefined ? null : document.getElementById(`incident-${first}`);
      if (place !== null) window.location.hash = `incident-${first}`;
    });
  });
})();
