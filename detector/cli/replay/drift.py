"""How far the inputs of a replay were from what their model learned from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from detector.pipeline.context import StreamContext
from detector.pipeline.observers import watched
from detector.scoring.drift import Distance, FollowsDrift
from detector.scoring.scores import Scores
from detector.series.values import Reset, WindowBatch

Distances = dict[tuple[str, str], Distance]
SCORE = ""
"""Stands for the score, among names of channels."""


class DriftWatch:
    """Watches contexts, and remembers the greatest distance of each channel.

    Attributes:
        greatest: By stream and channel.
    """

    def __init__(self) -> None:
        self.greatest: Distances = {}

    def watch(self, context: StreamContext) -> StreamContext:
        """The context, whose pipelines are watched from now on."""
        return context if context.drift is None else watched(context, _Watcher(context.name, context.drift, self))

    def note(self, stream: str, found: Mapping[str, Distance]) -> None:
        """Take distances of channels."""
        for channel, distance in found.items():
            before = self.greatest.get((stream, channel))
            if before is None or distance.index / distance.limit > before.index / before.limit:
                self.greatest[stream, channel] = distance


class _Watcher:
    def __init__(self, stream: str, meter: FollowsDrift, watch: DriftWatch) -> None:
        self._stream, self._meter, self._watch = stream, meter, watch

    def observe(
        self, partition: int, batch: WindowBatch | None, scores: Scores | None, resets: Sequence[Reset]
    ) -> None:
        """See `detector.pipeline.context.Observer`."""
        del partition, resets
        drift = None if batch is None or scores is None else self._meter.follow(batch, scores)
        if drift is not None:
            self._watch.note(
                self._stream, drift.inputs if drift.score is None else {**drift.inputs, SCORE: drift.score}
            )
