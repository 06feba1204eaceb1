"""Which part of a history is replayed, who watches, and a replay that is ready to run."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from detector.comparison.models import ShadowReplay
from detector.pipeline.context import StreamContext
from detector.records.values import InputPartition
from detector.replay import EventTimeRange, ReplayResult, ReplaySink


@dataclass(frozen=True, slots=True)
class Range:
    """What was asked for.

    Attributes:
        since_ns: First event time, nanoseconds since the epoch of Unix.
        until_ns: First event time that is too late.
        from_offset: First offset, in every partition.
        to_offset: First offset that is too late.
        look_back: A duration, as typed.
    """

    since_ns: int | None = None
    until_ns: int | None = None
    from_offset: int | None = None
    to_offset: int | None = None
    look_back: str | None = None

    @property
    def in_mid_stream(self) -> bool:
        """Whether it begins somewhere else than at the beginning."""
        return self.since_ns is not None or bool(self.from_offset)


Watch = Callable[[StreamContext], StreamContext]
"""Lets somebody see what the pipelines of a context score."""


def _unwatched(context: StreamContext) -> StreamContext:
    return context


@dataclass(frozen=True, slots=True)
class Watching:
    """Who sees what is scored.

    Attributes:
        model: Of the model.
        challenger: Of the challenger.
        found: Sinks of what the challenger finds.
    """

    model: Watch = _unwatched
    challenger: Watch = _unwatched
    found: Sequence[ReplaySink] = ()


NOBODY = Watching()


@dataclass(frozen=True, slots=True)
class Opened:
    """A replay that is ready to run.

    Attributes:
        run: Takes sinks and progress.
        records: How many will come, about.
        contexts: In force, by name.
        partitions: How many are read.
        close: To be called at the end.
        started: What partitions begin with, where that is not their beginning.
        shadow: The challenger beside it, if there is one.
        counted: Which outcomes count.
        held: Says what the topics hold, for the case that nothing was in the range.
    """

    run: Callable[[Sequence[ReplaySink], Callable[[int], None]], ReplayResult]
    records: int | None
    contexts: Mapping[str, StreamContext]
    partitions: int
    close: Callable[[], None]
    started: Sequence[tuple[InputPartition, str]] = field(default=())
    shadow: ShadowReplay | None = None
    counted: EventTimeRange = field(default_factory=EventTimeRange)
    held: Callable[[], Sequence[str]] = tuple
