"""A dashboard over a real broker: events of a real model's replay, and prepared ones that nobody would wait for."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from kafka import KafkaProducer

from detector.alerting.events import ChannelDetail, Event, ModelDetail, SourceDetail, encode
from detector.alerting.timestamps import format_time
from detector.broker import LocalBroker
from detector.feedback.verdicts import Verdict, encode_verdict
from detector.settings import DashboardSettings
from tests.end_to_end.conftest import SERIES, bundle_dir, records
from tests.support.commands import status_of

__all__ = ["bundle_dir"]

SECOND_NS = 10**9
HOUR_NS = 3600 * SECOND_NS
HOSTILE = "<img src=x onerror=document.title='taken'>"


def event(
    name: str,
    *,
    step: str = "opened",
    sequence: int = 0,
    started_ns: int = 1_767_000_000 * SECOND_NS,
    lasted_seconds: float = 600.0,
    stream: str = "servers",
    series: str = "web-1",
    severity: str = "warning",
    kind: str = "reconstruction",
    ratio: float = 3.0,
    channels: tuple[str, ...] = ("cpu", "load"),
    **more: Any,
) -> Event:
    """An event of an incident whose id begins with ``name`` (hexadecimal)."""
    updated = format_time(started_ns + round(lasted_seconds * SECOND_NS))
    closed = step == "closed"
    return Event(
        **{
            "event_id": f"{name.ljust(28, '0')}{sequence:04x}", "incident_id": name.ljust(32, "0"), "event": step,
            "sequence": sequence, "kind": kind, "stream": stream, "series": series, "severity": severity,
            "started_at": format_time(started_ns), "opened_at": format_time(started_ns + 60 * SECOND_NS),
            "updated_at": updated, "peak_at": format_time(started_ns + 120 * SECOND_NS),
            "ended_at": updated if closed else None, "closed_at": updated if closed else None,
            "close_reason": "quiet" if closed else None, "duration_seconds": lasted_seconds, "score": ratio * 0.8,
            "peak_score": ratio, "threshold": 1.0, "score_over_threshold": ratio * 0.8,
            "peak_score_over_threshold": ratio,
            "channels": tuple(
                ChannelDetail(one, ratio / (place + 2), round(1 / (place + 2), 6), 93.0, 35.5)
                for place, one in enumerate(channels)
            ),
            "model": ModelDetail("ab" * 32, "servers-1"),
            "source": SourceDetail("k1Qm5T3vRZ2b7cXw9yNfLg", "telemetry", 0, 94, 102, 107),
            **more,
        }
    )  # fmt: skip


@dataclass
class Topics:
    """Events and feedback of one dashboard."""

    bootstrap: str
    name: str = field(default_factory=lambda: f"board-{uuid.uuid4().hex[:8]}")

    def __post_init__(self) -> None:
        self.producer = KafkaProducer(bootstrap_servers=self.bootstrap, linger_ms=2)

    @property
    def events(self) -> str:
        return f"{self.name}.events"

    @property
    def feedback(self) -> str:
        return f"{self.name}.feedback"

    def tell(self, *events: Event) -> None:
        for one in events:
            self.producer.send(self.events, key=one.series.encode(), value=encode(one))
        self.producer.flush()

    def say(self, *verdicts: Verdict) -> None:
        for one in verdicts:
            self.producer.send(self.feedback, key=one.subject_id.encode(), value=encode_verdict(one), partition=0)
        self.producer.flush()

    def settings(self, model: Path | str, **dashboard: Any) -> dict[str, Any]:
        return {
            "kafka": {"bootstrap_servers": self.bootstrap, "connect_timeout_seconds": 3},
            "worker": {"group": f"{self.name}.group", "instance": "one"},
            "topics": {
                "events": self.events, "feedback": self.feedback, "dead_letters": f"{self.name}.dead-letters",
                "state": f"{self.name}.state", "epochs": f"{self.name}.epochs",
            },
            "dashboard": {"port": 0, **dashboard},
            "log": {"format": "json"},
            "streams": [{"name": "pumps", "topic": f"{self.name}.input", "model": str(model)}],
        }  # fmt: skip


@dataclass
class Served:
    """A dashboard that runs as users run it."""

    process: subprocess.Popen[str]
    url: str
    config: Path
    topics: Topics

    def stop(self) -> int:
        self.process.terminate()
        try:
            return self.process.wait(20)
        finally:
            self.process.kill()


def serve(config: Path, topics: Topics, *options: str) -> Served:
    process = subprocess.Popen(
        [sys.executable, "-m", "detector", "dashboard", "-c", str(config), *options],
        env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}, cwd=config.parent, text=True,
        stdout=subprocess.PIPE, stderr=(config.parent / "dashboard.log").open("a"),
    )  # fmt: skip
    assert process.stdout is not None
    line = process.stdout.readline()
    if not line.startswith("dashboard: http"):
        process.kill()
        raise AssertionError((line, (config.parent / "dashboard.log").read_text()))
    return Served(process, line.split()[1], config, topics)


def prepared(now_ns: int) -> list[Event]:
    """Incidents of two days, such as a wall screen would show."""
    found: list[Event] = []
    faults = [
        ("a1", "db-2", "critical", "reconstruction", 0.4, 14.2, ("latency", "locks", "cpu"), False),
        ("a2", "web-1", "warning", "reconstruction", 1.2, 3.4, ("cpu", "load", "memory"), False),
        ("a3", "cache-7", "warning", "silence", 0.2, 2.4, (), False),
        ("a4", "web-3", "info", "reconstruction", 0.6, 1.4, ("disk.write", "disk.queue"), False),
        ("b1", "web-1", "critical", "reconstruction", 5.0, 8.7, ("cpu", "load"), True),
        ("b2", "queue-1", "warning", "frozen", 7.5, 3.1, ("depth",), True),
        ("b3", "db-2", "info", "reconstruction", 9.0, 1.2, ("locks",), True),
        ("b4", "web-2", "warning", "reconstruction", 26.0, 4.4, ("cpu", "net.in", "net.out"), True),
        ("b5", "web-1", "info", "reconstruction", 30.0, 1.7, ("memory",), True),
        ("b6", "edge-11", "critical", "reconstruction", 44.0, 22.0, ("errors", "latency"), True),
    ]
    for name, series, severity, kind, hours, ratio, channels, over in faults:
        started = now_ns - round(hours * HOUR_NS)
        about: dict[str, Any] = {
            "series": series, "severity": severity, "kind": kind, "ratio": ratio, "channels": channels,
            "started_ns": started,
        }  # fmt: skip
        found.append(event(name, **about, lasted_seconds=90))
        if over:
            found.append(event(name, step="closed", sequence=1, lasted_seconds=1500 + 100 * hours, **about))
        else:
            lasted = (now_ns - started) / SECOND_NS - 20
            found.append(event(name, step="updated", sequence=1, lasted_seconds=lasted, **about))
    return found


@pytest.fixture(scope="session")
def topics(broker: LocalBroker) -> Iterator[Topics]:
    found = Topics(broker.bootstrap)
    from kafka.admin import KafkaAdminClient, NewTopic

    admin = KafkaAdminClient(bootstrap_servers=broker.bootstrap)
    keep = {"retention.ms": "-1"}
    admin.create_topics([NewTopic(f"{found.name}.input", 2, 1, topic_configs=keep)])
    admin.close()
    yield found
    found.producer.close()


@pytest.fixture(scope="session")
def replayed(topics: Topics, bundle_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The configuration; the events of a real model on labelled telemetry, written as a worker writes them."""

    for series in SERIES:
        for timestamp, value in records(series):
            topics.producer.send(
                f"{topics.name}.input", key=series.encode(), value=value, timestamp_ms=timestamp,
                partition=int(series == "pump-2"),
            )  # fmt: skip
    topics.producer.flush()
    config = tmp_path_factory.mktemp("dashboard") / "detector.yaml"
    config.write_text(json.dumps(topics.settings(bundle_dir)))
    assert status_of("replay", "-c", config, "--events-topic", topics.events, "--json") == 0
    return config


@pytest.fixture(scope="session")
def served(replayed: Path, topics: Topics) -> Iterator[Served]:
    """One dashboard for all tests of the page; what they tell goes to incidents of their own."""
    topics.tell(*prepared(time.time_ns()))
    topics.tell(event("e5", series=HOSTILE, channels=(HOSTILE, "cpu"), severity="info", ratio=1.1))
    topics.tell(event("e5", series=HOSTILE, channels=(HOSTILE,), severity="info", step="closed", sequence=1, ratio=1.1))
    found = serve(replayed, topics)
    yield found
    assert found.stop() == 0


@pytest.fixture(scope="session")
def assets() -> Any:
    from detector.dashboard.assets import load_assets

    return load_assets()


@pytest.fixture
def open_site(assets: Any) -> Iterator[Callable[..., Any]]:
    from tests.dashboard.site import Site

    opened: list[Site] = []

    def make(**settings: Any) -> Site:
        opened.append(Site(DashboardSettings.model_validate({"port": 0, **settings}), assets))
        return opened[-1]

    yield make
    for site in opened:
        site.close()
