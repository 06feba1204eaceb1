// What the server is asked, and what it says when it cannot.

export class ServerError extends Error {
  constructor(message, status) {
    super(message);
    this.status = status;
  }
}

async function answer(response) {
  let body = null;
  try {
    body = await response.json();
  } catch (error) {
    // Whoever asked may lose interest while the body is on its way.
    if (error.name === "AbortError") throw error;
    // Else it is not ours, a proxy's page, say, or was cut short.
  }
  if (!response.ok) throw new ServerError(body?.error ?? `the server answers ${response.status}`, response.status);
  if (body === null) throw new ServerError("the answer is not the dashboard's, or was cut short", response.status);
  return body;
}

async function ask(path, options) {
  let response;
  try {
    response = await fetch(path, { cache: "no-store", ...options });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new ServerError("the dashboard does not answer", 0);
  }
  return answer(response);
}

export const setup = () => ask("/api/setup");
export const list = (query, offset, limit, signal) => {
  const all = new URLSearchParams(query);
  all.set("offset", offset);
  all.set("limit", limit);
  return ask(`/api/incidents?${all}`, { signal });
};
export const incident = (id, signal) => ask(`/api/incidents/${encodeURIComponent(id)}`, { signal });
export const picture = (id, seen, signal) => ask(`/api/incidents/${encodeURIComponent(id)}/picture${seen ? `?seen=${seen}` : ""}`, { signal });
export const timeline = (query, reach) => {
  const all = new URLSearchParams(query);
  if (reach) all.set("reach", reach);
  return ask(`/api/timeline?${all}`);
};
export const judge = (id, verdict, author, note) =>
  ask(`/api/incidents/${encodeURIComponent(id)}/feedback`, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ verdict, author, note }),
  });
