"""``detector health`` against the worker's own server, over real sockets with real certificates."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import trustme
from prometheus_client import CollectorRegistry

from detector.observability.health import Health
from detector.observability.http import HttpServer
from detector.settings import HttpSettings
from tests.observability.test_http_access import issue
from tests.support.commands import Command

Asked = Callable[..., tuple[Any, str, str]]


@pytest.fixture
def asked(command: Command) -> Asked:
    """``asked(argument, ...)``: exit status, and what the command said."""

    def run(*arguments: object) -> tuple[Any, str, str]:
        ended = command("health", *arguments)
        return ended.code, " ".join(ended.out.split()), ended.said

    return run


@pytest.fixture
def health() -> Health:
    return Health(time.monotonic, 60.0, ("model",))


@pytest.fixture
def port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


Serve = Callable[..., Path]


@pytest.fixture
def serve(health: Health, port: int, tmp_path: Path) -> Iterator[Serve]:
    """``serve(**settings of http)``: starts the endpoints; the configuration file of their worker."""
    running: list[HttpServer] = []

    def start(**settings: Any) -> Path:
        server = HttpServer(HttpSettings.model_validate({"port": port, **settings}), CollectorRegistry(), health)
        server.start()
        running.append(server)
        path = tmp_path / "detector.yaml"
        document = {"http": {"port": port, **settings}, "streams": [{"name": "s", "topic": "t", "model": "m"}]}
        path.write_text(json.dumps(document, default=str))
        return path

    yield start
    for server in running:
        server.stop()


def test_a_worker_that_is_well_but_not_ready_and_then_is(asked: Asked, serve: Serve, health: Health, port: int) -> None:
    config = serve()
    code, out, err = asked("-c", config)
    assert (code, err) == (0, "")
    assert out.endswith(f"ok: http://127.0.0.1:{port}/healthz")  # after what the server of this process logs
    code, out, err = asked("-c", config, "--ready")
    assert code == 12
    assert err == f"error: http://127.0.0.1:{port}/readyz answers 503: model: not yet"
    health.set_ready("model")
    assert asked("-c", config, "--ready")[0] == 0


def test_a_worker_that_failed_says_why(asked: Asked, serve: Serve, health: Health) -> None:
    config = serve()
    health.set_failed("the disk is on fire")
    code, _, err = asked("-c", config)
    assert code == 12
    assert "the disk is on fire" in err


def test_nobody_listens(asked: Asked, port: int) -> None:
    assert asked(f"http://127.0.0.1:{port}/healthz") == (
        12, "", f"error: http://127.0.0.1:{port}/healthz does not answer: Connection refused",
    )  # fmt: skip


def test_somebody_listens_and_does_not_answer(asked: Asked) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        code, _, err = asked(f"http://127.0.0.1:{silent.getsockname()[1]}/", "--timeout", "100ms")
    assert code == 12
    assert err.endswith("does not answer: timed out")


def test_an_address_is_asked_as_it_is_written(asked: Asked, serve: Serve, port: int) -> None:
    serve()
    assert asked(f"http://localhost:{port}/healthz")[0] == 0
    code, _, err = asked(f"http://127.0.0.1:{port}/nowhere")
    assert code == 12
    assert err.endswith("/nowhere answers 404: no such path")


@pytest.mark.parametrize("host", ["0.0.0.0", "127.0.0.1", "localhost"])  # noqa: S104 - listens there, as in a container
def test_whatever_the_worker_listens_on_is_reached(asked: Asked, serve: Serve, host: str) -> None:
    assert asked("-c", serve(host=host))[0] == 0


def test_probes_behind_a_login(asked: Asked, serve: Serve, health: Health, tmp_path: Path, port: int) -> None:
    secret = tmp_path / "password"
    secret.write_text("correct: horse ✓\n")
    secret.chmod(0o600)
    config = serve(auth={"username": "probe", "password_file": secret, "open_probes": False})
    assert asked("-c", config)[0] == 0
    # Who logs in is told the reasons.
    assert asked("-c", config, "--ready")[2].endswith("answers 503: model: not yet")
    assert asked(f"http://127.0.0.1:{port}/healthz")[2].endswith("answers 401: log in")


def test_probes_behind_a_clients_certificate(asked: Asked, serve: Serve, tmp_path: Path, port: int) -> None:
    authority = trustme.CA()
    ca = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(ca)
    files = issue(authority, tmp_path)
    config = serve(tls={**files, "client_ca_file": ca})
    assert asked("-c", config)[0] == 2
    assert "give --cert-file and --key-file" in asked("-c", config)[2]
    # A worker's own certificate will do, where the same authority issued it.
    client = ["--cert-file", files["cert_file"], "--key-file", files["key_file"]]
    assert asked("-c", config, *client)[0] == 0
    assert asked("-c", config, *client, "--ca-file", ca)[0] == 0
    assert asked(f"https://127.0.0.1:{port}/healthz", *client, "--ca-file", ca)[0] == 0
    code, _, err = asked(f"https://127.0.0.1:{port}/healthz", *client)
    assert code == 12, "an address is asked with verification"
    assert "CERTIFICATE_VERIFY_FAILED" in err.upper() or "certificate verify failed" in err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "give either an address, or -c with the worker's configuration file"),
        (["http://x/", "-c", "{config}"], "give either an address, or -c with the worker's configuration file"),
        (["http://x/", "--ready"], "--ready is for -c; with an address, write the path that is to be asked into it"),
        (["127.0.0.1:9464"], "'127.0.0.1:9464' is no address; write it like http://127.0.0.1:9464/healthz"),
        (["http://x:port/"], "'http://x:port/' is no address"),
        (["https://x/", "--cert-file", "a.pem"], "--cert-file and --key-file belong together; give both"),
        (["https://x/", "--cert-file", "a.pem", "--key-file", "a.key"], "--cert-file: cannot read a.pem: No such file"),
        (["https://x/", "--cert-file", "{config}", "--key-file", "{config}"], "are no PEM certificate with its own"),
        (["https://x/", "--ca-file", "gone.pem"], "--ca-file: cannot read gone.pem: No such file"),
        (["http://x/", "--timeout", "soon"], "--timeout: "),
        (["-c", "{config}"], "http.port is 0, so that nobody knows it beforehand; give the worker a port, or name the"),
    ],
)
def test_what_cannot_be_asked(asked: Asked, tmp_path: Path, arguments: list[str], message: str) -> None:
    config = tmp_path / "detector.yaml"
    config.write_text(json.dumps({"http": {"port": 0}, "streams": [{"name": "s", "topic": "t", "model": "m"}]}))
    code, out, err = asked(*(argument.format(config=config) for argument in arguments))
    assert (code, out) == (2, "")
    assert message in err
