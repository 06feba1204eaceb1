"""What the server answers, over real sockets: who may ask, what is refused and why, live changes, verdicts."""

from __future__ import annotations

import http.client
import json
import socket
import ssl
import threading
import time
from base64 import b64encode
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import trustme
from structlog.testing import capture_logs

from detector.dashboard.following import Link
from detector.errors import ConfigError, KafkaUnavailableError
from detector.observability.http_access import BasicAuth
from detector.settings import DashboardSettings
from tests.dashboard.conftest import event
from tests.dashboard.site import NOW_NS, Site
from tests.dashboard.test_board import record, said


@pytest.fixture
def site(open_site: Callable[..., Site]) -> Site:
    return open_site()


ONE = event("aa")
OTHER = event("bb", series="web-2", severity="critical")


def test_every_answer_tells_browsers_to_be_careful(site: Site) -> None:
    for path in ("/", "/static/app.js", "/api/incidents", "/api/incidents/ff", "/nowhere", "/healthz"):
        _, headers, _ = site.ask(path)
        policy = headers["Content-Security-Policy"]
        assert "default-src 'none'; script-src 'self';" in policy
        assert "frame-ancestors 'none'" in policy
        assert "unsafe-eval" not in policy
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Referrer-Policy"] == "no-referrer"
        assert ("private, no-cache" if path in ("/", "/static/app.js") else "no-store") == headers["Cache-Control"]
        assert "Server" not in headers


def test_the_page_and_its_files_are_served_and_known_ones_are_not_sent_again(site: Site) -> None:
    status, headers, body = site.ask("/")
    assert (status, headers["Content-Type"]) == (200, "text/html; charset=utf-8")
    assert b"<script>" not in body  # the policy would not let one run
    for name in ("app.js", "theme.js", "bokeh.min.js", "dashboard.css", "favicon.svg"):
        status, headers, _ = site.ask(f"/static/{name}", Accept_Encoding="gzip")
        assert (status, headers["Content-Encoding"]) == (200, "gzip")
        assert site.ask(f"/static/{name}", If_None_Match=headers["ETag"])[0] == 304
    for path in ("/static/../server.py", "/static/%2e%2e/server.py", "/static/server.py", "/static/"):
        assert site.ask(path)[0] == 404


def test_a_list_one_incident_and_its_picture(site: Site) -> None:
    site.board.take_events([record(ONE), record(OTHER)])
    status, _, found = site.ask("/api/incidents?severity=critical")
    assert (status, found["total"], found["incidents"][0]["series"]) == (200, 1, "web-2")
    assert found["status"]["open"] == {"critical": 1, "warning": 1, "info": 0}
    assert found["status"]["links"][0]["state"] == "live"
    status, _, one = site.ask(f"/api/incidents/{ONE.incident_id}")
    assert (status, one["series"], one["commands"][0]["line"][:15]) == (200, "web-1", "detector replay")
    for _ in range(500):
        status, _, drawn = site.ask(f"/api/incidents/{ONE.incident_id}/picture")
        if drawn["state"] == "done":
            break
    assert drawn == {
        "state": "done", "message": "", "ahead": 0, "event_id": ONE.event_id, "step": 1,
        "picture": {"item": {"doc": "web-1"}},
    }  # fmt: skip
    # Who has that step already is not sent it again.
    again = site.ask(f"/api/incidents/{ONE.incident_id}/picture?seen={ONE.event_id}.1")[2]
    assert again == {**drawn, "picture": None}
    other = site.ask(f"/api/incidents/{ONE.incident_id}/picture?seen={ONE.event_id}.0")[2]
    assert other == drawn
    site.timeline = lambda found, since, until, known: {"doc": len(found), "span": [since, until]}
    assert site.ask("/api/timeline")[2]["picture"]["doc"] == 2
    assert site.ask("/api/timeline?series=nothing")[2] == {"picture": None}


