"""Records through a real broker and a real worker, until the last one is committed."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace

from kafka import KafkaProducer
from prometheus_client import CollectorRegistry

from benchmarks.throughput.telemetry import Shape, records
from detector.broker import LocalBroker
from detector.cli.common.assemble import stream_context
from detector.cli.run.live import open_live
from detector.kafka.topic_specs import history_topic
from detector.kafka.topics import ensure_topics
from detector.pipeline.context import StreamContext
from detector.settings import Settings
from models.bundle import Bundle

_TOPIC, _STREAM = "benchmark", "benchmark"
_LOOK_EVERY_SECONDS = 0.1
_LIMIT_SECONDS = 1800.0
# A model of one epoch on made-up data calls anything an anomaly. Few incidents are what a worker sees in ordinary
# operation, and what it costs to emit one is not what is measured here.
_THRESHOLD_FACTOR = 1000.0


@dataclass(frozen=True, slots=True)
class EndToEnd:
    """What the worker did.

    Attributes:
        records: Published and committed.
        publish_seconds: Publishing all of them, before the worker started.
        start_seconds: From the start of the worker's loop to the first records it took: joining the group and the like.
        seconds: From then until all records were committed.
        scoring_share: Share of these seconds spent in scoring.
        commit_share: Share spent in transactions.
        windows: Scored.
        events: Committed.
    """

    records: int
    publish_seconds: float
    start_seconds: float
    seconds: float
    scoring_share: float
    commit_share: float
    commits: int
    windows: int
    events: int

    @property
    def records_per_second(self) -> float:
        """Records from broker to commit."""
        return self.records / self.seconds


def measure(shape: Shape, bundle: Bundle) -> EndToEnd:
    """Publish records to a broker of its own, then run one worker with exactly-once delivery over them.

    Raises:
        RuntimeError: the worker did not score or commit exactly what it should have.
    """
    with LocalBroker() as broker:
        settings = _settings(broker.bootstrap, bundle)
        ensure_topics(settings.kafka, [history_topic(_TOPIC, shape.partitions)])
        publish_seconds = _publish(shape, broker.bootstrap)

        def contexts(cluster: str) -> dict[str, StreamContext]:
            context = stream_context(settings.streams[0], bundle, cluster)
            policy = context.policy
            quiet = replace(
                policy,
                threshold=policy.threshold * _THRESHOLD_FACTOR,
                quiet_score=policy.quiet_score * _THRESHOLD_FACTOR,
            )
            return {_TOPIC: replace(context, policy=quiet)}

        registry = CollectorRegistry()
        watch = _Watch(registry, shape.records, time.perf_counter)
        parts = open_live(settings, contexts, registry, watch)
        try:
            watch.start()
            parts.worker.run()
        finally:
            parts.close()
    seconds = watch.ended - watch.began
    found = EndToEnd(
        records=int(watch.value("commit_records_sum")),
        publish_seconds=publish_seconds,
        start_seconds=watch.began - watch.started,
        seconds=seconds,
        scoring_share=watch.value("scoring_duration_seconds_sum", stream=_STREAM) / seconds,
        commit_share=watch.value("commit_duration_seconds_sum") / seconds,
        commits=int(watch.value("commits_total", outcome="committed")),
        windows=int(watch.value("windows_scored_total", stream=_STREAM)),
        events=int(
            sum(
                watch.value("events_total", stream=_STREAM, event=event, severity=severity)
                for event in ("opened", "updated", "closed")
                for severity in ("info", "warning", "critical")
            )
        ),
    )
    windows = shape.windows(bundle.spec.window)
    if (found.records, found.windows) != (shape.records, windows):
        raise RuntimeError(
            f"{found.records} of {shape.records} records were committed, and {found.windows} of {windows} "
            "windows scored"
        )
    return found


class _Watch:
    """Stands where the worker asks whether to stop, and looks at its metrics as a scrape would."""

    def __init__(self, registry: CollectorRegistry, records: int, clock: Callable[[], float]) -> None:
        self._registry = registry
        self._records = records
        self._clock = clock
        self._asked = 0.0
        self._looked = 0.0
        self.started = self.began = self.ended = 0.0

    def start(self) -> None:
        """The loop is about to begin."""
        self.started = self._asked = self._clock()

    def __call__(self) -> bool:
        """Whether all is committed. Until the first records come, it looks in every cycle, afterwards now and then."""
        now = self._clock()
        if not self.began:
            if self.value("records_consumed_total", stream=_STREAM):
                self.began = self._asked  # when the cycle that took them began
        elif now - self._looked >= _LOOK_EVERY_SECONDS:
            self._looked = now
            if self.value("commit_records_sum") >= self._records:
                self.ended = now
                return True
        if now - self.started > _LIMIT_SECONDS:
            raise RuntimeError(f"the worker did not commit all records within {_LIMIT_SECONDS:g} s")
        self._asked = now
        return False

    def value(self, name: str, **labels: str) -> float:
        """One number of the worker's metrics, 0 if it is not there."""
        return self._registry.get_sample_value(f"reconstream_{name}", labels) or 0.0


def _settings(bootstrap: str, bundle: Bundle) -> Settings:
    return Settings.model_validate(
        {
            "kafka": {"bootstrap_servers": bootstrap},
            "worker": {"group": "benchmark", "instance": "one", "delivery": "exactly_once"},
            "http": {"port": 0},
            "streams": [{"name": _STREAM, "topic": _TOPIC, "model": str(bundle.path)}],
        }
    )


def _publish(shape: Shape, bootstrap: str) -> float:
    producer = KafkaProducer(bootstrap_servers=bootstrap, linger_ms=20, batch_size=256 * 1024)
    started = time.perf_counter()
    try:
        for record in records(shape, _TOPIC):
            producer.send(_TOPIC, record.value, record.key, partition=record.partition, timestamp_ms=record.timestamp)
        producer.flush()
    finally:
        producer.close()
    return time.perf_counter() - started
