"""Partitions that wait to be restored, and what is told of those that fail."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, cast

from prometheus_client import CollectorRegistry

from detector.errors import KafkaUnavailableError
from detector.kafka.membership import Membership
from detector.observability.metrics import Metrics
from detector.pipeline.partition import PartitionPipeline
from detector.records.values import InputPartition
from detector.restoring.progress import Progress
from detector.worker.instruments import Instruments
from detector.worker.recovery.values import Restored
from detector.worker.recovery.ways import Recovery
from detector.worker.restorations import Restorations
from tests.worker.support import Nowhere, make_context, make_settings

WHERE = InputPartition("none.input", 0)


class Clock:
    seconds = 1000.0

    def __call__(self) -> float:
        return self.seconds


class Failing:
    """A recovery whose first attempts break off in the middle."""

    def __init__(self, failures: int) -> None:
        self._left = failures

    def restore(self, partition: InputPartition, context: Any) -> Iterator[Progress | Restored]:
        yield Progress(10, 100)
        if self._left:
            self._left -= 1
            raise KafkaUnavailableError("no leader")
        yield Restored(PartitionPipeline(context, partition.partition), 0, None, 0, None, 1, records=7)


def test_what_failed_is_counted_and_begun_anew_a_moment_later() -> None:
    registry, clock = CollectorRegistry(), Clock()
    context = make_context(make_settings(Nowhere("localhost:1", "none")), "cluster")
    instruments = Instruments(Metrics(registry), 100.0, monotonic=clock)
    restorations = Restorations(cast(Recovery, Failing(2)), {WHERE.topic: context}, instruments, lambda _: True, clock)
    restorations.add(WHERE)
    membership = Membership(None)

    def value(name: str, **labels: str) -> float | None:
        return registry.get_sample_value(f"reconstream_{name}", labels)

    for failures in (1, 2):
        assert restorations.advance(membership) is None
        assert value("restore_failures_total", stream="pumps") == failures
        assert value("restore_remaining_records") == 90
        assert not restorations.is_due
        clock.seconds += 1
    restored = restorations.advance(membership)
    assert restored is not None
    assert restored[0] == WHERE
    assert value("restore_failures_total", stream="pumps") == 2
    assert value("restore_records_total", stream="pumps") == 7
    assert value("restore_remaining_records") == 0
    assert len(restorations) == 0