@pytest.mark.parametrize(
    ("path", "status", "message"),
    [
        ("/api/incidents?severity=grave", 400, "severity: there is no 'grave'; choose of critical, warning, info"),
        ("/api/timeline?reach=year", 400, "reach: there is no 'year'; choose of day, week, month, all"),
        ("/api/timeline?since=soon", 400, "since: 'soon' is neither a time"),
        ("/api/updates?sort=up", 400, "sort: there is no 'up'"),
        ("/api/incidents/ff", 404, "there is no incident ff on the board; it may be older than the board looks back"),
        ("/api/incidents/ff/picture", 404, "there is no incident ff"),
        ("/api/incidents/<b>", 404, "no such path"),
        ("/nowhere", 404, "no such path"),
    ],
)
def test_what_is_wrong_is_said(site: Site, path: str, status: int, message: str) -> None:
    found, _, body = site.ask(path)
    assert found == status
    assert message in body["error"]


def test_a_foreign_name_for_this_address_gets_no_answer(site: Site) -> None:
    status, _, body = site.ask("/api/incidents", Host="evil.example.org")
    assert status == 421
    assert "this page is not known as 'evil.example.org'" in body["error"]
    assert "dashboard.allowed_hosts" in body["error"]
    assert site.ask("/healthz", Host="10.0.0.7:1")[0] == 200


def test_a_foreign_page_can_neither_read_nor_send(site: Site) -> None:
    site.board.take_events([record(ONE)])
    assert site.ask("/api/incidents", Sec_Fetch_Site="cross-site")[0] == 403
    # A link on another page may be followed, though.
    assert site.ask("/", Sec_Fetch_Site="cross-site", Sec_Fetch_Mode="navigate")[0] == 200
    body = {"verdict": "confirmed", "author": "jo"}
    for headers in (
        {"Origin": "https://evil.example.org"},
        {"Sec_Fetch_Site": "cross-site"},
        {"Sec_Fetch_Site": "cross-site", "Sec_Fetch_Mode": "navigate"},
        {"Content_Type": "text/plain"},
        {"Content_Type": "application/x-www-form-urlencoded"},
    ):
        status, _, answer = site.say(ONE.incident_id, body, **headers)
        assert status == 403, headers
        assert answer["error"]
    assert site.given == []
    assert site.say(ONE.incident_id, body, Origin=site.url.rstrip("/"), Sec_Fetch_Site="same-origin")[0] == 200
    assert len(site.given) == 1


def test_a_verdict_goes_out_as_it_was_given(site: Site) -> None:
    site.board.take_events([record(ONE)])
    body = {"verdict": "false_alarm", "author": " jo ", "note": "<b>planned</b>\nwork"}
    status, _, answer = site.say(ONE.incident_id, body)
    assert (status, answer) == (200, {"verdict": "false_alarm", "given_at": "2026-01-02T12:00:00.000Z"})
    (verdict,) = site.given
    assert (verdict.subject_id, verdict.incident_id, verdict.verdict) == (
        ONE.incident_id, ONE.incident_id, "false_alarm",
    )  # fmt: skip
    assert (verdict.author, verdict.note, verdict.series) == ("jo", "<b>planned</b>\nwork", "web-1")
    assert (verdict.started_at, verdict.ended_at) == (ONE.started_at, ONE.updated_at)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"", "send a JSON object with verdict, author and note"),
        (b"[" * 30_000, "send a JSON object with verdict, author and note"),
        (b"\xff", "send a JSON object with verdict, author and note"),
        ([], "send a JSON object with verdict, author and note"),
        ({"verdict": "great", "author": "jo"}, "verdict: choose of acknowledged, confirmed, false_alarm, withdrawn"),
        ({"verdict": "missed", "author": "jo"}, "verdict: choose of"),
        ({"verdict": ["confirmed"], "author": "jo"}, "verdict: choose of"),
        ({"verdict": "confirmed"}, "author: say who you are, in up to 100 characters"),
        ({"verdict": "confirmed", "author": " "}, "author: say who you are"),
        ({"verdict": "confirmed", "author": "x" * 101}, "author: say who you are"),
        ({"verdict": "confirmed", "author": "jo", "note": "x" * 2001}, "note: up to 2000 characters of text"),
        ({"verdict": "confirmed", "author": "jo", "note": 7}, "note: up to 2000 characters of text"),
        ({"verdict": "confirmed", "author": "\ud800"}, "must be text that can be encoded as UTF-8"),
    ],
)
def test_what_is_no_verdict_is_refused_with_the_reason(site: Site, body: Any, message: str) -> None:
    site.board.take_events([record(ONE)])
    status, _, answer = site.say(ONE.incident_id, body)
    assert status == 400
    assert message in answer["error"]
    assert site.given == []


