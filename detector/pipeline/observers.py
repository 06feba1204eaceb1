"""Several who watch one context."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from detector.pipeline.context import Observer, StreamContext
from detector.scoring.scores import Scores
from detector.series.values import Reset, WindowBatch


def watched(context: StreamContext, observer: Observer) -> StreamContext:
    """The context with an observer; whoever watched it before still does, and is told first."""
    before = context.observer
    return replace(context, observer=observer if before is None else _Both(before, observer))


class _Both:
    """Tells two."""

    def __init__(self, first: Observer, second: Observer) -> None:
        self._first, self._second = first, second

    def observe(
        self, partition: int, batch: WindowBatch | None, scores: Scores | None, resets: Sequence[Reset]
    ) -> None:
        """See `detector.pipeline.context.Observer`."""
        self._first.observe(partition, batch, scores, resets)
        self._second.observe(partition, batch, scores, resets)
