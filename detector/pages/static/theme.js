// Light and dark, and pictures: what every page of reconstream needs. It asks no network and evaluates no text.
//
// window.reconstream.mount(element, item)  draws a Bokeh item (bokeh.embed.json_item) into an element
// window.reconstream.unmount(element)      takes it away again and frees what it held
// window.reconstream.theme()               "light" or "dark", as it is shown now
// window.reconstream.drawn()               how many pictures there are
//
// Pictures tag a model "role:NAME"; its colours are then those of the CSS variable --fig-NAME, and change with the theme.
// A data source that is tagged "selects:COLUMN" tells what the reader picked in it: the element it was drawn into gets
// an event "reconstream:select", with {values, indices} as its detail.
(() => {
  "use strict";

  const root = document.documentElement;
  const dark = window.matchMedia("(prefers-color-scheme: dark)");
  const coarse = window.matchMedia("(pointer: coarse)");
  const KEY = "reconstream.theme";
  const drawn = new Map(); // element -> { document: of Bokeh, sheet: what it is drawn in }

  // Storage is refused to pages that are opened from a file by some browsers, and where it is switched off.
  const stored = {
    get() { try { return window.localStorage.getItem(KEY); } catch { return null; } },
    set(value) {
      try {
        window.localStorage.setItem(KEY, value);
      } catch { /* then it is remembered by the address alone */ }
    },
  };
  const known = (value) => (value === "light" || value === "dark" ? value : null);
  const inAddress = () => known(new URLSearchParams(window.location.search).get("theme"));
  let chosen = inAddress() ?? known(stored.get()); // null: as the system has it
  const theme = () => root.dataset.theme;

  function show(value) {
    root.dataset.theme = value ?? (dark.matches ? "dark" : "light");
    recolourAll();
    for (const button of document.querySelectorAll(".theme-toggle")) {
      const other = theme() === "dark" ? "light" : "dark";
      button.setAttribute("aria-label", `Show in ${other} colours`);
      button.title = `Show in ${other} colours`;
    }
  }

  function choose(value) {
    chosen = value;
    stored.set(value);
    const address = new URL(window.location.href);
    address.searchParams.set("theme", value);
    window.history.replaceState(window.history.state, "", address);
    show(value);
  }

  function palette() {
    const style = window.getComputedStyle(root);
    return (name) => style.getPropertyValue(name).trim();
  }

  const LINES = ["line_color"];
  const FILLS = ["fill_color", "hatch_color"];
  const TEXTS = ["text_color"];

  const isField = (value) => value !== null && typeof value === "object" && "field" in value;

  function paint(model, names, colour) {
    for (const name of names) {
      if (!(name in model.properties)) continue;
      const property = model.properties[name];
      // What is invisible on purpose, or takes its colour from the data, stays so.
      const value = property.is_unset ? undefined : model[name];
      const plain = value !== null && typeof value === "object" && "value" in value ? value.value : value;
      if (plain === null || isField(value)) continue;
      model[name] = colour;
    }
  }

  function recolour(document_, of) {
    for (const model of document_.all_models) {
      const tags = Array.isArray(model.tags) ? model.tags : [];
      const role = tags.find((tag) => typeof tag === "string" && tag.startsWith("role:"));
      if (role !== undefined) {
        const roles = role.slice(5).split(",");
        const colours = roles.map((name) => of(`--fig-${name}`));
        if ("palette" in model.properties) model.palette = colours;
        else paint(model, [...LINES, ...FILLS, ...TEXTS], colours[0]);
        continue;
      }
      if ("axis_line_color" in model.properties) {
        paint(model, ["axis_line_color", "major_tick_line_color", "minor_tick_line_color"], of("--fig-frame"));
        paint(model, ["axis_label_text_color", "major_label_text_color", "group_text_color"], of("--fig-text"));
      } else if ("grid_line_color" in model.properties) {
        paint(model, ["grid_line_color", "minor_grid_line_color"], of("--fig-grid"));
      } else if ("label_text_color" in model.properties && "items" in model.properties) {
        paint(model, ["label_text_color", "title_text_color"], of("--fig-text"));
        paint(model, ["background_fill_color"], of("--surface"));
      } else if (model.type === "Title") {
        paint(model, ["text_color"], of("--fig-title"));
      } else if ("outline_line_color" in model.properties) {
        paint(model, ["outline_line_color"], of("--fig-grid"));
      }
    }
  }

  function recolourAll() {
    const of = palette();
    for (const picture of drawn.values()) recolour(picture.document, of);
  }

  function listen(document_, element) {
    for (const model of document_.all_models) {
      const tag = (Array.isArray(model.tags) ? model.tags : []).find((one) => `${one}`.startsWith("selects:"));
      if (tag === undefined || !("selected" in model.properties)) continue;
      const column = tag.slice("selects:".length);
      model.selected.properties.indices.change.connect(() => {
        const indices = [...model.selected.indices];
        const data = model.data instanceof Map ? model.data.get(column) : model.data[column];
        const values = indices.map((index) => data[index]);
        element.dispatchEvent(new CustomEvent("reconstream:select", { bubbles: true, detail: { values, indices } }));
      });
    }
  }

  // A picture that takes the place of another is drawn behind it and shown once it is there, so that nothing flickers.
  async function mount(element, item) {
    const { Document } = window.Bokeh.require("document");
    const document_ = Document.from_json(item.doc);
    // Before anything is drawn, so that no picture flashes up in the colours of the other theme.
    recolour(document_, palette());
    for (const model of document_.all_models) {
      // A finger that drags scrolls the page, and must not be taken by a picture in its way.
      if (coarse.matches && "active_drag" in model.properties) model.active_drag = null;
    }
    const before = drawn.get(element);
    const sheet = document.createElement("div");
    sheet.className = "sheet";
    if (before !== undefined) sheet.classList.add("behind");
    else element.replaceChildren();
    element.append(sheet);
    drawn.set(element, { document: document_, sheet });
    if (before === undefined) element.dataset.state = "drawing";
    const roots = document_.roots().map(() => sheet);
    await window.Bokeh.embed.add_document_standalone(document_, sheet, roots);
    if (drawn.get(element)?.sheet !== sheet) {
      // Another picture, or none, was asked for meanwhile.
      document_.clear();
      sheet.remove();
      return document_;
    }
    listen(document_, element);
    for (const other of [...element.children]) if (other !== sheet) other.remove();
    before?.document.clear();
    sheet.classList.remove("behind");
    element.dataset.state = "drawn";
    return document_;
  }

  function unmount(element) {
    const picture = drawn.get(element);
    if (picture !== undefined) {
      drawn.delete(element);
      picture.document.clear();
    }
    element.replaceChildren();
    delete element.dataset.state;
  }

  // Paper is white.
  window.addEventListener("beforeprint", () => show("light"));
  window.addEventListener("afterprint", () => show(chosen));
  dark.addEventListener("change", () => show(chosen));
  document.addEventListener("click", (event) => {
    if (event.target instanceof Element && event.target.closest(".theme-toggle") !== null) {
      choose(theme() === "dark" ? "light" : "dark");
    }
  });

  window.reconstream = { mount, unmount, theme, drawn: () => drawn.size };
  show(chosen); // before the page is painted
  document.addEventListener("DOMContentLoaded", () => show(chosen)); // its buttons are there now
})();
