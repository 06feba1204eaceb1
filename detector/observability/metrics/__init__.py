"""Every metric of the worker, by what it is about, in one object that is given its registry."""

from __future__ import annotations

from collections.abc import Iterable

from prometheus_client import CollectorRegistry, disable_created_metrics

from detector.observability.factory import MetricDescription, MetricFactory
from detector.observability.metrics.delivery import DeliveryMetrics
from detector.observability.metrics.group import GroupMetrics
from detector.observability.metrics.records import RecordMetrics
from detector.observability.metrics.running import RunningMetrics
from detector.observability.metrics.scores import ScoreMetrics
from detector.observability.metrics.series import SeriesMetrics
from detector.observability.metrics.shadow import ShadowMetrics

__all__ = ["Metrics"]


class Metrics:
    """The worker's metrics.

    Keys, offsets and exception texts are never labels, since their number has no bound; a series is one only where the
    settings list it. The attributes of each group are prometheus_client's own counters and gauges, and `BulkHistogram`;
    ``docs/metrics.md`` is generated from them (``python -m detector.observability.document``).

    Args:
        registry: Where they are registered; a fresh one in tests.

    Attributes:
        registry: As given.
        descriptions: Of all metrics, for the documentation, in the order of its sections.
    """

    def __init__(self, registry: CollectorRegistry) -> None:
        # Each counter and histogram would have a second series with the time of its birth, which nothing here reads.
        # The library knows this setting for the whole process only.
        disable_created_metrics()  # type: ignore[no-untyped-call]
        make = MetricFactory(registry)
        self.registry = registry
        self.records = RecordMetrics(make)
        self.series = SeriesMetrics(make)
        self.scores = ScoreMetrics(make)
        self.delivery = DeliveryMetrics(make)
        self.group = GroupMetrics(make)
        self.shadow = ShadowMetrics(make)
        self.running = RunningMetrics(make)
        self.descriptions: tuple[MetricDescription, ...] = tuple(make.descriptions)

    def add_stream(self, stream: str, rejection_reasons: Iterable[str] = ()) -> None:
        """Expose a stream's metrics at zero, so that ``rate()`` sees their first increase too.

        Args:
            stream: Name of the stream.
            rejection_reasons: Reasons for which records can be rejected.
        """
        self.records.add_stream(stream, rejection_reasons)
        for group in (self.series, self.scores, self.group, self.running):
            group.add_stream(stream)

    def add_shadow(self, stream: str) -> None:
        """Expose the metrics of a stream's challenger at zero, for streams that are to have one."""
        self.shadow.add_stream(stream)
        self.running.add_shadow(stream)
