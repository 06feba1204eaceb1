// Incidents over time, in one picture above the list.

import * as api from "./api.js";
import { find } from "./dom.js";

const AGAIN_MS = 4000;

export class Timeline {
  constructor(element, { query, open }) {
    this.element = element;
    this.query = query;
    this.due = 0;
    this.turn = 0;
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
    const turn = (this.turn += 1);
    const place = this.element;
    const drawing = find(".drawing", place);
    let answer;
    try {
      answer = await api.timeline(this.query());
    } catch {
      return;
    }
    if (turn !== this.turn) return; // something else is asked for by now
    place.hidden = !answer.picture;
    if (answer.picture) {
      // The page below must not jump while one picture takes the place of another.
      place.style.minHeight = `${place.offsetHeight}px`;
      await window.reconstream.mount(drawing, answer.picture);
      setTimeout(() => { place.style.minHeight = ""; }, 500);
    } else window.reconstream.unmount(drawing);
  }
}
