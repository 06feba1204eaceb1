// One incident in full: what people say of it, what happened in pictures, and what else there is to know.

import * as api from "./api.js";
import { find, h, mark } from "./dom.js";
import { clock, count, duration, kindName, lasted, ratio, reasonName, verdictName } from "./format.js";
import * as sections from "./sections.js";

const ASK_AGAIN_MS = [100, 150, 200, 300, 400, 600];
const AUTHOR = "reconstream.author";

const remembered = {
  get() { try { return localStorage.getItem(AUTHOR) ?? ""; } catch { return ""; } },
  set(name) { try { localStorage.setItem(AUTHOR, name); } catch { /* then it is asked for again */ } },
};

export class Detail {
  constructor(element, { hrefOf, open, close, setup }) {
    this.element = element;
    this.hrefOf = hrefOf;
    this.open = open;
    this.close = close;
    this.setup = setup;
    this.id = "";
    this.shown = null;
    this.abort = null;
    this.drawn = ""; // the event of which there is a picture
    this.loaded = Promise.resolve();
    setInterval(() => this.tick(), 1000);
  }

  async show(id) {
    this.hide({ keep: true });
    this.id = id;
    this.element.hidden = false;
    this.element.setAttribute("aria-busy", "true");
    this.element.replaceChildren(h("header", {}, h("span", {}), h("h2", {}, "…"), this.closeButton()));
    this.element.scrollTop = 0;
    this.loaded = this.load();
    await this.loaded;
  }

  hide({ keep = false } = {}) {
    this.abort?.abort();
    this.abort = null;
    const drawing = find(".drawing", this.element);
    if (drawing) window.reconstream.unmount(drawing);
    this.id = "";
    this.shown = null;
    this.drawn = "";
    if (!keep) this.element.hidden = true;
    this.element.replaceChildren();
  }

  // Something was heard of an incident.
  async heard(id) {
    if (id === this.id) await this.load();
  }

  async load() {
    const id = this.id;
    this.abort?.abort();
    const abort = new AbortController();
    this.abort = abort;
    let document_;
    try {
      document_ = await api.incident(id, abort.signal);
    } catch (error) {
      if (error.name === "AbortError" || this.id !== id) return;
      if (!this.shown)
        this.element.replaceChildren(
          h("header", {}, h("span", {}), h("h2", {}, "This incident is not on the board"), this.closeButton()),
          h("div", {}, h("p", { class: "note warning" }, error.message)));
      this.element.removeAttribute("aria-busy");
      return;
    }
    if (this.id !== id) return;
    this.render(document_);
    this.element.removeAttribute("aria-busy");
    if (this.drawn !== document_.events.at(-1).event_id) this.draw(abort.signal);
  }

  closeButton() {
    return h("button", { type: "button", class: "quiet close", title: "Close (Esc)", "aria-label": "Close", onclick: () => this.close() }, "✕");
  }

  // What is typed, and a picture that is there, stay where they are.
  render(one) {
    const first = !this.shown;
    this.shown = one;
    const parts = {
      head: this.head(one),
      judge: first ? this.judge() : find(".judge", this.element),
      pictures: first ? h("section", { class: "pictures" }, h("div", { class: "drawing" }), h("div", { class: "progress", role: "status" })) : find(".pictures", this.element),
      channels: sections.channels(one),
      facts: sections.facts(one),
      near: sections.near(one, { hrefOf: this.hrefOf, open: this.open }),
      history: sections.history(one),
      commands: sections.commands(one),
    };
    if (first) this.element.replaceChildren(...Object.values(parts).filter(Boolean));
    else {
      // Moving what has the focus would lose it, so only what was made anew is exchanged.
      const scroll = this.element.scrollTop;
      for (const child of [...this.element.children]) if (child !== parts.judge && child !== parts.pictures) child.remove();
      const rest = [parts.channels, parts.facts, parts.near, parts.history, parts.commands].filter(Boolean);
      this.element.prepend(parts.head);
      this.element.append(...rest);
      this.element.scrollTop = scroll;
    }
    this.standing(one);
  }

  head(one) {
    return h("header", {},
      mark(one.severity, one.open),
      h("h2", { tabindex: "-1" }, one.series),
      this.closeButton(),
      h("p", { class: "state" },
        h("span", { "data-state-words": true }, this.words(one))));
  }

  words(one) {
    const time = duration(lasted(one));
    const state = one.open ? `open for ${time}` : `lasted ${time}, ${reasonName(one.close_reason)}`;
    return `${one.severity} ${kindName(one.kind)} of ${one.stream} · ${state} · peak ${ratio(one.peak_ratio)} its threshold`;
  }

  tick() {
    if (!this.shown?.open) return;
    const words = find("[data-state-words]", this.element);
    if (words) words.textContent = this.words(this.shown);
  }

