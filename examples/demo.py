"""The main job in a few minutes: real Kafka, real telemetry, train, watch live, restart half-way, replay, compare.

Run it with ``make demo`` (``KEEP=1`` leaves everything up, ``KAFKA=host:port`` uses a broker that is there already).
It does nothing that you could not type: every step is a ``detector`` command, which is printed.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.panel import Panel
from rich.table import Table

from detector.alerting.events import Event, decode
from detector.alerting.summaries import IncidentSummary, summarise
from detector.errors import DetectorError

HERE = Path(__file__).resolve().parent
TELEMETRY = HERE / "telemetry"
WORK = HERE.parent / ".demo"
DETECTOR = [sys.executable, "-m", "detector"]
# As by default, but for an end: later epochs gain next to nothing here, and a demo is to be short.
TRAINING = ["--epochs", "12"]
PARTITIONS = 4
PUBLISH_RATE = 3000
PATIENCE_SECONDS = 120.0
NS_PER_SECOND = 1_000_000_000

# Logs and pipes have no width of their own; the tables need this much.
console = Console(highlight=False, width=None if sys.stdout.isatty() else 132)


class DemoError(Exception):
    """A step did not do what it should; the demo ends with exit status 1."""


@dataclass(frozen=True, slots=True)
class Fault:
    """A labelled fault of a server, in nanoseconds since the epoch."""

    server: str
    start_ns: int
    end_ns: int


def step(number: int, title: str) -> None:
    """Head a step."""
    console.print(f"\n[bold cyan]{number}/6[/] [bold]{title}[/]")


def show(arguments: Sequence[str]) -> list[str]:
    """Print a command as a user would type it, and return it as it is run."""
    words = [os.path.relpath(word) if word.startswith(str(HERE.parent)) else word for word in arguments]
    console.print(f"  [dim]$ detector {shlex.join(words)}[/]")
    return [*DETECTOR, *arguments]


def run(arguments: Sequence[str], quiet: bool = False) -> str:
    """Run a command to its end; what it prints on stdout.

    Raises:
        DemoError: it failed; its own message is on the terminal.
    """
    process = subprocess.run(show(arguments), stdout=subprocess.PIPE, text=True, check=False)
    if process.returncode:
        raise DemoError(f"detector {arguments[0]} ended with exit status {process.returncode}")
    if process.stdout and not quiet:
        console.print(process.stdout.rstrip(), markup=False)
    return process.stdout


def train(bundle_dir: Path) -> tuple[Path, Path]:
    """The bundle for the shipped telemetry and its report; made once, and again only when data or code changed."""
    files = sorted(TELEMETRY.glob("train/*.parquet"))
    digest = hashlib.sha256()
    for path in [*files, *sorted((HERE.parent / "models").rglob("*.py"))]:
        digest.update(path.read_bytes())
    digest.update(repr(TRAINING).encode())
    bundle = bundle_dir / digest.hexdigest()[:12]
    report = bundle.with_suffix(".html")
    if bundle.is_dir() and report.exists():
        console.print(f"  trained by an earlier run: {os.path.relpath(bundle)}")
        run(["models", "show", str(bundle)])
    else:
        shutil.rmtree(bundle, ignore_errors=True)
        run(["train", *map(str, files), "--out", str(bundle), "--report", str(report), *TRAINING])
    return bundle, report


def write_config(path: Path, bootstrap: str, run_id: str, bundle: Path) -> str:
    """The worker's configuration; returns the input topic."""
    topic = f"demo-{run_id}.telemetry"
    settings = {
        "kafka": {"bootstrap_servers": bootstrap},
        "worker": {"group": f"demo-{run_id}", "instance": "worker-1"},
        "topics": {
            name: f"demo-{run_id}.{name.replace('_', '-')}"
            for name in ("events", "dead_letters", "state", "epochs", "feedback")
        },
        "streams": [{"name": "servers", "topic": topic, "model": str(bundle)}],
        "http": {"port": 0},
        "log": {"format": "json"},
    }
    path.write_text(json.dumps(settings, indent=2))  # JSON is YAML
    return topic


