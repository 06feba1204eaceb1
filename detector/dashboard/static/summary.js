// The strip on top: what is open, what the last day brought, and whether the page is up to date.

import { find, h, mark } from "./dom.js";
import { ago, count, duration, moment, now } from "./format.js";

export function showSummary(element, status, pick) {
  const tile = (name, ...content) => h("div", { class: "tile" }, h("dt", {}, name), h("dd", {}, content));
  const events = status.links[0];
  const severities = ["critical", "warning", "info"].map((severity) =>
    h("button", { type: "button", class: `count ${severity}`, "data-count": status.open[severity], title: `show open ${severity} incidents`, onclick: () => pick(severity) },
      mark(severity), h("b", {}, String(status.open[severity])), h("span", {}, severity)));
  const focused = element.contains(document.activeElement) ? [...element.querySelectorAll("button")].indexOf(document.activeElement) : -1;
  element.replaceChildren(h("dl", {},
    tile("Open now", severities),
    tile("Nobody looks after", h("b", {}, String(status.unattended)), h("span", {}, status.unattended === 1 ? "open one" : "open ones")),
    tile("Last 24 hours", h("b", {}, String(status.last_day)), h("span", {}, "reported")),
    tile("With incidents", h("b", {}, status.series_with_incidents.toLocaleString("en")), h("span", { title: status.streams.join(", ") }, `series of ${count(status.streams.length, "stream", "streams")}`)),
    tile("Behind", h("b", {}, events ? events.behind_records.toLocaleString("en") : "–"), h("span", {}, "records"),
      status.last_event_at && h("span", { class: "sub", "data-since": status.last_event_at }, `last event ${ago(status.last_event_at)}`)),
  ));
  if (focused >= 0) element.querySelectorAll("button")[focused]?.focus();
}

const WORDS = { connecting: "Connecting to Kafka", catching_up: "Reading history", live: "Live", missing: "Waiting for a topic", lost: "Kafka does not answer" };
const WORST = ["lost", "connecting", "missing", "catching_up", "live"];

export function showConnection(element, connected, status) {
  let state = "offline";
  let text = "Reconnecting";
  let title = "The dashboard does not answer; what is shown may be old.";
  if (connected && status) {
    // Without any verdict there is no feedback topic, which is no trouble.
    const links = status.links.filter((link, place) => place === 0 || link.state !== "missing");
    const worst = links.reduce((one, other) => (WORST.indexOf(other.state) < WORST.indexOf(one.state) ? other : one));
    state = worst.state;
    text = WORDS[state];
    if (state === "catching_up") text += `, ${worst.behind_records.toLocaleString("en")} records to go`;
    title = status.links.map((link, place) => {
      if (place && link.state === "missing") return `${link.topic}: no verdict yet`;
      return `${link.topic}: ${link.state.replace("_", " ")}${link.detail ? ` (${link.detail})` : ""}`;
    }).join("\n");
  } else if (!status) {
    state = "connecting";
    text = "Connecting";
    title = "";
  }
  if (element.dataset.state === state && find(".text", element).textContent === text) return;
  element.dataset.state = state;
  element.title = title;
  find(".text", element).textContent = text;
}

// What somebody must know of: shown above everything, until it is over.
export function troubles(connected, status) {
  if (!status) return { text: "", grave: false };
  if (!connected) return { text: "The connection to the dashboard is lost. What is shown is as of the last contact; trying again.", grave: true };
  const events = status.links[0];
  const found = [];
  if (events.state === "lost") found.push(`Kafka cannot be read, for ${duration((now() - Date.parse(events.since)) / 1000)} now: ${events.detail}. What is shown is as of then; trying again.`);
  if (events.state === "missing") found.push(`The topic ${events.topic} does not exist yet. A worker creates it when it starts.`);
  if (status.links[1]?.state === "lost" && events.state !== "lost") found.push(`Feedback cannot be read: ${status.links[1].detail}.`);
  for (const [topic, records] of Object.entries(status.bad_records))
    found.push(`${count(records, "record")} of ${topic} could not be read, since ${records === 1 ? "it is" : "they are"} not of this release's format.`);
  for (const link of status.links)
    if (link.lost_ranges) found.push(`Records of ${link.topic} were deleted before they were read.`);
  if (status.left_out) found.push(`${count(status.left_out, "incident")} that closed longest ago ${status.left_out === 1 ? "is" : "are"} left out (dashboard.max_incidents).`);
  return { text: found.join(" "), grave: events.state === "lost" };
}

export function emptyWords(status, filtered, total) {
  if (!status || status.links[0].state === "catching_up" || status.links[0].state === "connecting") return ["Reading the events …"];
  if (filtered) return [total ? "No incident is like that." : "No incident matches these filters."];
  if (!status.known) return ["No incident since ", moment(status.since), ". When a worker reports one, it shows up here by itself."];
  return ["Nothing is open", status.last_closed_at ? `; the last incident closed ${ago(status.last_closed_at)}.` : "."];
}
