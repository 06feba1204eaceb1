"""The endpoints over real sockets."""

from __future__ import annotations

import http.client
import json
import socket
from collections.abc import Iterator

import pytest
from prometheus_client import CollectorRegistry, Counter
from prometheus_client.registry import Collector

from detector.errors import ConfigError
from detector.observability.health import Health
from detector.observability.http import HttpServer
from detector.settings import HttpSettings


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def health(clock: Clock) -> Health:
    return Health(clock, stalled_after_seconds=60.0, conditions=("model", "assignment"))


@pytest.fixture
def registry() -> CollectorRegistry:
    return CollectorRegistry()


@pytest.fixture
def server(registry: CollectorRegistry, health: Health) -> Iterator[HttpServer]:
    with HttpServer(HttpSettings(port=0), registry, health) as found:
        yield found


def ask(
    server: HttpServer, path: str, method: str = "GET", accept: str | None = None
) -> tuple[int, dict[str, str], bytes]:
    connection = http.client.HTTPConnection(*server.address, timeout=60)
    try:
        connection.request(method, path, headers={} if accept is None else {"Accept": accept})
        response = connection.getresponse()
        return response.status, {key.lower(): value for key, value in response.getheaders()}, response.read()
    finally:
        connection.close()


def test_metrics_in_both_formats(server: HttpServer, registry: CollectorRegistry) -> None:
    Counter("seen", "text", registry=registry).inc(3)
    status, headers, body = ask(server, "/metrics?x=1")
    assert (status, headers["content-type"]) == (200, "text/plain; version=0.0.4; charset=utf-8")
    assert b"seen_total 3.0\n" in body
    status, headers, body = ask(server, "/metrics", accept="application/openmetrics-text; version=1.0.0")
    assert status == 200
    assert headers["content-type"].startswith("application/openmetrics-text; version=1.0.0")
    assert body.endswith(b"# EOF\n")


def test_healthz_fails_when_the_loop_stalls_and_recovers(server: HttpServer, health: Health, clock: Clock) -> None:
    clock.now += 60.0
    status, headers, body = ask(server, "/healthz")
    assert (status, headers["content-type"]) == (200, "application/json; charset=utf-8")
    assert json.loads(body) == {"status": "ok", "reasons": {}, "seconds_since_progress": 60.0}
    clock.now += 0.5
    status, _, body = ask(server, "/healthz")
    assert status == 503
    assert json.loads(body) == {
        "status": "unavailable",
        "reasons": {"loop": "no progress for 60.5 s; the limit is 60 s"},
        "seconds_since_progress": 60.5,
    }
    health.loop_progress()
    assert ask(server, "/healthz")[0] == 200


def test_readyz_needs_every_condition(server: HttpServer, health: Health) -> None:
    status, _, body = ask(server, "/readyz")
    assert status == 503
    assert json.loads(body)["reasons"] == {"model": "not yet", "assignment": "not yet"}
    health.set_ready("model")
    health.set_not_ready("assignment", "2 partitions are being restored")
    status, _, body = ask(server, "/readyz")
    assert status == 503
    assert json.loads(body)["reasons"] == {"assignment": "2 partitions are being restored"}
    health.set_ready("assignment")
    assert ask(server, "/readyz")[0] == 200


def test_a_stalled_worker_is_not_ready(server: HttpServer, health: Health, clock: Clock) -> None:
    health.set_ready("model")
    health.set_ready("assignment")
    clock.now += 61.0
    assert list(json.loads(ask(server, "/readyz")[2])["reasons"]) == ["loop"]


def test_a_failure_fails_both_probes(server: HttpServer, health: Health) -> None:
    health.set_ready("model")
    health.set_ready("assignment")
    health.set_failed("fenced")
    for path in ("/healthz", "/readyz"):
        status, _, body = ask(server, path)
        assert (status, json.loads(body)["reasons"]) == (503, {"worker": "fenced"})


def test_an_unknown_condition_is_an_error(health: Health) -> None:
    with pytest.raises(ValueError, match=r"'typo' is not one of the conditions \['assignment', 'model'\]"):
        health.set_ready("typo")


@pytest.mark.parametrize("path", ["/", "/metrics/", "/healthz2", "/../etc/passwd"])
def test_other_paths_are_not_found(server: HttpServer, path: str) -> None:
    status, _, body = ask(server, path)
    assert status == 404
    assert json.loads(body) == {"error": "no such path", "paths": ["/metrics", "/healthz", "/readyz"]}


@pytest.mark.parametrize(("path", "status"), [("/metrics", 200), ("/healthz", 200), ("/readyz", 503), ("/x", 404)])
def test_head_answers_like_get_without_a_body(server: HttpServer, path: str, status: int) -> None:
    got = ask(server, path, "HEAD")
    assert (got[0], got[2]) == (status, b"")
    assert got[1]["content-length"] == str(len(ask(server, path)[2]))


def test_other_methods_are_refused(server: HttpServer) -> None:
    assert ask(server, "/metrics", "POST")[0] == 501


def test_a_collector_that_raises_is_an_answer_not_a_hang(server: HttpServer, registry: CollectorRegistry) -> None:
    class Broken(Collector):
        def describe(self) -> list[object]:  # type: ignore[override]
            return []

        def collect(self) -> list[object]:  # type: ignore[override]
            raise RuntimeError("secret detail")

    registry.register(Broken())
    status, _, body = ask(server, "/metrics")
    assert (status, json.loads(body)) == (500, {"error": "see the worker's log"})
    assert ask(server, "/healthz")[0] == 200


def test_a_client_that_leaves_early_harms_nobody(server: HttpServer) -> None:
    for _ in range(3):
        with socket.create_connection(server.address) as connection:
            connection.sendall(b"GET /metr")
    assert ask(server, "/healthz")[0] == 200


def test_a_taken_port_names_the_setting(server: HttpServer, registry: CollectorRegistry, health: Health) -> None:
    port = server.address[1]
    second = HttpServer(HttpSettings(port=port), registry, health)
    with pytest.raises(ConfigError) as error:
        second.start()
    assert str(error.value) == (
        f"http.port: {port} on 127.0.0.1 is taken by another process; choose another port, or 0 for any that is free"
    )
    second.stop()


@pytest.mark.parametrize("host", ["192.0.2.1", "no-such-host.invalid"])
def test_a_foreign_address_names_the_setting(registry: CollectorRegistry, health: Health, host: str) -> None:
    with pytest.raises(
        ConfigError, match=rf"^http\.host: '{host}' is not an address of this machine; use 127\.0\.0\.1"
    ):
        HttpServer(HttpSettings(host=host, port=0), registry, health).start()


def test_stopping_frees_the_port(registry: CollectorRegistry, health: Health) -> None:
    server = HttpServer(HttpSettings(port=0), registry, health)
    server.start()
    host, port = server.address
    assert server.url == f"http://{host}:{port}"
    server.stop()
    server.stop()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((host, port), timeout=5)
    with HttpServer(HttpSettings(port=port), registry, health) as again:
        assert again.address == (host, port)


def test_starting_twice_is_an_error(server: HttpServer) -> None:
    with pytest.raises(RuntimeError, match="runs already"):
        server.start()


def test_the_address_of_a_server_that_does_not_run(registry: CollectorRegistry, health: Health) -> None:
    with pytest.raises(RuntimeError, match="not running"):
        _ = HttpServer(HttpSettings(port=0), registry, health).address