  judge() {
    const { read_only, author } = this.setup();
    const section = h("section", { class: "judge", "aria-label": "What people say of it" }, h("div", { class: "stands" }));
    if (read_only) return section;
    const who = h("input", { name: "author", maxlength: "100", autocomplete: "username", value: author || remembered.get(), placeholder: "your name" });
    const note = h("input", { name: "note", maxlength: "2000", autocomplete: "off", placeholder: "why, what you found, where to read on" });
    const button = (verdict, name, key, kind = "") =>
      h("button", { type: "button", class: kind, "data-verdict": verdict, onclick: () => this.say(verdict) }, name, key && h("kbd", { "aria-hidden": "true" }, key));
    section.append(
      h("div", { class: "fields" }, h("label", {}, "You", who), h("label", {}, "Note", note)),
      h("div", { class: "buttons" },
        button("acknowledged", "Acknowledge", "a", "primary"), button("false_alarm", "False alarm", "f"),
        button("confirmed", "Confirm", "c"), button("withdrawn", "Withdraw", "")),
      h("p", { class: "outcome", role: "status" }));
    return section;
  }

  standing(one) {
    const stands = find(".judge .stands", this.element);
    const said = [one.acknowledged, one.verdict].filter(Boolean);
    stands.replaceChildren(...(said.length
      ? said.map((each) => h("span", {}, h("span", { class: `badge ${each.verdict}` }, verdictName(each.verdict)), " ",
        h("span", { class: "words" }, `${each.author}, ${clock(each.given_at)} UTC${each.note ? `: ${each.note}` : ""}`)))
      : [h("span", { class: "words" }, one.open ? "Nobody looks after it yet." : "Nobody has judged it yet.")]));
    const withdraw = find('[data-verdict="withdrawn"]', this.element);
    if (withdraw) withdraw.hidden = !said.length;
    const acknowledge = find('[data-verdict="acknowledged"]', this.element);
    // It stays where it is: in its place a second click would meet another button.
    if (acknowledge) acknowledge.disabled = Boolean(one.acknowledged);
  }

  async say(verdict) {
    const who = find('[name="author"]', this.element);
    const outcome = find(".outcome", this.element);
    if (!who || !this.shown) return false;
    const note = find('[name="note"]', this.element);
    if (!who.value.trim()) {
      outcome.className = "outcome wrong";
      outcome.textContent = "Say who you are first: others will want to know whom to ask.";
      who.focus();
      return false;
    }
    remembered.set(who.value.trim());
    const id = this.id;
    const buttons = [...this.element.querySelectorAll("[data-verdict]")];
    for (const button of buttons) button.disabled = true;
    outcome.className = "outcome";
    outcome.textContent = "Sending …";
    try {
      await api.judge(id, verdict, who.value.trim(), note.value.trim());
      if (this.id === id) {
        note.value = "";
        outcome.textContent = verdict === "acknowledged" || verdict === "withdrawn" ? "Noted." : "Noted. It takes effect with the next detector recalibrate or retrain.";
      }
    } catch (error) {
      if (this.id === id) {
        outcome.className = "outcome wrong";
        outcome.textContent = `Not noted: ${error.message}`;
      }
      return false;
    } finally {
      for (const button of buttons) button.disabled = false;
      if (this.id === id && this.shown) this.standing(this.shown);
    }
    return true;
  }

  async draw(signal) {
    const id = this.id;
    const drawing = find(".pictures .drawing", this.element);
    const progress = find(".pictures .progress", this.element);
    const say = (...words) => {
      progress.classList.toggle("working", words.length > 1 && words[0].classList?.contains("spinner"));
      progress.replaceChildren(...words);
    };
    let seen = "";
    let picture = null;
    for (let tries = 0; ; tries += 1) {
      let answer;
      try {
        answer = await api.picture(id, seen, signal);
      } catch (error) {
        if (error.name === "AbortError" || this.id !== id) return;
        answer = { state: "failed", message: error.message, picture: null };
      }
      if (this.id !== id) return;
      if (answer.picture) {
        picture = answer.picture;
        seen = `${answer.event_id}.${answer.step}`;
        await window.reconstream.mount(drawing, picture.item);
        if (this.id !== id) return window.reconstream.unmount(drawing);
      }
      if (answer.state === "done") {
        this.drawn = answer.event_id;
        const { agreement, begun, model } = picture;
        const how = `Recomputed by model ${model}, ${begun}.`;
        return say(h("span", { class: "how" }, agreement ? `${how} ${agreement[0].toUpperCase()}${agreement.slice(1)}.` : how));
      }
      if (answer.state === "failed") {
        const what = picture ? "What was expected cannot be told" : "There is no picture";
        return say(h("span", {}, `${what}: ${answer.message}`),
          h("button", { type: "button", onclick: () => { say(); this.draw(signal); } }, "Try again"));
      }
      const words = answer.state === "waiting"
        ? answer.ahead ? `Waiting for ${count(answer.ahead, "other picture")} …` : "Waiting …"
        : `${answer.message || "Reading the records again"} …`;
      say(h("span", { class: "spinner", "aria-hidden": "true" }), words);
      await new Promise((resolve) => setTimeout(resolve, ASK_AGAIN_MS[Math.min(tries, ASK_AGAIN_MS.length - 1)]));
      if (this.id !== id || signal.aborted) return;
    }
  }
}
