"""Who gets in at the endpoints, over real sockets with real certificates."""

from __future__ import annotations

import base64
import contextlib
import http.client
import json
import os
import socket
import ssl
import time
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import trustme
from prometheus_client import CollectorRegistry
from pydantic import ValidationError
from structlog.testing import capture_logs

from detector.errors import ConfigError
from detector.observability import http_connections
from detector.observability.health import Health
from detector.observability.http import HttpServer
from detector.settings import HttpSettings

PASSWORD = "correct: horse ✓"
EVERYWHERE = "0.0.0.0"  # noqa: S104 - what is warned about
LOGIN = {"auth": {"username": "prometheus", "password": PASSWORD}}


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def tls(authority: trustme.CA, tmp_path: Path) -> dict[str, Path]:
    return issue(authority, tmp_path)


def issue(authority: trustme.CA, folder: Path) -> dict[str, Path]:
    certificate = authority.issue_cert("127.0.0.1")
    paths = {"cert_file": folder / "server.pem", "key_file": folder / "server.key"}
    certificate.private_key_pem.write_to_path(paths["key_file"])
    paths["key_file"].chmod(0o600)
    paths["cert_file"].write_bytes(b"".join(blob.bytes() for blob in certificate.cert_chain_pems))
    return paths


def trusting(authority: trustme.CA, client: trustme.LeafCert | None = None) -> ssl.SSLContext:
    context = ssl.create_default_context()
    authority.configure_trust(context)
    if client is not None:
        client.configure_cert(context)
    return context


@contextlib.contextmanager
def serving(**settings: object) -> Iterator[HttpServer]:
    health = Health(time.monotonic, 60.0, ("model",))
    server = HttpServer(HttpSettings.model_validate({"port": 0, **settings}), CollectorRegistry(), health)
    with server:
        yield server


def ask(
    server: HttpServer, path: str = "/metrics", context: ssl.SSLContext | None = None, authorization: str | None = None
) -> tuple[int, Mapping[str, str], bytes]:
    host, port = server.address
    connection = (
        http.client.HTTPConnection(host, port, timeout=60)
        if context is None
        else http.client.HTTPSConnection(host, port, timeout=60, context=context)
    )
    with contextlib.closing(connection):
        connection.request("GET", path, headers={} if authorization is None else {"Authorization": authorization})
        response = connection.getresponse()
        return response.status, {key.lower(): value for key, value in response.getheaders()}, response.read()


def basic(username: str = "prometheus", password: str = PASSWORD, scheme: str = "Basic") -> str:
    return f"{scheme} {base64.b64encode(f'{username}:{password}'.encode()).decode()}"


def warnings_of(logs: list[Any]) -> list[Any]:
    # A thread of an earlier test may still have something to say at debug level.
    return [line for line in logs if line["log_level"] == "warning"]