def test_a_verdict_on_what_is_not_there_or_that_kafka_does_not_take_is_refused(site: Site) -> None:
    assert site.say("ff", {"verdict": "confirmed", "author": "jo"})[0] == 404
    site.board.take_events([record(ONE)])
    site.refuse = KafkaUnavailableError("localhost:9092 refuses connections; is the broker up?")
    status, _, answer = site.say(ONE.incident_id, {"verdict": "confirmed", "author": "jo"})
    assert (status, answer["error"]) == (503, "localhost:9092 refuses connections; is the broker up?")
    site.refuse = ZeroDivisionError("a secret")
    status, _, answer = site.say(ONE.incident_id, {"verdict": "confirmed", "author": "jo"})
    assert (status, answer["error"]) == (500, "this failed; see the log of the dashboard")


def test_a_body_that_is_too_long_is_not_read(site: Site) -> None:
    connection = site.connect()
    connection.putrequest("POST", f"/api/incidents/{ONE.incident_id}/feedback")
    connection.putheader("Content-Length", "70000")
    connection.endheaders()
    assert connection.getresponse().status == 400
    connection.close()


def test_read_only_means_that_nobody_says_anything(open_site: Callable[..., Site]) -> None:
    site = open_site(read_only=True)
    site.board.take_events([record(ONE)])
    status, _, answer = site.say(ONE.incident_id, {"verdict": "confirmed", "author": "jo"})
    assert (status, site.given) == (403, [])
    assert "dashboard.read_only" in answer["error"]
    assert site.ask("/api/setup")[2]["read_only"] is True


def test_a_login_is_asked_for_and_names_the_author(open_site: Callable[..., Site]) -> None:
    site = open_site(auth={"username": "jo", "password": "s3cret"})
    site.board.take_events([record(ONE)])
    for path in ("/", "/static/app.js", "/api/incidents", "/api/updates"):
        status, headers, _ = site.ask(path)
        assert (status, headers["WWW-Authenticate"]) == (401, 'Basic realm="reconstream", charset="UTF-8"')
    assert site.ask("/healthz")[0] == 200
    assert "topics" not in site.ask("/readyz")[2]
    wrong, right = (f"Basic {b64encode(pair).decode()}" for pair in (b"jo:other", b"jo:s3cret"))
    assert site.ask("/", Authorization=wrong)[0] == 401
    assert site.ask("/", Authorization=right)[0] == 200
    assert site.say(ONE.incident_id, {"verdict": "confirmed"})[0] == 401
    assert site.say(ONE.incident_id, {"verdict": "confirmed"}, Authorization=right)[0] == 200
    assert site.given[0].author == "jo"


