// The page: the address says what is shown; everything else follows from it.

import * as address from "./address.js";
import * as api from "./api.js";
import { Detail } from "./detail.js";
import { find } from "./dom.js";
import { Filters } from "./filters.js";
import { count, setNow } from "./format.js";
import { List } from "./list.js";
import { Live } from "./live.js";
import { emptyWords, showConnection, showSummary, troubles } from "./summary.js";
import { Timeline } from "./timeline.js";

const PAGE = 100;

const state = { query: new URLSearchParams(), incident: "", total: 0, status: null, connected: false, setup: { read_only: true, author: "" }, loading: 0, settled: false, missed: false };
const main = find("main");

const filters = new Filters(find("#filters"), { chosen: (query, how) => go(query, how) });
const timeline = new Timeline(find("#timeline"), { query: () => state.query, open: (id) => open(id) });
const list = new List(find("#list"), { hrefOf: (id) => address.href(state.query, id), open: (id) => open(id) });
const detail = new Detail(find("#detail"), {
  hrefOf: (id) => address.href(state.query, id), open: (id) => open(id), close: () => close(), setup: () => state.setup,
});
const live = new Live({
  incident: ({ incident, matches }) => heard(incident, matches),
  status: (status) => told(status),
  reset: () => { state.missed = true; reload(); },
  connection: (up) => { state.connected = up; showState(); },
  glance: () => glance(),
});

// What is shown

async function reload({ more = false } = {}) {
  // The list that is on its way would not go together with more of the one before it.
  if (more && !state.settled) return;
  const turn = (state.loading += 1);
  if (!more) {
    state.settled = false;
    live.stop();
  }
  let found;
  try {
    found = await api.list(state.query, more ? list.length : 0, more ? PAGE : Math.max(PAGE, Math.min(500, list.length)));
  } catch (error) {
    if (turn !== state.loading) return;
    state.connected = error.status !== 0 && state.connected;
    if (error.status === 400) return fail(error.message);
    showState(error.status ? error.message : "");
    setTimeout(() => { if (turn === state.loading) reload({ more }); }, 2000);
    return;
  }
  if (turn !== state.loading) return;
  state.connected = true;
  state.settled = true;
  state.total = found.total;
  setNow(found.status.now); // before rows say how long ago something was
  if (more) list.append(found.incidents);
  else list.replace(found.incidents);
  list.mark(state.incident);
  filters.offerStreams(found.streams);
  told(found.status);
  if (!more) live.follow(state.query, found.revision);
  if (!more) timeline.draw();
  // What was heard meanwhile may have been about the incident that is open, too.
  if (state.missed && state.incident) detail.heard(state.incident);
  state.missed = false;
}

// How it stands as a whole, for the title of a tab that nobody looks at.
async function glance() {
  try {
    told((await api.list(state.query, 0, 0)).status);
    state.connected = true;
  } catch {
    state.connected = false;
  }
  showState();
}

function fail(message) {
  list.replace([]);
  state.total = 0;
  const empty = find("#empty");
  empty.hidden = false;
  empty.replaceChildren(`${message}.`);
  find("#count").textContent = "No incidents";
}

function told(status) {
  setNow(status.now);
  state.status = status;
  showSummary(find("#summary"), status, (severity) => {
    const query = new URLSearchParams({ status: "open", severity });
    go(query);
  });
  filters.offerStreams(status.streams);
  showState();
}

function showState(words = "") {
  showConnection(find("#connection"), state.connected, state.status);
  const notice = find("#notice");
  const trouble = words ? { text: words, grave: true } : troubles(state.connected, state.status);
  if (notice.textContent !== trouble.text) notice.textContent = trouble.text;
  notice.className = `note ${trouble.grave ? "critical" : "warning"}`;
  notice.hidden = !trouble.text;
  const open = state.status ? Object.values(state.status.open).reduce((one, other) => one + other, 0) : 0;
  document.title = open ? `(${open}) reconstream` : "reconstream";
  const more = state.total - list.length;
  find("#count").textContent = state.total ? `${count(state.total, "incident")}${more > 0 ? `, ${list.length} shown` : ""}` : "No incidents";
  find("#more").hidden = more <= 0;
  const filtered = [...state.query.keys()].some((name) => name !== "sort");
  find("#clear").hidden = !filtered;
  const quiet = Boolean(list.length && state.status && !open && !filtered);
  const empty = find("#empty");
  empty.hidden = Boolean(list.length && !quiet);
  if (!empty.hidden) empty.replaceChildren(...emptyWords(state.status, filtered && !list.length, state.total));
  find("#incidents").classList.toggle("quiet", quiet);
}