class TestTls:
    def test_answers_over_tls_only(self, tls: dict[str, Path], authority: trustme.CA) -> None:
        with serving(tls=tls) as server:
            assert server.url == f"https://127.0.0.1:{server.address[1]}"
            assert ask(server, context=trusting(authority))[0] == 200
            with pytest.raises((http.client.HTTPException, ConnectionError)):
                ask(server)  # plain HTTP
            assert ask(server, "/healthz", trusting(authority))[0] == 200

    def test_old_versions_of_tls_are_refused(self, tls: dict[str, Path], authority: trustme.CA) -> None:
        context = trusting(authority)
        context.set_ciphers("DEFAULT@SECLEVEL=0")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            context.minimum_version = ssl.TLSVersion.TLSv1
            context.maximum_version = ssl.TLSVersion.TLSv1_1
        with serving(tls=tls) as server, pytest.raises((ssl.SSLError, ConnectionError)):
            ask(server, context=context)

    def test_mutual_tls_lets_in_who_has_a_certificate(
        self, tls: dict[str, Path], authority: trustme.CA, tmp_path: Path
    ) -> None:
        clients = trustme.CA()
        clients.cert_pem.write_to_path(tmp_path / "clients.pem")
        with serving(tls={**tls, "client_ca_file": tmp_path / "clients.pem"}) as server:
            assert ask(server, context=trusting(authority, clients.issue_cert("prometheus.example")))[0] == 200
            for stranger in (None, trustme.CA().issue_cert("prometheus.example"), authority.issue_cert("x.example")):
                with pytest.raises((ssl.SSLError, ConnectionError, http.client.RemoteDisconnected)):
                    ask(server, context=trusting(authority, stranger))
            assert ask(server, context=trusting(authority, clients.issue_cert("prometheus.example")))[0] == 200

    def test_a_renewed_certificate_is_taken_up(self, tls: dict[str, Path], tmp_path: Path) -> None:
        first, second = trustme.CA(), trustme.CA()
        issue(first, tmp_path)
        with serving(tls=tls) as server:
            assert ask(server, context=trusting(first))[0] == 200
            (tmp_path / "server.key").write_text("half a key")
            with capture_logs() as logs:
                assert ask(server, context=trusting(first))[0] == 200
            assert [line["event"] for line in warnings_of(logs)] == ["renewed certificate cannot be used"]
            issue(second, tmp_path)
            os.utime(tmp_path / "server.key", ns=(1, 1))
            assert ask(server, context=trusting(second))[0] == 200

    @pytest.mark.parametrize(
        ("change", "message"),
        [
            ({"cert_file": "none.pem"}, "http.tls.cert_file: cannot read none.pem: No such file or directory"),
            (
                {"client_ca_file": "none.pem"},
                "http.tls.client_ca_file: cannot read none.pem: No such file or directory",
            ),
            ({"client_ca_file": __file__}, f"http.tls.client_ca_file: {__file__} holds no PEM certificate"),
        ],
    )
    def test_files_that_cannot_be_used(self, tls: dict[str, Path], change: dict[str, str], message: str) -> None:
        with pytest.raises(ConfigError) as caught, serving(tls={**tls, **change}):
            pass
        assert str(caught.value) == message

    def test_a_key_of_another_certificate(self, tls: dict[str, Path], authority: trustme.CA, tmp_path: Path) -> None:
        authority.issue_cert("x").private_key_pem.write_to_path(tls["key_file"])
        with pytest.raises(ConfigError, match=r"http\.tls: the key in .* does not belong to the certificate in"):
            serving(tls=tls).__enter__()


class TestLogin:
    def test_metrics_need_it(self) -> None:
        with serving(**LOGIN) as server:
            status, headers, body = ask(server)
            assert status == 401
            assert headers["www-authenticate"] == 'Basic realm="reconstream", charset="UTF-8"'
            assert json.loads(body) == {"error": "log in"}
            assert ask(server, authorization=basic())[0] == 200
            assert ask(server, authorization=basic(scheme="bAsIc"))[0] == 200

    @pytest.mark.parametrize(
        "authorization",
        [
            basic(password="wrong"), basic(username="other"), basic(password=""), basic(password=PASSWORD + "x"),
            basic(scheme="Bearer"), basic().removeprefix("Basic "), "Basic", "Basic ", "Basic =", "Basic \xff\xfe",
            "Basic " + "A" * 5000, "", "basic " + base64.b64encode(b"\xff:\xff").decode(),
        ],
    )  # fmt: skip
    def test_nothing_else_is_let_in(self, authorization: str) -> None:
        with serving(**LOGIN) as server:
            assert ask(server, authorization=authorization)[0] == 401
            assert ask(server, "/other", authorization=authorization)[0] == 401

    def test_probes_answer_without_it_but_do_not_say_why(self) -> None:
        with serving(**LOGIN) as server:
            status, _, body = ask(server, "/readyz")
            assert (status, json.loads(body)) == (503, {"status": "unavailable"})
            status, _, body = ask(server, "/readyz", authorization=basic())
            assert (status, json.loads(body)["reasons"]) == (503, {"model": "not yet"})
            assert ask(server, "/healthz")[0] == 200

    def test_probes_can_be_closed(self) -> None:
        with serving(auth={**LOGIN["auth"], "open_probes": False}) as server:
            assert ask(server, "/healthz")[0] == ask(server, "/readyz")[0] == 401
            assert ask(server, "/healthz", authorization=basic())[0] == 200

    def test_password_from_a_file(self, tmp_path: Path) -> None:
        file = tmp_path / "password"
        file.write_text(f"{PASSWORD}\n")
        file.chmod(0o600)
        with serving(auth={"username": "prometheus", "password_file": file}) as server:
            assert ask(server, authorization=basic())[0] == 200
            assert ask(server)[0] == 401

    @pytest.mark.parametrize(
        ("auth", "message"),
        [
            ({"username": "u"}, "needs exactly one of password and password_file; it has neither"),
            (
                {"username": "u", "password": "p", "password_file": "f"},
                "exactly one of password and password_file; it has both",
            ),
            ({"username": "u", "password": ""}, "password is empty; set one, or remove the section"),
            ({"username": "a:b", "password": "p"}, "String should match pattern"),
        ],
    )
    def test_settings_that_make_no_sense(self, auth: dict[str, str], message: str) -> None:
        with pytest.raises(ValidationError) as caught:
            HttpSettings.model_validate({"auth": auth})
        assert message in str(caught.value)

    def test_refusals_are_told_once_and_show_no_password(self) -> None:
        with capture_logs() as logs, serving(**LOGIN) as server:
            for _ in range(5):
                ask(server, authorization=basic(password="nearly right"))
        assert [line["event"] for line in warnings_of(logs)] == ["requests without the right login"]
        encoded = basic(password="nearly right").partition(" ")[2]
        assert "nearly right" not in str(logs)
        assert encoded not in str(logs)


