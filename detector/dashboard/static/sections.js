// What there is to know of an incident besides its picture: a section for each, from what the server says of it.

import { h, mark } from "./dom.js";
import { clock, count, duration, kindName, moment, number, ratio, reasonName, verdictName } from "./format.js";

export function channels(one) {
  if (!one.channels.length) return null;
  const frozen = one.kind === "frozen";
  const most = Math.max(...one.channels.map((each) => each.contribution), 1e-12);
  return h("section", {}, h("h3", {}, frozen ? "Channels that kept one value" : "Channels that stand out, at the peak"),
    h("div", { class: "table" }, h("table", {},
      h("thead", {}, h("tr", {}, h("th", {}, "channel"), h("th", {}, frozen ? "samples" : "share of the score"), h("th", { class: "number" }, frozen ? "value" : "seen"), frozen ? null : h("th", { class: "number" }, "expected"))),
      h("tbody", {}, one.channels.map((each) => {
        const bar = h("span", { class: "bar" }, h("span", {}));
        bar.firstChild.style.width = `${(100 * each.contribution) / most}%`;
        return h("tr", {}, h("td", {}, each.channel), h("td", {}, bar, frozen ? String(each.contribution) : `${Math.round(each.share * 100)}%`),
          h("td", { class: "number" }, number(each.seen)), frozen ? null : h("td", { class: "number" }, number(each.expected)));
      })))));
}

export function facts(one) {
  const fact = (name, ...value) => h("div", {}, h("dt", {}, name), h("dd", {}, value));
  const source = one.source;
  return h("section", {}, h("h3", {}, "Facts"), h("dl", { class: "facts" },
    fact("started", moment(one.started_at, true)), fact("opened", moment(one.opened_at, true)),
    fact("peak", moment(one.peak_at, true)), fact("ended", one.ended_at ? moment(one.ended_at, true) : "still open"),
    fact("reported", moment(one.reported_at, true)),
    fact("score", `${number(one.peak_score)} at the peak, ${number(one.score)} at last`), fact("threshold", number(one.threshold)),
    fact("model", h("span", { class: "mono", title: one.model.digest }, one.model.version)),
    fact("input", `${source.topic}, partition ${source.partition}`),
    fact("offsets", `${source.first_offset.toLocaleString("en")} to ${source.last_offset.toLocaleString("en")}, opened at ${source.opened_offset.toLocaleString("en")}`),
    fact("cluster", h("span", { class: "mono" }, source.cluster)),
    fact("incident", h("span", { class: "mono" }, one.incident_id)),
  ));
}

export function near(one, { hrefOf, open }) {
  const { same_series: same, other_series: others, more } = one.neighbours;
  if (!same.length && !others.length)
    return h("section", {}, h("h3", {}, "Near in time"), h("p", { class: "sub" }, "Nothing else happened to this series, nor to others within an hour."));
  const item = (other, name) => {
    const apart = other.starts_after_seconds;
    const when = Math.abs(apart) < 1 ? "at the same time" : `${duration(Math.abs(apart))} ${apart < 0 ? "before" : "after"}`;
    const link = h("a", { href: hrefOf(other.incident_id), title: `${other.severity} ${kindName(other.kind)}, ${clock(other.started_at)} UTC` },
      mark(other.severity, other.open), h("span", {}, name), h("span", {}, ratio(other.peak_ratio)), h("span", { class: "sub" }, when));
    link.addEventListener("click", (event) => {
      if (event.metaKey || event.ctrlKey || event.shiftKey) return;
      event.preventDefault();
      open(other.incident_id);
    });
    return h("li", {}, link);
  };
  return h("section", {}, h("h3", {}, "Near in time"),
    same.length ? [h("h4", {}, "The same series"), h("ul", { class: "near" }, same.map((other) => item(other, `${kindName(other.kind)}, ${other.open ? "open" : duration(other.duration_seconds)}`)))] : null,
    others.length ? [h("h4", {}, "Other series"), h("ul", { class: "near" }, others.map((other) => item(other, other.series)))] : null,
    more ? h("p", { class: "sub" }, `and ${count(more, "other")} within that time`) : null);
}

export function history(one) {
  const rows = [
    ...one.events.map((each) => ({ at: each.written_at, what: each.event, how: `${ratio(each.peak_ratio)} at the peak, ${ratio(each.ratio)} then${each.close_reason ? `; ${reasonName(each.close_reason)}` : ""}`, who: `model ${each.model}`, severity: each.severity })),
    ...one.said.map((each) => ({ at: each.given_at, what: verdictName(each.verdict), how: each.note, who: each.author })),
  ].sort((one_, other) => (one_.at < other.at ? -1 : 1));
  return h("section", {}, h("h3", {}, "What happened"),
    one.events_left_out ? h("p", { class: "sub" }, `${count(one.events_left_out, "event")} in between ${one.events_left_out === 1 ? "is" : "are"} not kept.`) : null,
    h("div", { class: "table" }, h("table", {},
      h("thead", {}, h("tr", {}, ["when", "what", "", "by"].map((name) => h("th", {}, name)))),
      h("tbody", {}, rows.map((row) => h("tr", {}, h("td", {}, moment(row.at, true)), h("td", {}, row.severity ? mark(row.severity, row.what !== "closed") : null, " ", row.what), h("td", {}, row.how), h("td", {}, row.who)))))));
}

export function commands(one) {
  return h("section", {}, h("h3", {}, "Commands"), one.commands.map((each) => {
    const button = h("button", { type: "button", onclick: async () => {
      try {
        await navigator.clipboard.writeText(each.line);
        button.textContent = "Copied";
      } catch {
        const range = document.createRange();
        range.selectNodeContents(button.previousSibling);
        getSelection().removeAllRanges();
        getSelection().addRange(range);
        button.textContent = "Selected";
      }
      setTimeout(() => { button.textContent = "Copy"; }, 1500);
    } }, "Copy");
    return h("div", { class: "command" }, h("p", {}, each.purpose), h("pre", {}, each.line), button);
  }));
}