class Worker:
    """``detector run`` as a process of its own."""

    def __init__(self, config: Path, log: Path) -> None:
        self._log = log
        self._from = log.stat().st_size if log.exists() else 0
        with log.open("ab") as stream:
            self.process = subprocess.Popen(show(["run", "-c", str(config)]), stderr=stream, stdin=subprocess.DEVNULL)

    def metrics_url(self) -> str:
        """Address of /metrics, from the log, as soon as it is there."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < deadline:
            with self._log.open("rb") as stream:
                stream.seek(self._from)
                for line in stream:
                    with contextlib.suppress(ValueError):
                        entry = json.loads(line)
                        if entry.get("event") == "started":
                            return str(entry["metrics"])
            self.check()
            time.sleep(0.05)
        raise DemoError(f"the worker did not start; see {self._log}")

    def check(self) -> None:
        """Raise if the process has ended."""
        if self.process.poll() is not None:
            tail = self._log.read_text(errors="replace").splitlines()[-5:]
            raise DemoError(f"the worker ended with exit status {self.process.returncode}:\n" + "\n".join(tail))

    def stop(self) -> None:
        """SIGTERM, and wait for the drain."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            self.process.wait(40)


@contextlib.contextmanager
def dashboard(config: Path, log: Path) -> Iterator[str]:
    """``detector dashboard`` while the block runs; its address.

    Raises:
        DemoError: it did not start.
    """
    command = show(["dashboard", "-c", str(config), "--port", "0"])
    with log.open("ab") as stream:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=stream, stdin=subprocess.DEVNULL, text=True)
    try:
        line = process.stdout.readline() if process.stdout is not None else ""
        if not line:
            raise DemoError(f"the dashboard did not start; see {log}")
        yield line.removeprefix("dashboard:").strip()
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(20)


def scrape(url: str, name: str) -> float:
    """Sum of a metric over its labels."""
    with urllib.request.urlopen(url, timeout=5) as response:  # noqa: S310 - the worker's own address
        lines = response.read().decode().splitlines()
    return sum(float(line.rsplit(" ", 1)[1]) for line in lines if line.startswith((f"{name}{{", f"{name} ")))


def wait_for_topic(bootstrap: str, topic: str) -> None:
    """Until the publisher has created the topic: a worker does not start without its input."""
    from kafka import KafkaConsumer

    consumer = KafkaConsumer(bootstrap_servers=bootstrap, allow_auto_create_topics=False)
    try:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while topic not in consumer.topics():
            if time.monotonic() > deadline:
                raise DemoError("the publisher did not create the topic; see its message above")
            time.sleep(0.1)
    finally:
        consumer.close()


def wait_until_consumed(bootstrap: str, group: str, topic: str, worker: Worker) -> None:
    """Until the group has committed every record of the topic."""
    from kafka import KafkaConsumer, TopicPartition

    consumer = KafkaConsumer(bootstrap_servers=bootstrap, group_id=group, enable_auto_commit=False)
    try:
        partitions = [TopicPartition(topic, number) for number in range(PARTITIONS)]
        ends = consumer.end_offsets(partitions)
        deadline = time.monotonic() + PATIENCE_SECONDS
        while any((consumer.committed(p) or 0) < ends[p] for p in partitions):
            worker.check()
            if time.monotonic() > deadline:
                raise DemoError("the worker did not get through the topic in time")
            time.sleep(0.1)
    finally:
        consumer.close()


def read_events(bootstrap: str, topic: str) -> list[Event]:
    """All committed events of a topic, in partition and offset order."""
    from kafka import KafkaConsumer, TopicPartition

    consumer = KafkaConsumer(bootstrap_servers=bootstrap, isolation_level="read_committed", enable_auto_commit=False)
    try:
        partitions = [TopicPartition(topic, n) for n in sorted(consumer.partitions_for_topic(topic) or ())]
        consumer.assign(partitions)
        consumer.seek_to_beginning(*partitions)
        ends = consumer.end_offsets(partitions)
        found: list[Any] = []
        while any(consumer.position(p) < ends[p] for p in partitions):
            for records in consumer.poll(timeout_ms=500).values():
                found.extend(records)
    finally:
        consumer.close()
    return [decode(r.value) for r in sorted(found, key=lambda r: (r.partition, r.offset))]


def read_labels() -> list[Fault]:
    """The labelled faults, which no other step reads."""

    def ns(text: str) -> int:
        return int(datetime.fromisoformat(text).timestamp()) * NS_PER_SECOND

    labels = json.loads((TELEMETRY / "labels.json").read_text())
    return [
        Fault(server, ns(fault["start"]), ns(fault["end"]))
        for server, faults in sorted(labels.items())
        for fault in faults
    ]


def overlaps(incident: IncidentSummary, fault: Fault) -> bool:
    """Whether an incident and a fault of the same server share any time."""
    end = incident.ended_ns if incident.ended_ns is not None else incident.updated_ns
    return incident.series == fault.server and incident.started_ns <= fault.end_ns and end >= fault.start_ns