function heard(row, matches) {
  const known = list.rows.has(row.incident_id);
  if (matches) {
    const how = list.put(row, state.total > list.length);
    if (how === "new" || how === "beyond") state.total += known ? 0 : 1;
    if (how === "new" && row.open) announce(`New ${row.severity} incident: ${row.series}`);
    if (row.incident_id === state.incident) list.mark(row.incident_id);
  } else if (list.remove(row.incident_id)) state.total = Math.max(0, state.total - 1);
  showState();
  recount();
  detail.heard(row.incident_id);
  timeline.later();
}

// Rows that are not on show come and go unseen; the server knows how many there are.
let recounting = 0;
function recount() {
  clearTimeout(recounting);
  recounting = setTimeout(async () => {
    try {
      const found = await api.list(state.query, 0, 0);
      state.total = Math.max(found.total, list.length);
      showState();
    } catch { /* the next change asks again */ }
  }, 1000);
}

function announce(text) {
  const place = find("#announce");
  place.textContent = "";
  setTimeout(() => { place.textContent = text; }, 50);
}

// Moving about

function go(query, { replace = false } = {}) {
  address.write(query, state.incident, { replace });
  follow();
}

function open(id, { replace = false } = {}) {
  if (id === state.incident) return find("h2", find("#detail"))?.focus();
  address.write(state.query, id, { replace: replace || Boolean(state.incident) });
  follow();
  if (matchMedia("(max-width: 900px)").matches) setTimeout(() => find(".close", find("#detail"))?.focus());
}

function close() {
  const last = state.incident;
  address.write(state.query, "");
  follow();
  list.focus(last);
}

function follow() {
  const { query, incident } = address.read();
  const changed = query.toString() !== state.query.toString();
  state.query = query;
  filters.fill(state.query);
  if (incident !== state.incident) {
    state.incident = incident;
    main.classList.toggle("split", Boolean(incident));
    list.mark(incident);
    if (incident) detail.show(incident);
    else detail.hide();
  }
  if (changed) reload();
  list.readdress();
}

addEventListener("popstate", follow);

// Keys

const typingIn = (element) => element.closest?.("input:not([type=radio]):not([type=checkbox]), textarea, select, [contenteditable]");
const keys = find("#keys");

function move(by) {
  const id = list.move(by);
  if (id && state.incident) open(id, { replace: true });
}

async function judge(verdict) {
  const id = list.focused() || state.incident;
  if (!id || state.setup.read_only) return;
  if (id !== state.incident) {
    open(id);
    await detail.loaded;
  }
  detail.say(verdict);
}

addEventListener("keydown", (event) => {
  if (event.metaKey || event.ctrlKey || event.altKey) return;
  if (event.key === "Escape") {
    if (keys.open) return;
    if (typingIn(event.target)) return event.target.blur();
    if (state.incident) close();
    return;
  }
  if (typingIn(event.target) || keys.open) return;
  const actions = {
    j: () => move(1), ArrowDown: () => move(1), k: () => move(-1), ArrowUp: () => move(-1),
    "/": () => filters.search(),
    a: () => judge("acknowledged"), f: () => judge("false_alarm"), c: () => judge("confirmed"),
    o: () => { const query = new URLSearchParams(state.query); if (query.get("status") === "open") query.delete("status"); else query.set("status", "open"); go(query); },
    t: () => find(".theme-toggle").click(),
    "?": () => keys.showModal(),
  };
  const inDetail = event.target.closest?.("#detail");
  if (event.key.startsWith("Arrow") && (inDetail || event.target.closest?.("input, canvas, .choice"))) return;
  const action = actions[event.key];
  if (!action) return;
  event.preventDefault();
  action();
});

find("#more-filters").addEventListener("click", (event) => {
  const button = event.currentTarget;
  button.setAttribute("aria-expanded", String(button.getAttribute("aria-expanded") !== "true"));
});
find("#help").addEventListener("click", () => keys.showModal());
find("#more").addEventListener("click", () => reload({ more: true }));
find("#home").addEventListener("click", (event) => {
  event.preventDefault();
  address.write(new URLSearchParams(), "");
  follow();
});

// Begin

async function begin() {
  try {
    state.setup = await api.setup();
  } catch {
    setTimeout(begin, 2000);
    return showState();
  }
  const { query, incident } = address.read();
  state.query = query;
  filters.fill(state.query);
  await reload();
  if (incident) {
    state.incident = incident;
    main.classList.add("split");
    list.mark(incident);
    detail.show(incident);
  }
}

begin();
