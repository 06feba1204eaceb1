"""A stream whose scores are known beforehand: the score of a window is the magnitude of its last sample.

With a threshold of 1 every incident can be read off the input, so these tests assert exact events without a trained
model; that the real model gives the same live and replayed is shown in tests/end_to_end.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
from kafka import KafkaConsumer, KafkaProducer, TopicPartition
from prometheus_client import CollectorRegistry

from detector.alerting.events import Event, decode
from detector.alerting.identity import Identity
from detector.alerting.policy import IncidentPolicy
from detector.cli.run.live import LiveParts, open_live
from detector.pipeline.context import StreamContext
from detector.records.decoders import decoder
from detector.records.reader import RecordReader
from detector.records.values import InputPartition
from detector.replay import EventTimeRange, replay
from detector.scoring.scores import Scores
from detector.series.carried import States, StateType
from detector.series.spec import WindowSpec
from detector.series.values import WindowBatch
from detector.settings import Settings
from detector.state import Checkpoint, Epoch, decode_checkpoint, decode_epoch, parse_epoch_key
from detector.worker.live_partition import LivePartition
from detector.worker.loop import Worker
from tests.support.waiting import until

SECOND_NS = 1_000_000_000
START_MS = 1_700_000_000_000
CHANNELS = ("a", "b")
WINDOW = 3
KEEP = {"retention.ms": "-1"}
"""Event times lie in 2023: with the default retention the broker deletes the records whenever it next looks."""


class MagnitudeScorer:
    """Score = |a| + |b| of the last sample; each channel contributes its own magnitude."""

    state_dtype: StateType | None = None

    def score(self, batch: WindowBatch, states: States | None = None) -> Scores:
        last = batch.values[:, -1]
        contributions = np.abs(np.nan_to_num(last)).astype(np.float32)
        score = np.where(batch.coverage_ok, contributions.sum(1, dtype=np.float64), np.nan)
        return Scores(score, contributions, last, np.zeros_like(last), last.astype(np.float32))


def make_context(settings: Settings, cluster: str, scorer: Any = None, **policy: Any) -> StreamContext:
    stream = settings.streams[0]
    return StreamContext(
        name=stream.name,
        reader=RecordReader(stream.record, CHANNELS, decoder(stream.record.decoder)),
        scorer=scorer or MagnitudeScorer(),
        spec=WindowSpec(
            length=WINDOW, channels=2, period_ns=SECOND_NS, stride=1, max_gap_steps=2, lateness_ns=0,
            max_jump_ns=3600 * SECOND_NS, stale_after_ns=60 * SECOND_NS, forget_after_ns=600 * SECOND_NS,
            min_coverage=0.5, max_series=1000,
        ),
        policy=IncidentPolicy(
            **{
                "threshold": 1.0, "quiet_score": 0.8, "open_after": 2, "close_after": 3, "cool_down_ns": 0,
                "update_every_ns": 3600 * SECOND_NS, "warning_ratio": 2.0, "critical_ratio": 5.0, "top_channels": 2,
                "channels": CHANNELS, **policy,
            }
        ),
        identity=Identity(
            stream=stream.name, cluster=cluster, topic=stream.topic, partition=0, model="0" * 64,
            model_version="test", fingerprint="f" * 64,
        ),
        keep_scores=True,
    )  # fmt: skip


def record(second: float, a: float, b: float | None = 0.0) -> tuple[int, bytes]:
    """Timestamp in milliseconds and value of a wide record."""
    return START_MS + round(second * 1000), json.dumps({"a": a, "b": b}).encode()


def series_with_faults(length: int, faults: Sequence[tuple[int, int]], level: float = 3.0) -> list[tuple[int, bytes]]:
    """One sample a second, quiet, but ``level`` in channel a from the first to before the second index of a fault."""
    return [record(i, level if any(f <= i < t for f, t in faults) else 0.1) for i in range(length)]


@dataclass
class Cluster:
    """What a test does to the broker."""

    bootstrap: str
    name: str
    producer: KafkaProducer = field(init=False)

    def __post_init__(self) -> None:
        self.producer = KafkaProducer(bootstrap_servers=self.bootstrap, linger_ms=2)

    @property
    def input(self) -> str:
        return f"{self.name}.input"

    def send(self, series: str | None, records: Sequence[tuple[int, bytes | None]], partition: int = 0) -> None:
        for timestamp, value in records:
            key = None if series is None else series.encode()
            self.producer.send(self.input, key=key, value=value, timestamp_ms=timestamp, partition=partition)
        self.producer.flush()

    def read(self, topic: str, isolation: str = "read_committed") -> list[Any]:
        """All visible records of a topic, in partition and offset order."""
        consumer = KafkaConsumer(
            bootstrap_servers=self.bootstrap, enable_auto_commit=False, isolation_level=isolation, group_id=None
        )
        try:
            # A consumer that has only just started may not have the cluster's metadata yet.
            deadline = time.monotonic() + 60
            while not (numbers := consumer.partitions_for_topic(topic)):
                assert time.monotonic() < deadline, f"there is no topic {topic}"
            partitions = [TopicPartition(topic, p) for p in sorted(numbers)]
            consumer.assign(partitions)
            consumer.seek_to_beginning(*partitions)
            ends = consumer.end_offsets(partitions)
            found: list[Any] = []
            while any(consumer.position(p) < ends[p] for p in partitions):
                assert time.monotonic() < deadline, f"{topic} could not be read to its end"
                for records in consumer.poll(timeout_ms=200).values():
                    found.extend(records)
        finally:
            consumer.close()
        return sorted(found, key=lambda r: (r.partition, r.offset))

    def events(self) -> list[Event]:
        return [decode(r.value) for r in self.read(f"{self.name}.events")]

    def epochs(self) -> list[Epoch]:
        found = [(parse_epoch_key(r.key), r.value) for r in self.read(f"{self.name}.epochs")]
        return [decode_epoch(value) for key, value in found if key is None or key.kind == "e"]

    def checkpoints(self) -> list[Checkpoint]:
        found = [(parse_epoch_key(r.key), r.value) for r in self.read(f"{self.name}.epochs")]
        return [decode_checkpoint(value) for key, value in found if key is not None and key.kind == "k"]

    def dead_letters(self) -> list[Any]:
        return self.read(f"{self.name}.dead-letters")


class Nowhere(Cluster):
    """Names for settings of tests that need no broker."""

    def __post_init__(self) -> None:
        pass


def make_settings(cluster: Cluster, max_poll_interval_seconds: float | None = None, **worker: Any) -> Settings:
    settings = Settings.model_validate(
        {
            "kafka": {"bootstrap_servers": cluster.bootstrap},
            "worker": {
                "group": f"{cluster.name}.group", "instance": "one", "commit_interval_seconds": 0.05,
                "session_timeout_seconds": 6, **worker,
            },
            "topics": {
                "events": f"{cluster.name}.events", "dead_letters": f"{cluster.name}.dead-letters",
                "state": f"{cluster.name}.state", "epochs": f"{cluster.name}.epochs",
            },
            "http": {"port": 0},
            "streams": [{"name": "pumps", "topic": cluster.input, "model": "unused"}],
        }
    )  # fmt: skip
    if max_poll_interval_seconds is None:
        return settings
    # Unchecked: an interval that a test can wait for is refused, since it is too short for a commit.
    patience = {"max_poll_interval_seconds": max_poll_interval_seconds}
    return settings.model_copy(update={"worker": settings.worker.model_copy(update=patience)})


def kinds(events: list[Any], series: str) -> list[str]:
    return [event.event for event in events if event.series == series]


def straight(cluster: Cluster) -> list[Any]:
    """What one uninterrupted pass over the input gives, live or replayed, in partition order."""
    settings = make_settings(cluster)
    # The identity must be the live one's: the cluster id is part of every incident's id.
    cluster_id = cluster.events()[0].source.cluster
    chunks: dict[InputPartition, list[Any]] = {}
    items = cluster.read(cluster.input)
    assert items, "nothing was read"
    for item in items:
        chunks.setdefault(InputPartition(item.topic, item.partition), []).append(item)
    result = replay(sorted(chunks.items()), {cluster.input: make_context(settings, cluster_id)}, EventTimeRange())
    return result.events


class RunningWorker:
    """A worker on a thread of this process, stopped as SIGTERM would."""

    def __init__(self, settings: Settings, contexts_of: Callable[[str], Mapping[str, StreamContext]]) -> None:
        self.registry = CollectorRegistry()
        self.stop_asked = threading.Event()
        self.error: BaseException | None = None
        self.parts: LiveParts = open_live(settings, contexts_of, self.registry, self.stop_asked.is_set)
        self.worker: Worker = self.parts.worker
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            self.worker.run()
        except BaseException as error:
            self.error = error

    def stop(self) -> None:
        self.stop_asked.set()
        self._thread.join(60)
        assert not self._thread.is_alive(), "the worker did not stop"
        self.parts.close()

    def abandon(self) -> None:
        """Stop without a last commit, as a crash would."""
        self.worker.commit = lambda membership: None  # type: ignore[assignment,method-assign]
        self.stop()

    @property
    def live(self) -> dict[InputPartition, LivePartition]:
        """What it has taken up, by partition: the tests' own look inside; there is no public need for it."""
        return dict(self.worker._live)

    @property
    def contexts(self) -> Mapping[str, StreamContext]:
        """What is in force, by topic: another look inside."""
        return self.worker._contexts

    def reload(self, topic: str, context: StreamContext) -> None:
        """Let it take over another model as if its bundle had changed, and wait until it has."""
        waiting = [{topic: context}]
        self.worker._reloaded = lambda: waiting.pop() if waiting else {}
        self.wait_for(lambda: self.contexts[topic] is context)

    def value(self, name: str, **labels: str) -> float:
        return self.registry.get_sample_value(f"reconstream_{name}", labels) or 0.0

    def wait_for(self, what: Callable[[], bool], seconds: float = 60.0) -> None:
        until(what, "the worker did not get there", seconds=seconds, meanwhile=self.check)

    def check(self) -> None:
        """Raise what ended the worker, if anything did."""
        if self.error is not None:
            raise self.error

    def wait_committed(self, cluster: Cluster, offsets: dict[int, int], seconds: float = 60.0) -> None:
        """Until the worker has committed these offsets, by partition."""

        def reached() -> bool:
            at = {p.partition: state.committed or 0 for p, state in self.live.items()}
            return all(at.get(partition, -1) >= offset for partition, offset in offsets.items())

        self.wait_for(reached, seconds)


@pytest.fixture
def cluster(
    broker: Any, topic_name: str, create_topic: Callable[..., None], request: pytest.FixtureRequest
) -> Iterator[Cluster]:
    """An input topic with two partitions, or as many as the test is parametrised with (indirectly)."""
    found = Cluster(broker.bootstrap, topic_name)
    create_topic(found.input, partitions=getattr(request, "param", 2), config=KEEP)
    yield found
    found.producer.close()


@pytest.fixture
def run_worker(cluster: Cluster) -> Iterator[Callable[..., RunningWorker]]:
    running: list[RunningWorker] = []

    def start(settings: Settings | None = None, scorer: Any = None, **policy: Any) -> RunningWorker:
        chosen = settings or make_settings(cluster)
        worker = RunningWorker(
            chosen, lambda cluster_id: {cluster.input: make_context(chosen, cluster_id, scorer, **policy)}
        )
        running.append(worker)
        return worker

    yield start
    for worker in running:
        worker.stop_asked.set()
    for worker in running:
        worker._thread.join(60)
        worker.parts.close()
