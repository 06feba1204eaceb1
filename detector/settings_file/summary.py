"""Settings in a few lines, without secrets."""

from __future__ import annotations

from collections.abc import Iterator

from detector.settings import HttpSettings, Settings, StreamSettings
from detector.settings_file.fingerprint import fingerprint


def summary_lines(settings: Settings) -> Iterator[str]:
    """Where the worker connects, what it reads, and what it writes."""
    kafka, worker, topics = settings.kafka, settings.worker, settings.topics
    login = f", {kafka.sasl.mechanism}" if kafka.sasl is not None else ""
    yield f"kafka: {', '.join(kafka.bootstrap_servers)} ({kafka.security_protocol}{login})"
    yield f"worker: {worker.instance} of group {worker.group}, {worker.delivery.replace('_', ' ')}"
    for stream in settings.streams:
        yield _stream_line(stream)
    yield f"writes: {topics.events}, {topics.dead_letters}, {topics.state}, {topics.epochs}"
    yield f"serves: {_endpoints(settings.http)}"


def _stream_line(stream: StreamSettings) -> str:
    record = stream.record
    series = "/".join(record.series_fields) or "record key"
    time = record.time_field or "record timestamp"
    layout = f"{record.decoder}, {record.layout}; series: {series}; time: {time}"
    shadow = f", shadow {stream.shadow.model}" if stream.shadow is not None else ""
    model = f"model {stream.model}{shadow}, settings {fingerprint(stream)[:12]}"
    return f"stream {stream.name}: topic {stream.topic} ({layout}), {model}"


def _endpoints(http: HttpSettings) -> str:
    asked = ["certificate"] if http.tls is not None and http.tls.client_ca_file is not None else []
    asked += ["login"] if http.auth is not None else []
    scheme = "http" if http.tls is None else "https"
    return f"{scheme}://{http.host}:{http.port}/metrics" + (f" (asks for: {', '.join(asked)})" if asked else "")