def test_probes_tell_whether_there_is_something_to_show(site: Site) -> None:
    site.links = [Link("events", "catching_up", NOW_NS), Link("feedback", "missing", NOW_NS)]
    assert site.ask("/readyz")[0] == 503
    site.links = [Link("events", "live", NOW_NS, read_once=True), Link("feedback", "missing", NOW_NS)]
    status, _, body = site.ask("/readyz")
    assert (status, body) == (200, {"status": "ok", "topics": {"events": "live", "feedback": "missing"}})
    # An outage is told on the page, which must be reachable for that.
    site.links = [Link("events", "lost", NOW_NS, "no broker", read_once=True)]
    assert site.ask("/readyz")[::2] == (200, {"status": "ok", "topics": {"events": "lost"}})
    site.links = [Link("events", "lost", NOW_NS, "no broker")]
    assert site.ask("/healthz")[0] == 200
    assert site.ask("/readyz")[0] == 503


class Stream:
    """Reads server-sent events."""

    def __init__(self, site: Site, query: str = "", **headers: str) -> None:
        self._connection = site.connect()
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        self._connection.request("GET", f"/api/updates?{query}", headers=named)
        self.response = self._connection.getresponse()
        self.last_id = ""

    def next(self, kind: str) -> Any:
        """The data of the next event of a kind; others are passed over."""
        fields: dict[str, str] = {}
        while True:
            line = self.response.readline().decode()
            if not line:
                raise EOFError
            if line == "\n":
                self.last_id = fields.get("id", self.last_id)
                if fields.get("event") == kind:
                    return json.loads(fields["data"])
                fields = {}
            else:
                name, _, value = line.rstrip("\n").partition(": ")
                fields[name] = value

    def close(self) -> None:
        self._connection.close()


def test_changes_arrive_live_with_what_they_mean_for_the_filter(site: Site) -> None:
    site.board.take_events([record(ONE)])
    revision = site.ask("/api/incidents")[2]["revision"]
    stream = Stream(site, f"after={revision}&verdict=none")
    assert stream.response.headers["Content-Type"] == "text/event-stream"
    assert stream.next("status")["open"]["warning"] == 1
    site.board.take_events([record(OTHER)])
    found = stream.next("incident")
    assert (found["incident"]["series"], found["matches"]) == ("web-2", True)
    site.board.take_feedback([said(OTHER, "acknowledged")])
    found = stream.next("incident")
    assert (found["incident"]["acknowledged"]["author"], found["matches"]) == ("jo", False)
    stream.close()


def test_after_a_pause_a_stream_goes_on_where_it_was(site: Site) -> None:
    site.board.take_events([record(ONE)])
    stream = Stream(site, f"after={site.board.life}-0")
    assert stream.next("incident")["incident"]["series"] == "web-1"
    stream.close()
    site.board.take_events([record(OTHER)])
    again = Stream(site, "after=whatever", Last_Event_ID=stream.last_id)
    assert again.next("incident")["incident"]["series"] == "web-2"
    again.close()
    # Of another life of the board nothing is known, so the page begins anew.
    for name in ("00000000-1", f"{site.board.life}-%C2%B2", f"{site.board.life}-{'9' * 5000}", site.board.life, "-"):
        other = Stream(site, f"after={name}")
        assert other.next("reset") == {}
        other.close()


