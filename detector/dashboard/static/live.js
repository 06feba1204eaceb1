// Changes as they happen. The browser reconnects by itself, and the server then goes on where it was.

const AGAIN_MS = 3000;

export class Live {
  constructor({ incident, status, reset, connection }) {
    this.tell = { incident, status, reset, connection };
    this.source = null;
    this.timer = 0;
  }

  follow(query, revision) {
    this.stop();
    const all = new URLSearchParams(query);
    all.set("after", revision);
    const source = new EventSource(`/api/updates?${all}`);
    this.source = source;
    source.addEventListener("open", () => this.tell.connection(true));
    source.addEventListener("incident", (event) => this.tell.incident(JSON.parse(event.data)));
    source.addEventListener("status", (event) => this.tell.status(JSON.parse(event.data)));
    source.addEventListener("reset", () => this.tell.reset());
    source.addEventListener("error", () => {
      this.tell.connection(false);
      // Closed for good after an answer that is no stream, such as that of a proxy.
      if (source.readyState === EventSource.CLOSED && this.source === source)
        this.timer = setTimeout(() => this.tell.reset(), AGAIN_MS);
    });
  }

  stop() {
    clearTimeout(this.timer);
    this.source?.close();
    this.source = null;
  }
}
