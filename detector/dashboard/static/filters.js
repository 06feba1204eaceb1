// The form of filters: what it says is the query of the address, and the other way round.

import { find, mark } from "./dom.js";

const TYPING_MS = 200;

// Fields of times know no zone; here they are UTC.
const toUtc = (value) => (value ? `${value.length === 16 ? `${value}:00` : value}Z` : "");
const fromUtc = (value) => (/^\d{4}-\d\d-\d\dT/.test(value ?? "") ? value.replace(/(\.\d+)?Z$/, "").slice(0, 19) : "");

export class Filters {
  constructor(form, { chosen }) {
    this.form = form;
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
    const between = Boolean(query.get("until") || (since && ![...form.range.options].some((option) => option.value === since)));
    form.range.value = between ? "between" : since;
    form.from.value = between ? fromUtc(since) : "";
    form.to.value = between ? fromUtc(query.get("until")) : "";
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
      put("since", toUtc(form.from.value));
      put("until", toUtc(form.to.value));
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
