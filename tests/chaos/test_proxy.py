"""The proxy does to connections what the chaos run needs."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator

import pytest

from detector.broker.ports import free_ports
from tests.chaos.proxy import Proxy


@pytest.fixture
def echo() -> Iterator[int]:
    """Port of a server that answers what it gets."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve(client: socket.socket) -> None:
        with client:
            try:
                while data := client.recv(100):
                    client.sendall(data)
            except OSError:
                return

    def accept() -> None:
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=serve, args=(client,), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    yield listener.getsockname()[1]
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()


@pytest.fixture
def proxied(echo: int) -> Iterator[tuple[Proxy, int]]:
    (port,) = free_ports(1)
    with Proxy({port: echo}) as proxy:
        yield proxy, port


def connect(port: int) -> socket.socket:
    return socket.create_connection(("127.0.0.1", port), timeout=10)


def ask(client: socket.socket, what: bytes = b"hello") -> bytes:
    client.sendall(what)
    return client.recv(100)


def is_broken(client: socket.socket) -> bool:
    try:
        return client.recv(100) == b""
    except ConnectionError:
        return True


def test_forwards(proxied: tuple[Proxy, int]) -> None:
    with connect(proxied[1]) as client:
        assert ask(client) == b"hello"


def test_cut_breaks_what_is_open_and_nothing_else(proxied: tuple[Proxy, int]) -> None:
    proxy, port = proxied
    with connect(port) as client:
        assert ask(client) == b"hello"
        proxy.cut()
        assert is_broken(client)
    with connect(port) as client:
        assert ask(client) == b"hello"


def test_delay_holds_both_directions_up(proxied: tuple[Proxy, int]) -> None:
    proxy, port = proxied
    with connect(port) as client:
        ask(client)
        proxy.delay(0.1)
        started = time.monotonic()
        assert ask(client) == b"hello"
        assert time.monotonic() - started >= 0.2
        proxy.heal()


def test_mute_withholds_answers_until_the_connection_breaks(proxied: tuple[Proxy, int]) -> None:
    proxy, port = proxied
    with connect(port) as client:
        assert ask(client) == b"hello"
        proxy.mute()
        client.sendall(b"who is there")
        client.settimeout(0.3)
        with pytest.raises(TimeoutError):
            client.recv(100)
        proxy.heal()
        client.settimeout(10)
        assert is_broken(client)
    with connect(port) as client:
        assert ask(client) == b"hello"


def test_an_upstream_that_is_away_breaks_the_connection() -> None:
    port, nobody = free_ports(2)
    with Proxy({port: nobody}), connect(port) as client:
        assert is_broken(client)