def test_a_proxy_that_cuts_silent_streams_is_kept_awake_whatever_wakes_them(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Verdicts on incidents that are not on the board, say, are nothing that a page is told of."""
    monkeypatch.setattr("detector.dashboard.updates._HEARTBEAT_SECONDS", 0.5)
    monkeypatch.setattr("detector.dashboard.updates._COALESCE_SECONDS", 0.01)
    stream = Stream(site)
    stream.next("status")
    ended = threading.Event()

    def wake() -> None:
        while not ended.wait(0.02):
            site.board.take_feedback([said(OTHER, "confirmed")])

    waking = threading.Thread(target=wake)
    waking.start()
    try:
        for _ in range(3):
            assert stream.next("status")["known"] == 0
    finally:
        ended.set()
        waking.join()
        stream.close()


def test_many_changes_at_once_are_one_new_list(site: Site) -> None:
    stream = Stream(site, f"after={site.board.life}-0")
    stream.next("status")
    site.board.take_events([record(event(f"{n:04}", series=f"s{n}")) for n in range(300)])
    stream.next("reset")
    stream.close()


def test_only_so_many_connections_are_open_at_once(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("detector.dashboard.server._MOST_CONNECTIONS", 3)
    place = urlsplit(site.url)

    def opened() -> socket.socket:
        return socket.create_connection((place.hostname or "", place.port or 0), timeout=20)

    idle = [opened() for _ in range(3)]
    try:
        with opened() as further:
            assert further.recv(1) == b""
    finally:
        for one in idle:
            one.close()
    deadline = time.monotonic() + 20
    while True:  # until it has noticed that they are gone
        try:
            assert site.ask("/healthz")[0] == 200
            break
        except (ConnectionError, http.client.HTTPException):
            assert time.monotonic() < deadline


def test_ending_lets_go_of_pages_that_listen(open_site: Callable[..., Site]) -> None:
    site = open_site()
    stream = Stream(site, f"after={site.board.life}-0")
    stream.next("status")
    site.close()
    with pytest.raises((EOFError, ConnectionError, http.client.HTTPException)):
        stream.next("incident")


def test_tls_is_spoken_and_a_renewed_certificate_taken_up(open_site: Callable[..., Site], tmp_path: Path) -> None:
    authority = trustme.CA()
    cert, key = tmp_path / "server.pem", tmp_path / "server.key"

    def issue() -> int:
        issued = authority.issue_cert("127.0.0.1")
        issued.cert_chain_pems[0].write_to_path(str(cert))
        issued.private_key_pem.write_to_path(str(key))
        return 0

    issue()
    site = open_site(tls={"cert_file": str(cert), "key_file": str(key)})
    assert site.url.startswith("https://")
    context = ssl.create_default_context()
    authority.configure_trust(context)

    def serial() -> str:
        connection = site.connect(context)
        connection.request("GET", "/healthz")
        assert connection.getresponse().status == 200
        found = connection.sock.getpeercert()  # type: ignore[union-attr]
        connection.close()
        return str(found["serialNumber"])  # type: ignore[index]

    first = serial()
    assert serial() == first
    issue()
    assert serial() != first


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"host": "no.such.host.invalid"}, "dashboard.host: 'no.such.host.invalid' is not an address of this machine"),
        ({"tls": {"cert_file": "/no/cert.pem", "key_file": "/no/key.pem"}}, "dashboard.tls"),
        ({"auth": {"username": "jo", "password_file": "/no/password"}}, "dashboard.auth.password_file: cannot read"),
    ],
)
def test_a_setting_that_cannot_be_used_is_named(
    open_site: Callable[..., Site], settings: dict[str, Any], message: str
) -> None:
    if "auth" in settings:
        with pytest.raises(ConfigError, match=message):
            BasicAuth(DashboardSettings.model_validate(settings).auth, "dashboard.auth")  # type: ignore[arg-type]
        return
    site = open_site(**settings)
    assert isinstance(site.error, ConfigError)
    assert message in str(site.error)


def test_a_port_that_is_taken_is_said(open_site: Callable[..., Site]) -> None:
    port = urlsplit(open_site().url).port
    site = open_site(port=port)
    assert isinstance(site.error, ConfigError)
    assert f"dashboard.port: {port} on 127.0.0.1 is taken by another process" in str(site.error)


def test_the_first_one_to_come_is_warned_of_a_page_that_all_may_see(open_site: Callable[..., Site]) -> None:
    with capture_logs() as logs:
        open_site(host="0.0.0.0")  # noqa: S104 - that is what is warned of
    (warning,) = (entry for entry in logs if entry["log_level"] == "warning")
    assert warning["event"] == "endpoints are open to everyone who reaches them"
    assert "set dashboard.tls or dashboard.auth" in warning["remedy"]
