// What is shown is in the address, so that it can be sent to somebody, and so that back and forward work.

export const FILTERS = ["series", "status", "severity", "stream", "kind", "verdict", "since", "until", "sort"];

export function read() {
  const given = new URLSearchParams(location.search);
  const query = new URLSearchParams();
  for (const name of FILTERS) {
    const values = given.getAll(name).filter(Boolean);
    if (name === "severity") {
      const all = values.flatMap((value) => value.split(",")).filter(Boolean);
      if (all.length) query.set(name, all.join(","));
    } else for (const value of values) query.append(name, value);
  }
  return { query, incident: given.get("incident") ?? "" };
}

export function href(query, incident = "") {
  const all = new URLSearchParams(query);
  if (incident) all.set("incident", incident);
  const present = new URLSearchParams(location.search);
  for (const name of ["reach", "theme"]) if (present.get(name)) all.set(name, present.get(name));
  const text = all.toString().replaceAll("%2C", ",").replaceAll("%3A", ":");
  return text ? `/?${text}` : "/";
}

// How far the timeline goes back; "" stands for what is usual. theme.js keeps the theme in the same way.
export const reach = () => new URLSearchParams(location.search).get("reach") ?? "";
export function writeReach(value) {
  const address = new URL(location.href);
  if (value) address.searchParams.set("reach", value);
  else address.searchParams.delete("reach");
  history.replaceState(history.state, "", address);
}

export function write(query, incident, { replace = false } = {}) {
  const target = href(query, incident);
  if (target === location.pathname + location.search) return;
  history[replace ? "replaceState" : "pushState"](null, "", target);
}
