"""Shows what Alertmanager notifies of, a line for each alert: ``python notifications.py [port]``.

The last stop of alerts in docker-compose.yml, until somebody puts Slack, PagerDuty or email in its place. Needs nothing
but Python's standard library, and answers ``GET /`` for a health check.
"""

from __future__ import annotations

import json
import signal
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

PORT = 9099
_MOST_BYTES = 4 << 20


def lines(notification: dict[str, Any], now: datetime) -> Iterator[str]:
    """What a notification says, for people; control characters in names steer no terminal."""
    for alert in notification["alerts"]:
        labels, notes = alert["labels"], alert["annotations"]
        what = "RESOLVED" if alert["status"] == "resolved" else labels.get("severity", "firing").upper()
        text = f"{now:%H:%M:%S} {what:<8} {labels.get('alertname', '?')}: {notes.get('summary', '')}"
        if alert["status"] == "firing" and "runbook_url" in notes:
            text += f"  {notes['runbook_url']}"
        yield "".join(character if character.isprintable() else "�" for character in text)


class _Handler(BaseHTTPRequestHandler):
    timeout = 30

    def do_GET(self) -> None:
        self._answer(HTTPStatus.OK)

    def do_POST(self) -> None:
        length = self.headers.get("Content-Length", "")
        if not length.isdecimal() or int(length) > _MOST_BYTES:
            self._answer(HTTPStatus.BAD_REQUEST)
            return
        try:
            told = list(lines(json.loads(self.rfile.read(int(length))), datetime.now(UTC)))
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            sys.stderr.write(f"not a notification of Alertmanager: {error!r}\n")
            self._answer(HTTPStatus.BAD_REQUEST)
            return
        sys.stdout.write("".join(f"{line}\n" for line in told))
        sys.stdout.flush()
        self._answer(HTTPStatus.OK)

    def _answer(self, status: HTTPStatus) -> None:
        self.send_response(status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Requests are not logged; what they tell is."""


def main() -> None:
    """Listen until SIGTERM or Ctrl-C."""
    port = int(sys.argv[1]) if len(sys.argv) > 1 else PORT
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    # All addresses: in a container it is asked from another one, and docker-compose.yml publishes no port of it.
    with ThreadingHTTPServer(("", port), _Handler) as server:
        sys.stdout.write(f"notifications are shown here; waiting on port {server.server_port}\n")
        sys.stdout.flush()
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            return


if __name__ == "__main__":
    main()
