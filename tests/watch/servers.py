"""Prometheus, Alertmanager and whoever is told, as processes and threads of a test."""

from __future__ import annotations

import json
import subprocess
import threading
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import yaml

from detector.broker.ports import free_ports
from tests.support.waiting import until


def ask(url: str, document: Any = None) -> Any:
    """The JSON answer of a server; with a document it is posted."""
    body = None if document is None else json.dumps(document).encode()
    headers = {"Content-Type": "application/json"} if body else {}
    request = urllib.request.Request(url, body, headers)  # noqa: S310
    with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310
        text = answer.read()
    return json.loads(text) if text else None


@dataclass(frozen=True)
class Prometheus:
    """A running server."""

    url: str

    def _get(self, path: str, **parameters: Any) -> Any:
        try:
            return ask(f"{self.url}/api/v1/{path}?{urllib.parse.urlencode(parameters, doseq=True)}")["data"]
        except urllib.error.HTTPError as error:
            raise AssertionError(f"{path} {parameters}: {error.read().decode()}") from error

    def query(self, expression: str, at: float | None = None) -> list[tuple[dict[str, str], float]]:
        """Labels and value of each series of an instant query; a scalar has no labels."""
        found = self._get("query", query=expression, **({} if at is None else {"time": at}))
        if found["resultType"] == "scalar":
            return [({}, float(found["result"][1]))]
        return [(one["metric"], float(one["value"][1])) for one in found["result"]]

    def samples(self, selector: str, at: float, seconds: int) -> dict[str, list[tuple[float, float]]]:
        """The raw samples of the last ``seconds`` before ``at``, by the labels as JSON."""
        found = self._get("query", query=f"{selector}[{seconds}s]", time=at)["result"]
        return {
            json.dumps(one["metric"], sort_keys=True): [(float(t), float(v)) for t, v in one["values"]] for one in found
        }

    def label_values(self, label: str, matching: str | None = None) -> list[str]:
        return self._get(f"label/{label}/values", **({} if matching is None else {"match[]": matching}))

    def rules(self) -> list[dict[str, Any]]:
        """All rules, with their state."""
        return [rule for group in self._get("rules")["groups"] for rule in group["rules"]]

    def alerts(self) -> list[dict[str, Any]]:
        return self._get("alerts")["alerts"]

    def targets(self) -> list[dict[str, Any]]:
        return self._get("targets")["activeTargets"]


@contextmanager
def running_prometheus(
    program: Path, folder: Path, configuration: Mapping[str, Any], *, data: Path | None = None
) -> Iterator[Prometheus]:
    """A server of its own in ``folder``, ready to be asked; it keeps data of any age."""
    (port,) = free_ports(1)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "prometheus.yaml").write_text(yaml.safe_dump(dict(configuration)))
    arguments = [
        f"--config.file={folder / 'prometheus.yaml'}", f"--storage.tsdb.path={data or folder / 'data'}",
        f"--web.listen-address=127.0.0.1:{port}", "--storage.tsdb.retention.time=100y", "--log.level=warn",
    ]  # fmt: skip
    with _process([str(program), *arguments], folder / "prometheus.log", f"http://127.0.0.1:{port}/-/ready"):
        yield Prometheus(f"http://127.0.0.1:{port}")


@dataclass(frozen=True)
class Alertmanager:
    """A running server."""

    url: str

    def alerts(self) -> list[dict[str, Any]]:
        """All alerts, with what silences or inhibits them."""
        return ask(f"{self.url}/api/v2/alerts")

    def send(self, *alerts: Mapping[str, Any]) -> None:
        """As Prometheus sends them."""
        ask(f"{self.url}/api/v2/alerts", list(alerts))


@contextmanager
def running_alertmanager(program: Path, folder: Path, configuration: Mapping[str, Any]) -> Iterator[Alertmanager]:
    """A server of its own in ``folder``; files that the configuration names lie where it says."""
    (port,) = free_ports(1)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "alertmanager.yaml").write_text(yaml.safe_dump(dict(configuration)))
    arguments = [
        f"--config.file={folder / 'alertmanager.yaml'}", f"--storage.path={folder / 'data'}",
        f"--web.listen-address=127.0.0.1:{port}", "--cluster.listen-address=", "--log.level=warn",
    ]  # fmt: skip
    with _process([str(program), *arguments], folder / "alertmanager.log", f"http://127.0.0.1:{port}/-/ready"):
        yield Alertmanager(f"http://127.0.0.1:{port}")


@contextmanager
def _process(arguments: list[str], log: Path, ready: str) -> Iterator[None]:
    with log.open("wb") as output:
        process = subprocess.Popen(arguments, stdout=output, stderr=subprocess.STDOUT)
    try:

        def answers() -> bool:
            assert process.poll() is None, f"{arguments[0]} ended: {log.read_text()[-3000:]}"
            try:
                with urllib.request.urlopen(ready, timeout=5) as answer:  # noqa: S310
                    return answer.status == 200
            except OSError:
                return False

        until(answers, f"{arguments[0]} to be ready")
        yield
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@dataclass
class Webhook:
    """Whoever is told by Alertmanager: keeps each notification."""

    url: str = ""
    told: list[dict[str, Any]] = field(default_factory=list)

    def alerts(self, status: str, **labels: str) -> list[dict[str, Any]]:
        """Alerts with this status and these labels that notifications have told of."""
        return [
            alert
            for notification in list(self.told)
            for alert in notification["alerts"]
            if alert["status"] == status and labels.items() <= alert["labels"].items()
        ]


@contextmanager
def listening_webhook() -> Iterator[Webhook]:
    webhook = Webhook()

    class Handler(_Quiet):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            webhook.told.append({**json.loads(body), "path": self.path})
            self.answer(b"")

    with _serving(Handler) as target:
        webhook.url = f"http://{target}"
        yield webhook


@contextmanager
def served(text: Callable[[], bytes]) -> Iterator[str]:
    """host:port where ``/metrics`` is the present text."""

    class Handler(_Quiet):
        def do_GET(self) -> None:
            self.answer(text())

    with _serving(Handler) as target:
        yield target


class _Quiet(BaseHTTPRequestHandler):
    def answer(self, body: bytes) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/plain; version=0.0.4")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        pass


@contextmanager
def _serving(handler: type[BaseHTTPRequestHandler]) -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
