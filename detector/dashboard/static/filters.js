// The form of filters: what it says is the query of the address, and the other way round.

import { find, mark } from "./dom.js";

const TYPING_MS = 200;

// Fields of times know no zone; here they are UTC.
const toUtc = (value) => (value ? `${value.length === 16 ? `${value}:00` : value}Z` : "");
const isTime = (value) => /^\d{4}-\d\d-\d\d/.test(value);
function fromUtc(value) {
  if (!isTime(value)) return "";
  const zoned = /(Z|[+-]\d\d:?\d\d)$/.test(value.slice(10)) ? value : `${value.slice(0, 10)}T${value.slice(11) || "00:00"}Z`;
  const at = new Date(zoned);
  return Number.isNaN(at.getTime()) ? "" : at.toISOString().slice(0, 19);
}

export class Filters {
  constructor(form, { chosen }) {
    this.form = form;
    // What the address says of times, and what the fields made of it: they know no durations.
    this.given = { since: "", until: "", from: "", to: "" };
    let typing = 0;
    form.addEventListener("input", (event) => {
      if (event.target !== form.series) return;
      clearTimeout(typing);
      typing = setTimeout(() => chosen(this.read(), { replace: true }), TYPING_MS);
    });
    form.addEventListener("change", (event) => {
      if (event.target === form.series) return;
      const choosing = form.range.value === "between";
      find(".between", form).hidden = !choosing;
      if (choosing && !form.from.value && !form.to.value) return;
      chosen(this.read());
    });
    // It stands above the list, outside of the form.
    form.sort.addEventListener("change", () => chosen(this.read()));
    form.addEventListener("reset", (event) => {
      event.preventDefault();
      form.series.value = "";
      chosen(new URLSearchParams());
    });
    form.addEventListener("submit", (event) => event.preventDefault());
    for (const each of form.querySelectorAll("[data-mark]")) each.prepend(mark(each.dataset.mark));
  }

  fill(query) {
    const form = this.form;
    form.series.value = document.activeElement === form.series ? form.series.value : query.get("series") ?? "";
    for (const each of form.querySelectorAll('[name="status"]')) each.checked = each.value === (query.get("status") ?? "");
    const severities = (query.get("severity") ?? "").split(",");
    for (const each of form.querySelectorAll('[name="severity"]')) each.checked = severities.includes(each.value);
    for (const name of ["kind", "verdict", "sort"]) form[name].value = query.get(name) ?? "";
    const stream = query.get("stream") ?? "";
    if (stream) this.offerStreams([stream]);
    form.stream.value = stream;
    const since = query.get("since") ?? "";
    const until = query.get("until") ?? "";
    const between = Boolean(until || isTime(since));
    if (since && !between && ![...form.range.options].some((option) => option.value === since))
      form.range.add(new Option(`last ${since}`, since), form.range.options.length - 1);
    form.range.value = between ? "between" : since;
    form.from.value = between ? fromUtc(since) : "";
    form.to.value = between ? fromUtc(until) : "";
    this.given = { since, until, from: form.from.value, to: form.to.value };
    find(".between", form).hidden = !between;
  }

  read() {
    const form = this.form;
    const query = new URLSearchParams();
    const put = (name, value) => { if (value) query.set(name, value); };
    put("series", form.series.value.trim());
    put("status", form.querySelector('[name="status"]:checked')?.value);
    put("severity", [...form.querySelectorAll('[name="severity"]:checked')].map((each) => each.value).join(","));
    for (const name of ["stream", "kind", "verdict", "sort"]) put(name, form[name].value);
    if (form.range.value === "between") {
      put("since", form.from.value === this.given.from ? this.given.since : toUtc(form.from.value));
      put("until", form.to.value === this.given.to ? this.given.until : toUtc(form.to.value));
    } else put("since", form.range.value);
    return query;
  }

  offerStreams(names) {
    const stream = this.form.stream;
    const known = new Set([...stream.options].map((option) => option.value));
    for (const name of names) if (!known.has(name)) stream.add(new Option(name, name));
  }

  search() {
    this.form.series.focus();
    this.form.series.select();
  }
}
