"""The test bench: topics, configuration, reader, producer and workers of one run, and the verdict at its end."""

from __future__ import annotations

import json
import signal
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

from kafka import KafkaConsumer, TopicPartition
from kafka.admin import KafkaAdminClient, NewTopic

from detector.kafka.topic_specs import dead_letters_topic, epochs_topic, events_topic, state_topic
from detector.kafka.topics import ensure_topics
from detector.settings import Settings
from detector.settings_file import load_settings
from tests.chaos.brokers import Brokers, skipped_markers
from tests.chaos.checker import Findings, compare
from tests.chaos.feeder import Feeder
from tests.chaos.model import tiny_bundle
from tests.chaos.observer import Observer, read_all
from tests.chaos.oracle import expected, seen_events, seen_letters
from tests.chaos.retention import Retention
from tests.chaos.workers import DETECTOR, WorkerProcess
from tests.chaos.workload import Workload

SESSION_SECONDS = 6.0
TRANSACTION_SECONDS = 6.0
_LATE_MS = str(2**62)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What came out, against what should have.

    Attributes:
        events: How the events differ.
        letters: How the dead letters differ.
        uncommitted: By partition, how far the group's offset is from the end; empty when it reached it.
        two_readers_agree: Whether the reader that was there all the time and one that came afterwards saw the same.
    """

    records: int
    event_count: int
    letter_count: int
    events: Findings
    letters: Findings
    uncommitted: Mapping[int, int]
    two_readers_agree: bool

    @property
    def clean(self) -> bool:
        """Whether the contract held."""
        return self.events.clean and self.letters.clean and not self.uncommitted and self.two_readers_agree

    def __str__(self) -> str:
        told = [f"{self.records} records", f"events: {self.events}", f"dead letters: {self.letters}"]
        if self.uncommitted:
            told.append(f"the group is behind the end: {dict(self.uncommitted)}")
        if not self.two_readers_agree:
            told.append("a later reader sees another sequence than the one that was there throughout")
        return "; ".join(told)


class Bench:
    """One input topic with a group of workers on it; a context manager.

    Args:
        brokers: The cluster.
        folder: For configuration and logs.
        seed: Of the workload.
        partitions: Of the input topic.
        series: How many, over all partitions.
        replication: Of every topic.
        worker: Settings of the section ``worker`` to override.
        per_second: Rate of the producer.
        steady: No pauses and bursts of the producer.
    """

    def __init__(
        self,
        brokers: Brokers,
        folder: Path,
        seed: int,
        partitions: int = 6,
        series: int = 36,
        *,
        replication: int = 1,
        worker: Mapping[str, Any] | None = None,
        per_second: float = 200.0,
        steady: bool = False,
    ) -> None:
        self.brokers = brokers
        self.folder = folder
        self.partitions = partitions
        self.seed = seed
        self._series = series
        self._replication = replication
        self._worker = dict(worker or {})
        self._per_second = per_second
        self._steady = steady
        self._stack = ExitStack()
        self._lives: dict[str, int] = {}
        self.started: list[WorkerProcess] = []
        self.name = f"chaos-{uuid.uuid4().hex[:8]}"

    # -- set up and tear down
    # -----------------------------------------------------------------------------------------

    def __enter__(self) -> Bench:
        try:
            return self._open()
        except BaseException:
            self._stack.close()
            raise

    def _open(self) -> Bench:
        self.folder.mkdir(parents=True, exist_ok=True)
        self.config = self.folder / "detector.yaml"
        document = self.document(self.name)
        self.config.write_text(json.dumps(document, indent=2), encoding="utf-8")
        self.settings = load_settings(self.config, {})
        topics = self.settings.topics
        self.topic = self.settings.streams[0].topic
        self._create_topics()
        names = [self.topic, topics.events, topics.dead_letters, topics.state]
        self.observer = self._stack.enter_context(
            Observer(self.brokers.direct, names, self.partitions, topics.events, topics.state)
        )
        self._stack.callback(self.kill_workers)
        workload = Workload(self.seed, self.partitions, self._series)
        self.feeder = Feeder(self.brokers.direct, self.topic, workload.records(), self._per_second, steady=self._steady)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def start_feeding(self) -> None:
        """Begin to publish."""
        self._stack.enter_context(self.feeder)

    def start_deleting(self) -> Retention:
        """Begin to delete input that no restart may need any more."""
        return self._stack.enter_context(Retention(self.brokers.direct, self.topic, self.observer))

    def document(self, group: str) -> dict[str, Any]:
        """The configuration of a group of workers with output topics of its own."""
        return {
            "kafka": {"bootstrap_servers": self.brokers.proxied, "connect_timeout_seconds": 30},
            "worker": {
                "group": group, "session_timeout_seconds": SESSION_SECONDS, "max_poll_interval_seconds": 80,
                "transaction_timeout_seconds": TRANSACTION_SECONDS, "commit_interval_seconds": 0.1,
                "max_poll_records": 200, "state": {"max_replay_records": 400}, **self._worker,
            },
            "topics": {
                "events": f"{group}.events", "dead_letters": f"{group}.dead-letters", "state": f"{group}.state",
                "epochs": f"{group}.epochs", "replication_factor": self._replication,
            },
            "http": {"port": 0},
            "log": {"format": "json"},
            "streams": [
                {
                    "name": "units", "topic": f"{self.name}.input", "model": str(tiny_bundle()),
                    "window": {"max_gap_steps": 3, "stale_after_seconds": 600, "forget_after_seconds": 1800},
                    "incidents": {"update_every_seconds": 60, "close_after": 4},
                }
            ],
        }  # fmt: skip

    def _create_topics(self) -> None:
        # Event times lie in 2023: by time the broker would delete the records whenever it next looks.
        keep = {"retention.ms": "-1", "message.timestamp.after.max.ms": _LATE_MS}
        admin = KafkaAdminClient(bootstrap_servers=self.brokers.direct.split(","))
        try:
            admin.create_topics([NewTopic(self.topic, self.partitions, self._replication, topic_configs=keep)])
        finally:
            admin.close()
        self._create_outputs(self.settings)

    def _create_outputs(self, settings: Settings) -> None:
        """What the worker would do at its start, only earlier: readers follow the topics from the first record on."""
        builders = (events_topic, dead_letters_topic, state_topic, epochs_topic)
        kafka = settings.kafka.model_copy(update={"bootstrap_servers": tuple(self.brokers.direct.split(","))})
        ensure_topics(kafka, [build(settings.topics, self.partitions) for build in builders], create=True)

    # -- workers
    # ------------------------------------------------------------------------------------------------------

    def start_worker(
        self,
        name: str,
        failpoint: str | None = None,
        *,
        static: bool = True,
        through_proxy: bool = True,
        entry: Sequence[str] = DETECTOR,
        config: Path | None = None,
    ) -> WorkerProcess:
        """The next life of a worker."""
        life = self._lives[name] = self._lives.get(name, 0) + 1
        overrides = {"RECONSTREAM_WORKER__STATIC_MEMBERSHIP": "true" if static else "false"}
        if not through_proxy:
            overrides["RECONSTREAM_KAFKA__BOOTSTRAP_SERVERS"] = self.brokers.direct
        log = self.folder / "logs" / f"{name}-{life:03}.log"
        process = WorkerProcess(name, config or self.config, log, overrides, failpoint, entry)
        self.started.append(process)
        return process

    def kill_workers(self) -> None:
        """Whatever still runs."""
        for process in self.started:
            process.close()

    def stop(self, *workers: WorkerProcess, seconds: float = 60.0) -> None:
        """SIGTERM, and wait for a clean end.

        Raises:
            AssertionError: it did not end, or not cleanly.
        """
        for worker in workers:
            worker.signal(signal.SIGTERM)
        for worker in workers:
            self.wait_for(lambda one=worker: one.ended() is not None, f"{worker.name} ended", seconds)  # type: ignore[misc]
            told = worker.read_log()
            assert worker.ended() == 0, f"{worker.name} ended with {worker.ended()}: {told.traces[-20:]} ({worker.log})"

    def wait_for(self, reached: Callable[[], bool], what: str, seconds: float = 60.0) -> None:
        """Until something holds; workers' logs are read meanwhile.

        Raises:
            AssertionError: not in time.
        """
        deadline = time.monotonic() + seconds
        while True:
            for worker in self.started:
                if not worker.is_closed:
                    worker.read_log()
            if reached():
                return
            assert self.observer.error is None, f"the observer failed: {self.observer.error!r}"
            assert time.monotonic() < deadline, f"not in time: {what} (logs in {self.folder / 'logs'})"
            time.sleep(0.05)

    # -- the end
    # ------------------------------------------------------------------------------------------------------

    def ends(self, *topics: str) -> dict[TopicPartition, int]:
        """End offsets (last stable) of topics."""
        with _consumer(self.brokers.direct) as consumer:
            keys = [TopicPartition(topic, number) for topic in topics for number in range(self.partitions)]
            found: dict[TopicPartition, int] = consumer.end_offsets(keys)
            return found

    def committed(self, group: str | None = None) -> dict[int, int]:
        """The group's offsets; 0 where there is none."""
        with _consumer(self.brokers.direct, group or self.settings.worker.group) as consumer:
            return {n: consumer.committed(TopicPartition(self.topic, n)) or 0 for n in range(self.partitions)}

    def uncommitted(self, group: str | None = None) -> dict[int, int]:
        """By partition, how far the group is behind the end of the input; empty when it is not."""
        committed = self.committed(group)
        return {key.partition: end - committed[key.partition] for key, end in self.ends(self.topic).items()
                if committed[key.partition] != end}  # fmt: skip

    def wait_until_done(self, seconds: float = 180.0) -> None:
        """Until the group has committed everything that was published; at the deadline the verdict will say so."""
        deadline = time.monotonic() + seconds
        while self.uncommitted() and time.monotonic() < deadline:
            for worker in self.started:
                if not worker.is_closed:
                    worker.read_log()
            time.sleep(0.2)

    def verdict(self) -> Verdict:
        """Compare with the uninterrupted run. Workers should have ended.

        Raises:
            AssertionError: the reader could not finish, or the brokers themselves broke a transaction.
        """
        skipped = [line for line in skipped_markers(self.brokers) if self.name in line]
        assert not skipped, f"the broker skipped transaction markers, so the run says nothing: {skipped[0]}"
        topics = self.settings.topics
        self.observer.wait_for(self.ends(self.topic, topics.events, topics.dead_letters))
        inputs = self.observer.copy(self.topic)
        for partition, records in inputs.items():
            assert [r.offset for r in records] == list(range(len(records))), f"the reader missed input of {partition}"
        wanted_events, wanted_letters = expected(self.settings, self.brokers.cluster_id, inputs)
        seen = {topic: self.observer.copy(topic) for topic in (topics.events, topics.dead_letters)}
        agree = all(
            _plain(records) == _plain(read_all(self.brokers.direct, topic, self.partitions))
            for topic, records in seen.items()
        )
        events = seen_events(_flat(seen[topics.events]))
        letters = seen_letters(_flat(seen[topics.dead_letters]))
        return Verdict(
            sum(map(len, inputs.values())), len(events), len(letters),
            compare(wanted_events, events), compare(wanted_letters, letters), self.uncommitted(), agree,
        )  # fmt: skip

    def reference(self) -> Verdict:
        """Let a real worker, in a group of its own and undisturbed, read the same input, and judge it the same way."""
        group = f"{self.name}-reference"
        document = self.document(group)
        document["kafka"]["bootstrap_servers"] = self.brokers.direct
        config = self.folder / "reference.yaml"
        config.write_text(json.dumps(document, indent=2), encoding="utf-8")
        settings = load_settings(config, {})
        topics = settings.topics
        self._create_outputs(settings)
        worker = self.start_worker("reference", config=config, through_proxy=False)
        deadline = time.monotonic() + 120
        while self.uncommitted(group) and worker.ended() is None and time.monotonic() < deadline:
            time.sleep(0.2)
        self.stop(worker)
        events = seen_events(_flat(read_all(self.brokers.direct, topics.events, self.partitions)))
        letters = seen_letters(_flat(read_all(self.brokers.direct, topics.dead_letters, self.partitions)))
        own = self.settings.topics
        return Verdict(
            self.observer.count(self.topic), len(events), len(letters),
            compare(seen_events(_flat(self.observer.copy(own.events))), events),
            compare(seen_letters(_flat(self.observer.copy(own.dead_letters))), letters),
            self.uncommitted(group), two_readers_agree=True,
        )  # fmt: skip


@contextmanager
def _consumer(bootstrap: str, group: str | None = None) -> Iterator[Any]:
    consumer = KafkaConsumer(
        bootstrap_servers=bootstrap.split(","), group_id=group, enable_auto_commit=False,
        isolation_level="read_committed", reconnect_backoff_max_ms=500,
    )  # fmt: skip
    try:
        yield consumer
    finally:
        consumer.close()


def _flat(records: Mapping[int, Sequence[Any]]) -> list[Any]:
    return [record for _, some in sorted(records.items()) for record in some]


def _plain(records: Mapping[int, Sequence[Any]]) -> list[Any]:
    return [(r.partition, r.offset, r.key, r.value) for r in _flat(records)]
