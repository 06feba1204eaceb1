"""A classic Prometheus histogram that takes whole arrays at once."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Iterable, Iterator, Sequence

import numpy as np
import numpy.typing as npt
from prometheus_client.core import HistogramMetricFamily, Metric
from prometheus_client.registry import Collector, CollectorRegistry


class _Child:
    """Counts of one combination of label values."""

    __slots__ = ("counts", "total")

    def __init__(self, buckets: int) -> None:
        self.counts = np.zeros(buckets, dtype=np.int64)
        self.total = 0.0


class BulkHistogram(Collector):
    """A histogram whose cost is that of one `numpy.searchsorted` a call, not of one lock and one search a value.

    prometheus_client's own ``Histogram.observe`` searches and locks for each value, and a worker scores ten
    thousand windows a second. What is exposed is the same: cumulative ``_bucket``, ``_sum`` and ``_count``.

    It may be read by the HTTP thread while the loop writes.

    Args:
        name: Full name of the metric.
        documentation: Help text.
        labels: Names of the labels.
        bounds: Upper bounds of the buckets, inclusive, ascending, not negative; +Inf is added.
        registry: Where it is registered.

    Raises:
        ValueError: the bounds are not ascending or not usable.
    """

    def __init__(
        self, name: str, documentation: str, labels: Sequence[str], bounds: Sequence[float], registry: CollectorRegistry
    ) -> None:
        if not bounds or list(bounds) != sorted(set(bounds)) or not np.isfinite(bounds).all() or bounds[0] < 0:
            raise ValueError(f"{name}: bucket bounds must be finite, not negative, distinct and ascending")
        self._name = name
        self._documentation = documentation
        self._labels = tuple(labels)
        self._bounds = np.asarray(bounds, dtype=np.float64)
        self._bound_texts = [*(repr(float(bound)) for bound in bounds), "+Inf"]
        self._children: dict[tuple[str, ...], _Child] = {}
        self._lock = threading.Lock()
        if not self._labels:
            self.initialise()
        registry.register(self)

    def initialise(self, *label_values: str) -> None:
        """Expose a combination of label values from now on, at zero until something is observed."""
        with self._lock:
            self._child(label_values)

    def observe(self, value: float, *label_values: str) -> None:
        """Count one value; NaN is not counted."""
        self.observe_many(np.array([value]), *label_values)

    def observe_many(self, values: npt.ArrayLike, *label_values: str) -> None:
        """Count all values of an array, of any shape and any real dtype.

        NaN means "unknown" everywhere in this program and is not counted: it would turn the sum into NaN for ever.

        Raises:
            ValueError: not one value per label.
        """
        observed = np.asarray(values, dtype=np.float64).ravel()
        observed = observed[~np.isnan(observed)]
        # side="left": the bucket of a value is the first whose bound is not below it, so bounds are inclusive.
        found = np.searchsorted(self._bounds, observed, side="left")
        counts = np.bincount(found, minlength=len(self._bounds) + 1)
        total = float(observed.sum())
        with self._lock:
            child = self._child(label_values)
            child.counts += counts
            child.total += total

    def _child(self, label_values: tuple[str, ...]) -> _Child:
        child = self._children.get(label_values)
        if child is None:
            if len(label_values) != len(self._labels):
                raise ValueError(f"{self._name}: one value for each label of {self._labels}, not {label_values}")
            child = self._children[label_values] = _Child(len(self._bounds) + 1)
        return child

    def _family(self) -> HistogramMetricFamily:
        return HistogramMetricFamily(self._name, self._documentation, labels=self._labels)

    def describe(self) -> Iterable[Metric]:
        """The family without samples, with which the registry finds clashes of names."""
        return [self._family()]

    def collect(self) -> Iterator[Metric]:
        """All samples, as cumulative buckets."""
        family = self._family()
        with self._lock:
            state = [(labels, child.counts.tolist(), child.total) for labels, child in self._children.items()]
        for labels, counts, total in state:
            cumulative = itertools.accumulate(counts)
            family.add_metric(labels, list(zip(self._bound_texts, cumulative, strict=True)), total)
        yield family