def clock(time_ns: int) -> str:
    """Event time for people; the labels name no zone, UTC it is."""
    return datetime.fromtimestamp(time_ns / NS_PER_SECOND, UTC).strftime("%d %b %H:%M")


def span(seconds: float) -> str:
    """Signed delay for people."""
    minutes = round(abs(seconds) / 60)
    text = f"{minutes} min" if minutes < 120 else f"{minutes / 60:.1f} h"
    if minutes == 0:
        return "at once"
    return f"{text} early" if seconds < 0 else f"{text} late"


def faults_table(faults: Sequence[Fault], incidents: Sequence[IncidentSummary]) -> Table:
    """Each labelled fault and what was reported of it."""
    table = Table(
        title="Labelled faults", title_justify="left", title_style="bold", box=None, pad_edge=False, padding=(0, 2)
    )
    for column in ("server", "fault", "lasted", "incident", "reported", "score / threshold", "channels it blames"):
        table.add_column(column, no_wrap=column != "channels it blames")
    for fault in faults:
        found = [incident for incident in incidents if overlaps(incident, fault)]
        lasted = f"{(fault.end_ns - fault.start_ns) / 60 / NS_PER_SECOND:.0f} min"
        if not found:
            table.add_row(fault.server, clock(fault.start_ns), lasted, "[red]missed[/]", "", "", "")
            continue
        first = min(found, key=lambda incident: incident.opened_ns)
        delay = (first.opened_ns - fault.start_ns) / NS_PER_SECOND
        earlier = [other for other in faults if other.start_ns < fault.start_ns and overlaps(first, other)]
        reported = "in the one before" if earlier and delay < 0 else span(delay)
        style = {"critical": "red", "warning": "yellow"}.get(first.severity, "blue")
        table.add_row(
            fault.server, clock(fault.start_ns), lasted, f"[{style}]{first.severity}[/]", reported,
            f"{first.peak_ratio:.1f}", first.blames(),
        )  # fmt: skip
    return table


def verdict(faults: Sequence[Fault], incidents: Sequence[IncidentSummary], days: float) -> str:
    """The figures below the table."""
    found = sum(any(overlaps(incident, fault) for incident in incidents) for fault in faults)
    false_alarms = [i for i in incidents if not any(overlaps(i, fault) for fault in faults)]
    servers = len({fault.server for fault in faults})
    return (
        f"[bold]{found} of {len(faults)}[/] labelled faults found by [bold]{len(incidents)}[/] incidents, "
        f"[bold]{len(false_alarms)}[/] false alarm{'s' * (len(false_alarms) != 1)} in {days:.0f} days of "
        f"{servers} servers "
        f"({len(false_alarms) / days / servers:.2f} per server and day)"
    )


@contextlib.contextmanager
def kafka(address: str | None) -> Iterator[str]:
    """A broker: the one that was named, or one of our own for as long as the demo runs."""
    if address:
        console.print(f"  using the broker at {address}")
        yield address
        return
    from detector.broker import LocalBroker

    started = time.monotonic()
    with LocalBroker(WORK / "kafka") as broker:
        console.print(f"  Apache Kafka is up at {broker.bootstrap} after {time.monotonic() - started:.1f} s")
        yield broker.bootstrap


