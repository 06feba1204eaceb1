// The list. A row is a link, so that it can be focused, opened in a tab of its own, and sent to somebody. Rows are
// kept by incident and moved, never made anew, so that neither focus nor scroll is lost when something happens.

import { find, h, mark } from "./dom.js";
import { ago, clock, duration, kindName, lasted, moment, ratio, reasonName, verdictName } from "./format.js";

function before(one, other) {
  for (let place = 0; place < one.length; place += 1) {
    if (one[place] < other[place]) return true;
    if (one[place] > other[place]) return false;
  }
  return false;
}

function badge(row) {
  const said = row.verdict ?? row.acknowledged;
  if (!said) return null;
  const title = `${verdictName(said.verdict)} by ${said.author}, ${clock(said.given_at)} UTC${said.note ? `: ${said.note}` : ""}`;
  return h("span", { class: `badge ${said.verdict}`, title }, verdictName(said.verdict));
}

// Ten times the threshold fills the bar; in between it is logarithmic, since scores are.
const share = (value) => `${Math.max(3, Math.min(100, 100 * Math.log10(Math.max(1, value))))}%`;

function content(row) {
  const bar = h("span", { class: "bar" }, h("span", {}));
  bar.firstChild.style.width = share(row.peak_ratio);
  return [
    h("span", { class: "severity" }, mark(row.severity, row.open), h("span", { class: "word" }, row.severity)),
    h("span", { class: "who" },
      h("b", { class: "series", title: row.series }, row.series),
      h("span", { class: "sub" }, `${row.stream} · ${kindName(row.kind)}`)),
    h("span", { class: "peak", title: "peak score over threshold" }, h("b", {}, ratio(row.peak_ratio)), bar),
    h("span", { class: "channels", title: "channels that stand out most" },
      row.channels.map((one) => h("span", { class: "channel" }, one.channel, " ", h("i", {}, `${Math.round(one.share * 100)}%`)))),
    h("span", { class: "when" },
      h("span", { class: "lasted", "data-lasted": true }, state(row)),
      h("span", { class: "sub" }, moment(row.started_at), h("span", { "data-ago": row.reported_at, title: "when it was reported" }, ` · ${ago(row.reported_at)}`))),
    h("span", { class: "badges" }, badge(row)),
  ];
}

function state(row) {
  const time = duration(lasted(row));
  return row.open ? `open for ${time}` : `${time}, ${reasonName(row.close_reason)}`;
}

export class List {
  constructor(element, { hrefOf, open }) {
    this.element = element;
    this.hrefOf = hrefOf;
    this.open = open;
    this.rows = new Map(); // by id: { row, item, link }
    this.order = []; // ids
    this.current = "";
    setInterval(() => this.tick(), 1000);
  }

  get length() {
    return this.order.length;
  }

  // Everything anew, such as for other filters.
  replace(rows) {
    const focused = document.activeElement?.dataset?.incident;
    const kept = new Map();
    this.order = [];
    for (const row of rows) {
      const entry = this.entry(row, this.rows.get(row.incident_id));
      kept.set(row.incident_id, entry);
      this.order.push(row.incident_id);
    }
    this.rows = kept;
    this.element.replaceChildren(...this.order.map((id) => kept.get(id).item));
    if (focused && kept.has(focused)) kept.get(focused).link.focus({ preventScroll: true });
  }

  append(rows) {
    for (const row of rows) {
      if (this.rows.has(row.incident_id)) continue;
      this.rows.set(row.incident_id, this.entry(row));
      this.order.push(row.incident_id);
      this.element.append(this.rows.get(row.incident_id).item);
    }
  }

  // A row that is new or has changed. Returns "new", "changed", or "beyond" where its place is not on show yet, or not any
  // more: what is on show is always the beginning of the whole list, so that more of it begins where this ends.
  put(row, more) {
    const id = row.incident_id;
    const known = this.rows.get(id);
    const others = this.order.filter((other) => other !== id);
    let place = others.findIndex((other) => before(row.rank, this.rows.get(other).row.rank));
    if (place < 0) place = others.length;
    if (more && place === others.length && (!known || before(known.row.rank, row.rank))) {
      this.remove(id);
      return "beyond";
    }
    const entry = this.entry(row, known);
    this.rows.set(id, entry);
    if (!known || this.order.indexOf(id) !== place) {
      const focused = document.activeElement === entry.link;
      const next = place < others.length ? this.rows.get(others[place]).item : null;
      this.element.insertBefore(entry.item, next);
      if (focused) entry.link.focus({ preventScroll: true });
      others.splice(place, 0, id);
      this.order = others;
    }
    entry.item.classList.remove("new", "changed");
    void entry.item.offsetWidth; // so that the animation begins anew
    entry.item.classList.add(known ? "changed" : "new");
    return known ? "changed" : "new";
  }

  remove(id) {
    const entry = this.rows.get(id);
    if (!entry) return false;
    if (document.activeElement === entry.link) this.move(1);
    entry.item.remove();
    this.rows.delete(id);
    this.order = this.order.filter((other) => other !== id);
    return true;
  }

  entry(row, known) {
    if (known) {
      if (known.row.revision !== row.revision || known.row.rank.length !== row.rank.length) known.link.replaceChildren(...content(row));
      known.row = row;
      known.item.className = row.open ? "open" : "closed";
      known.link.href = this.hrefOf(row.incident_id);
      return known;
    }
    const link = h("a", { href: this.hrefOf(row.incident_id), "data-incident": row.incident_id, class: "row" }, content(row));
    link.addEventListener("click", (event) => {
      if (event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
      event.preventDefault();
      this.open(row.incident_id);
    });
    const entry = { row, link, item: h("li", { class: row.open ? "open" : "closed" }, link) };
    if (row.incident_id === this.current) link.setAttribute("aria-current", "true");
    return entry;
  }

  readdress() {
    for (const [id, entry] of this.rows) entry.link.href = this.hrefOf(id);
  }

  mark(id) {
    this.rows.get(this.current)?.link.removeAttribute("aria-current");
    this.current = id;
    this.rows.get(id)?.link.setAttribute("aria-current", "true");
  }

  focused() {
    return document.activeElement?.dataset?.incident ?? "";
  }

  focus(id) {
    this.rows.get(id)?.link.focus();
  }

  // The id that many rows further on; focuses it.
  move(by) {
    if (!this.order.length) return "";
    const from = this.order.indexOf(this.focused() || this.current);
    const to = from < 0 ? (by > 0 ? 0 : this.order.length - 1) : Math.min(this.order.length - 1, Math.max(0, from + by));
    this.focus(this.order[to]);
    return this.order[to];
  }

  tick() {
    for (const { row, link } of this.rows.values()) {
      if (row.open) find("[data-lasted]", link).textContent = state(row);
      const at = find("[data-ago]", link);
      const text = ` · ${ago(at.dataset.ago)}`;
      if (at.textContent !== text) at.textContent = text;
    }
  }
}
