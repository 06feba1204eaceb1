"""Makes metrics with one prefix, and remembers what it made, for the documentation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Info

from detector.observability.histogram import BulkHistogram

PREFIX: Final = "reconstream_"


@dataclass(frozen=True, slots=True)
class MetricDescription:
    """What the documentation says about a metric."""

    section: str
    name: str
    kind: str
    labels: tuple[str, ...]
    documentation: str
    bounds: tuple[float, ...] = ()


class MetricFactory:
    """Makes metrics with the common prefix and remembers what it made, for the documentation.

    Args:
        registry: Where they are registered.

    Attributes:
        descriptions: Of all metrics made so far, in their order.
    """

    def __init__(self, registry: CollectorRegistry) -> None:
        self._registry = registry
        self._section = ""
        self.descriptions: list[MetricDescription] = []

    def section(self, title: str) -> None:
        """What is made from now on belongs to this section of the document."""
        self._section = title

    def _describe(self, name: str, kind: str, text: str, labels: Sequence[str], bounds: Sequence[float] = ()) -> None:
        self.descriptions.append(MetricDescription(self._section, name, kind, tuple(labels), text, tuple(bounds)))

    def counter(self, name: str, text: str, *labels: str) -> Counter:
        """A counter; ``name`` ends in ``_total``."""
        self._describe(f"{PREFIX}{name}", "counter", text, labels)
        return Counter(f"{PREFIX}{name}", text, labels, registry=self._registry)

    def gauge(self, name: str, text: str, *labels: str) -> Gauge:
        """A gauge."""
        self._describe(f"{PREFIX}{name}", "gauge", text, labels)
        return Gauge(f"{PREFIX}{name}", text, labels, registry=self._registry)

    def histogram(self, name: str, text: str, bounds: Sequence[float], *labels: str) -> BulkHistogram:
        """A classic histogram with these upper bounds."""
        self._describe(f"{PREFIX}{name}", "histogram", text, labels, bounds)
        return BulkHistogram(f"{PREFIX}{name}", text, labels, bounds, self._registry)

    def info(self, name: str, text: str, labels: Sequence[str], fields: Sequence[str]) -> Info:
        """An info metric; ``_info`` is added to its name, and ``fields`` are labels that a later value may change."""
        self._describe(f"{PREFIX}{name}_info", "info", text, (*labels, *fields))
        return Info(f"{PREFIX}{name}", text, labels, registry=self._registry)