class TestClientsThatHoldOn:
    @pytest.mark.parametrize("encrypted", [False, True])
    def test_silent_ones_keep_nobody_waiting(
        self, tls: dict[str, Path], authority: trustme.CA, encrypted: bool
    ) -> None:
        context = trusting(authority) if encrypted else None
        with serving(tls=tls if encrypted else None) as server, contextlib.ExitStack() as silent:
            for _ in range(20):
                silent.enter_context(socket.create_connection(server.address))
            for _ in range(3):
                assert ask(server, context=context)[0] == 200

    def test_too_many_are_sent_away_and_leave_no_trace(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(http_connections, "MAX_CONNECTIONS", 3)
        with serving() as server:
            with contextlib.ExitStack() as silent:
                for _ in range(3):
                    silent.enter_context(socket.create_connection(server.address))
                with pytest.raises((ConnectionError, http.client.RemoteDisconnected)):
                    ask(server)
            answered_within(server)

    def test_one_that_drips_is_ended(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(http_connections, "CONNECTION_SECONDS", 0.3)
        with serving() as server, socket.create_connection(server.address, timeout=20) as slow:
            with pytest.raises(ConnectionError):
                drip(slow)
            answered_within(server)  # a busy machine may not answer within the third of a second


def drip(connection: socket.socket) -> None:
    """Send a byte at a time, each well within the limit of silence."""
    while True:
        connection.sendall(b"G")
        time.sleep(0.05)


def answered_within(server: HttpServer, seconds: float = 20) -> None:
    end = time.monotonic() + seconds
    while True:
        try:
            assert ask(server)[0] == 200
        except (ConnectionError, http.client.RemoteDisconnected):
            assert time.monotonic() < end
            time.sleep(0.05)
        else:
            return


class TestWarnings:
    @pytest.mark.parametrize(
        ("settings", "events"),
        [
            ({"host": "127.0.0.1"}, []),
            ({"host": "localhost"}, []),
            ({"host": EVERYWHERE}, ["endpoints are open to everyone who reaches them"]),
            ({"host": EVERYWHERE, **LOGIN}, ["login to the endpoints crosses the network unencrypted"]),
        ],
    )
    def test_open_endpoints_are_warned_about(self, settings: dict[str, object], events: list[str]) -> None:
        with capture_logs() as logs, serving(**settings):
            pass
        assert [line["event"] for line in warnings_of(logs)] == events
        assert all("http.tls" in line["remedy"] for line in warnings_of(logs))

    def test_not_with_tls(self, tls: dict[str, Path]) -> None:
        with capture_logs() as logs, serving(host=EVERYWHERE, tls=tls):
            pass
        assert warnings_of(logs) == []

    def test_a_key_that_all_may_read(self, tls: dict[str, Path]) -> None:
        tls["key_file"].chmod(0o644)
        with capture_logs() as logs, serving(tls=tls):
            pass
        (line,) = warnings_of(logs)
        assert line["event"] == "secret file is open to every user"
        assert (line["setting"], line["mode"]) == ("http.tls.key_file", "0644")
        assert line["remedy"] == f"chmod o-rw {tls['key_file']}"