def demo(address: str | None, keep: bool) -> None:
    """All six steps.

    Raises:
        DemoError: one of them did not do what it should.
    """
    (WORK / "models").mkdir(parents=True, exist_ok=True)
    run_id = datetime.now(UTC).strftime("%H%M%S") + f"-{os.getpid()}"
    config, log = WORK / "detector.yaml", WORK / f"worker-{run_id}.log"
    live_files = sorted(map(str, TELEMETRY.glob("live/*.parquet")))
    faults = read_labels()

    step(1, "A real Apache Kafka")
    with kafka(address) as bootstrap, contextlib.ExitStack() as stack:
        step(2, "Train an LSTM that carries its memory, on two weeks of normal operation")
        bundle, training = train(WORK / "models")
        topic = write_config(config, bootstrap, run_id, bundle)

        step(3, "Watch the live topic, and restart half-way")
        total = sum(_rows(path) for path in live_files)
        publish = ["publish", *live_files, "--topic", topic, "--bootstrap-server", bootstrap, "--create"]
        publish += ["--partitions", str(PARTITIONS), "--rate", str(PUBLISH_RATE)]
        publisher = subprocess.Popen(show(publish), stdout=subprocess.PIPE, text=True)
        stack.callback(publisher.kill)
        wait_for_topic(bootstrap, topic)
        worker = Worker(config, log)
        stack.callback(lambda: worker.stop())
        url = worker.metrics_url()
        live_started = time.monotonic()
        while scrape(url, "reconstream_records_consumed_total") < total / 2:
            worker.check()
            if time.monotonic() - live_started > PATIENCE_SECONDS:
                raise DemoError("the worker did not reach the middle of the topic in time")
            time.sleep(0.05)
        worker.stop()
        console.print(f"  stopped half-way (exit status {worker.process.returncode}), and started again:")
        worker = Worker(config, log)
        url = worker.metrics_url()
        if publisher.wait(PATIENCE_SECONDS):
            raise DemoError("publishing failed")
        wait_until_consumed(bootstrap, f"demo-{run_id}", topic, worker)
        live_seconds = time.monotonic() - live_started
        live = read_events(bootstrap, f"demo-{run_id}.events")
        console.print(
            f"  {total:,} records published and watched in {live_seconds:.0f} s, {len(live)} events, restart included"
        )
        if not keep:
            worker.stop()

        step(4, "Replay the topic's history through the same model")
        replayed_path, report = WORK / "replayed-events.jsonl", WORK / "replay.html"
        replay = ["replay", "-c", str(config), "--events", str(replayed_path), "--report", str(report), "--json"]
        summary = json.loads(run(replay, quiet=True))
        replayed = [decode(line) for line in replayed_path.read_bytes().splitlines()]
        console.print(f"  {summary['records']:,} records in {summary['seconds']:.1f} s, {len(replayed)} events")

        step(5, "Compare")
        agree = [e.event_id for e in live] == [e.event_id for e in sorted_as(replayed, live)] and live == sorted_as(
            replayed, live
        )
        if not live:
            raise DemoError("no event was found, so there is nothing to compare")
        if not agree:
            raise DemoError(f"live and replay differ: {len(live)} events live, {len(replayed)} replayed")
        console.print(
            f"  [green]live and replay agree, event for event:[/] {len(live)} events, none missing, none twice"
        )

        step(6, "What was found")
        incidents = summarise(live)
        days = 14.0
        console.print()
        console.print(faults_table(faults, incidents))
        console.print()
        console.print(
            Panel(
                verdict(faults, incidents, days)
                + f"\nlive and replay agree on [bold]{len(live)}[/] events of {len(incidents)} incidents, "
                "across a restart"
                + f"\nreplay: [bold]{total / summary['seconds']:,.0f}[/] records per second of "
                f"{summary['channels']} channels, "
                "end to end through Kafka, and kept for the report"
                + f"\nreports: [link={report.as_uri()}]{os.path.relpath(report)}[/] (what was found), "
                f"[link={training.as_uri()}]{os.path.relpath(training)}[/] (how it was trained)",
                title="reconstream", title_align="left", border_style="green", expand=False,
            )
        )  # fmt: skip
        if keep:
            console.print()
            page = stack.enter_context(dashboard(config, WORK / f"dashboard-{run_id}.log"))
            console.print(f"\n[bold]dashboard {page}[/]")
            console.print(f"Kafka     {bootstrap}\nmetrics   {url}\nevents    topic demo-{run_id}.events")
            console.print(f"settings  {os.path.relpath(config)}\n\nPress Ctrl-C to stop.")
            with contextlib.suppress(KeyboardInterrupt):
                while True:
                    worker.check()
                    time.sleep(0.5)
            console.print("stopping")


def sorted_as(events: Sequence[Event], model: Sequence[Event]) -> list[Event]:
    """Events in the order of ``model``'s partitions; within a partition their own order stays."""
    partitions = {event.source.partition for event in [*events, *model]}
    return [event for number in sorted(partitions) for event in events if event.source.partition == number]


def _rows(path: str) -> int:
    import pyarrow.parquet as pq

    return int(pq.read_metadata(path).num_rows)


def main() -> int:
    """Exit status: 0 when every step did what it should, 1 otherwise, 130 after Ctrl-C."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--keep", action="store_true", help="leave broker and worker up until Ctrl-C")
    parser.add_argument("--kafka", metavar="HOST:PORT", help="use this broker instead of one of our own")
    options = parser.parse_args()
    started = time.monotonic()
    try:
        demo(options.kafka, options.keep)
    except (DemoError, DetectorError) as error:
        console.print(f"\n[red bold]error:[/] {error}")
        return 1
    except KeyboardInterrupt:
        console.print("\nstopped")
        return 130
    console.print(f"\n[dim]{time.monotonic() - started:.0f} s in all[/]")
    return 0


if __name__ == "__main__":
    sys.exit(main())
