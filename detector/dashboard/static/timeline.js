// Incidents over time, in one picture above the list.

import * as address from "./address.js";
import * as api from "./api.js";
import { find } from "./dom.js";

const AGAIN_MS = 4000;

export class Timeline {
  constructor(element, { query, open }) {
    this.element = element;
    this.query = query;
    this.due = 0;
    this.turn = 0;
    find(".reach", element).addEventListener("change", (event) => {
      address.writeReach(event.target.value === "week" ? "" : event.target.value);
      this.draw();
    });
    element.addEventListener("reconstream:select", (event) => {
      const [id] = event.detail.values;
      if (id) open(id);
    });
  }

  // Something has changed; more of it may come at once.
  later() {
    if (!this.due) this.due = setTimeout(() => this.draw(), AGAIN_MS);
  }

  async draw() {
    clearTimeout(this.due);
    this.due = 0;
    const place = this.element;
    const drawing = find(".drawing", place);
    const query = this.query();
    const reach = address.reach() || "week";
    for (const each of place.querySelectorAll(".reach input")) each.checked = each.value === reach;
    // A time that was asked for says how far.
    find(".reach", place).hidden = query.has("since");
    const turn = (this.turn += 1);
    let answer;
    try {
      answer = await api.timeline(query, address.reach());
    } catch {
      return;
    }
    if (turn !== this.turn) return; // something else is asked for by now
    place.hidden = !answer.picture;
    if (answer.picture) await window.reconstream.mount(drawing, answer.picture);
    else window.reconstream.unmount(drawing);
  }
}
