"""A replay in which a challenger sees each chunk before the model does."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TypeAlias

from detector.comparison.models import ShadowReplay
from detector.lived.past import Begun
from detector.pipeline.context import StreamContext
from detector.records.values import InputPartition, Record
from detector.replay import Chunk, EventTimeRange, ReplayResult, ReplaySink, replay

Adapt: TypeAlias = Callable[[Sequence[Record]], Sequence[Record]]
"""Makes of records those that another model reads."""


def as_it_is(records: Sequence[Record]) -> Sequence[Record]:
    """The same records."""
    return records


def replay_beside(
    shadow: ShadowReplay | None,
    chunks: Iterable[Chunk | None],
    contexts: Mapping[str, StreamContext],
    counted: EventTimeRange,
    sinks: Sequence[ReplaySink],
    progress: Callable[[int], None],
    begun: Mapping[InputPartition, Begun] | None = None,
    own: Adapt = as_it_is,
) -> ReplayResult:
    """Replay, with the challenger, if there is one, seeing each chunk first.

    Args:
        shadow: Holds the challenger; None: there is none.
        chunks: See `replay`, as what is not described here.
        contexts: By topic.
        counted: Which outcomes count.
        sinks: Take them.
        progress: Called with numbers of records.
        begun: What partitions begin with.
        own: Makes of records, as the challenger sees them, those that the model reads.
    """
    if shadow is None:
        return replay(chunks, contexts, counted, sinks, progress, begun=begun)
    seen = (None if chunk is None else (chunk[0], own(chunk[1])) for chunk in shadow.watch(chunks))
    return replay(seen, contexts, counted, [*sinks, shadow], progress, begun=begun)
