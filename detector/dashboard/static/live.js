// Changes as they happen. The browser reconnects by itself, and the server then goes on where it was.
//
// A browser opens six connections to a server, over all of its tabs, and a stream of changes holds one for good: the
// seventh tab would never load. So a tab that nobody sees only glances now and then, and goes on when it is seen again.

const AGAIN_MS = 3000;
const GLANCE_MS = 30000;

export class Live {
  constructor({ incident, status, reset, connection, glance }) {
    this.tell = { incident, status, reset, connection, glance };
    this.source = null;
    this.query = null; // null: nothing is followed
    this.revision = "";
    this.timer = 0;
    this.glances = 0;
    document.addEventListener("visibilitychange", () => { if (this.query) this.begin(); });
  }

  follow(query, revision) {
    this.query = new URLSearchParams(query);
    this.revision = revision;
    this.begin();
  }

  begin() {
    this.pause();
    if (document.visibilityState === "hidden") this.glances = setInterval(() => this.tell.glance(), GLANCE_MS);
    else this.listen();
  }

  listen() {
    const all = new URLSearchParams(this.query);
    all.set("after", this.revision);
    const source = new EventSource(`/api/updates?${all}`);
    this.source = source;
    source.addEventListener("open", () => this.tell.connection(true));
    source.addEventListener("incident", (event) => {
      this.revision = event.lastEventId;
      this.tell.incident(JSON.parse(event.data));
    });
    source.addEventListener("status", (event) => this.tell.status(JSON.parse(event.data)));
    source.addEventListener("reset", () => this.tell.reset());
    source.addEventListener("error", () => {
      this.tell.connection(false);
      // Closed for good after an answer that is no stream, such as that of a proxy.
      if (source.readyState === EventSource.CLOSED && this.source === source)
        this.timer = setTimeout(() => this.tell.reset(), AGAIN_MS);
    });
  }

  pause() {
    clearTimeout(this.timer);
    clearInterval(this.glances);
    this.source?.close();
    this.source = null;
  }

  stop() {
    this.pause();
    this.query = null;
  }
}
