"""Names, foreign pages, headers: what keeps others' pages away from this one."""

from __future__ import annotations

import pytest

from detector.dashboard.access import AllowedHosts, forgery, hostname
from detector.settings import DashboardSettings


@pytest.mark.parametrize(
    ("host", "allowed"),
    [
        ("localhost:9465", True),
        ("LOCALHOST", True),
        ("127.0.0.1:9465", True),
        ("[::1]:9465", True),
        ("192.0.2.7", True),
        ("board.example.org:443", True),
        ("board.example.org.", True),
        ("evil.example.org:9465", False),
        ("127.0.0.1.evil.example.org", False),
        ("localhost@evil.example.org", False),
        ("localhost/evil", False),
        ("", False),
        ("localhost:port", False),
        ("[::1", False),
    ],
)
def test_only_known_names_and_addresses_are_answered(host: str, allowed: bool) -> None:
    hosts = AllowedHosts(DashboardSettings(allowed_hosts=("Board.example.org",)))
    assert hosts.allow(host) is allowed


def test_the_name_that_is_listened_on_is_known() -> None:
    assert AllowedHosts(DashboardSettings(host="board.internal")).allow("board.internal:9465")
    assert hostname("Board.Internal.:9465") == "board.internal"


FOREIGN = "this was asked for by another page"
SENT = "this was sent by another page, or through a proxy that does not pass on the Host header"
JSON = {"Content-Type": "application/json", "Host": "localhost:9465"}


@pytest.mark.parametrize(
    ("method", "headers", "reason"),
    [
        ("GET", {}, None),
        ("GET", {"Sec-Fetch-Site": "none"}, None),
        ("GET", {"Sec-Fetch-Site": "cross-site"}, FOREIGN),
        ("GET", {"Sec-Fetch-Site": "same-site"}, FOREIGN),
        ("POST", JSON, None),
        ("POST", {**JSON, "Sec-Fetch-Site": "same-origin", "Origin": "http://localhost:9465"}, None),
        # Through a proxy that asks under a name of its own.
        ("POST", {**JSON, "Sec-Fetch-Site": "same-origin", "Origin": "https://board.example.org"}, None),
        ("POST", {**JSON, "Sec-Fetch-Site": "cross-site", "Origin": "http://localhost:9465"}, FOREIGN),
        ("POST", {**JSON, "Origin": "http://evil.example.org"}, SENT),
        ("POST", {**JSON, "Origin": "http://localhost:1"}, SENT),
        ("POST", {**JSON, "Origin": "null"}, SENT),
        ("POST", {"Content-Type": "text/plain"}, "send JSON, with the Content-Type application/json"),
        ("POST", {}, "send JSON, with the Content-Type application/json"),
    ],
)
def test_requests_of_foreign_pages_are_found_out(method: str, headers: dict[str, str], reason: str | None) -> None:
    assert forgery(method, headers) == reason
