"""The bounded loop over history: the live worker's pipeline, with a source and sinks of its own.

It joins no group, commits nothing and ends at offsets that were taken when it began.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from detector.alerting.dead_letter import DeadLetter
from detector.alerting.events import Event
from detector.alerting.timestamps import parse_time
from detector.pipeline import Outcome, PartitionPipeline, ScoreRows, StreamContext
from detector.records.values import InputPartition, Record

Chunk = tuple[InputPartition, Sequence[Record]]


@dataclass(frozen=True, slots=True)
class EventTimeRange:
    """Which outcomes count. Records outside of it only bring the windows up to date.

    Attributes:
        since_ns: First event time, nanoseconds since the epoch, or None.
        until_ns: First event time that is too late, or None.
        from_offsets: First offset that counts, by partition.
    """

    since_ns: int | None = None
    until_ns: int | None = None
    from_offsets: Mapping[InputPartition, int] = field(default_factory=dict)

    def holds(self, partition: InputPartition, time_ns: int, offset: int) -> bool:
        """Whether an outcome at this event time, caused by the record at this offset, counts."""
        return (
            (self.since_ns is None or time_ns >= self.since_ns)
            and (self.until_ns is None or time_ns < self.until_ns)
            and offset >= self.from_offsets.get(partition, 0)
        )


class ReplaySink(Protocol):
    """Takes what a replay finds, as it finds it."""

    def take(
        self,
        partition: InputPartition,
        threshold: float,
        events: Sequence[tuple[str, Event]],
        dead_letters: Sequence[DeadLetter],
        scores: Sequence[ScoreRows],
    ) -> None:
        """Take the outcomes of one chunk, in order."""


@dataclass(slots=True)
class ReplayResult:
    """Counts of a replay.

    Attributes:
        records: Read, look-back included.
        first_time_ns: Least event time scored within the range, or None.
        last_time_ns: Greatest.
        seconds: Wall time.
    """

    records: int = 0
    scored: int = 0
    unscored: int = 0
    rejected: dict[str, int] = field(default_factory=dict)
    events: list[Event] = field(default_factory=list)
    series: set[str] = field(default_factory=set)
    late: int = 0
    duplicate: int = 0
    first_time_ns: int | None = None
    last_time_ns: int | None = None
    seconds: float = 0.0


def replay(
    chunks: Iterable[Chunk | None],
    contexts: Mapping[str, StreamContext],
    counted: EventTimeRange,
    sinks: Sequence[ReplaySink] = (),
    progress: Callable[[int], None] = lambda _: None,
    monotonic: Callable[[], float] = time.monotonic,
) -> ReplayResult:
    """Run records through the pipeline, from empty windows on.

    Args:
        chunks: Records of one partition each, in offset order; None means that nothing came for a moment.
        contexts: Stream by input topic.
        counted: Which outcomes count.
        sinks: Get the outcomes that count.
        progress: Called with the number of records after each chunk.
        monotonic: Clock for the duration.
    """
    result = ReplayResult()
    pipelines: dict[InputPartition, PartitionPipeline] = {}
    started = monotonic()
    for chunk in chunks:
        if chunk is None:
            progress(0)
            continue
        partition, records = chunk
        pipeline = pipelines.get(partition)
        if pipeline is None:
            pipeline = pipelines[partition] = PartitionPipeline(contexts[partition.topic], partition.partition)
        outcome = pipeline.process(records)
        _count(result, partition, outcome, counted, contexts[partition.topic].policy.threshold, sinks)
        progress(len(records))
    result.seconds = monotonic() - started
    result.late = sum(pipeline.store.counts.late for pipeline in pipelines.values())
    result.duplicate = sum(pipeline.store.counts.duplicate for pipeline in pipelines.values())
    return result


def _count(
    result: ReplayResult,
    partition: InputPartition,
    outcome: Outcome,
    counted: EventTimeRange,
    threshold: float,
    sinks: Sequence[ReplaySink],
) -> None:
    events = [
        (series, event)
        for series, event in outcome.events
        if counted.holds(partition, parse_time(event.updated_at), event.source.last_offset)
    ]
    first = counted.from_offsets.get(partition, 0)
    letters = [letter for offset, letter in outcome.dead_letters if offset >= first]
    scores = [rows for rows in (_inside(rows, partition, counted) for rows in outcome.scores) if len(rows.series)]
    result.records += outcome.records
    for reason, count in outcome.rejected.items():
        result.rejected[reason] = result.rejected.get(reason, 0) + count
    result.events.extend(event for _, event in events)
    for rows in scores:
        known = int(np.count_nonzero(~np.isnan(rows.score)))
        result.scored += known
        result.unscored += len(rows.series) - known
        result.series.update(rows.series)
        low, high = int(rows.time_ns.min()), int(rows.time_ns.max())
        result.first_time_ns = low if result.first_time_ns is None else min(low, result.first_time_ns)
        result.last_time_ns = high if result.last_time_ns is None else max(high, result.last_time_ns)
    for sink in sinks:
        sink.take(partition, threshold, events, letters, scores)


def _inside(rows: ScoreRows, partition: InputPartition, counted: EventTimeRange) -> ScoreRows:
    keep = rows.offset >= counted.from_offsets.get(partition, 0)
    if counted.since_ns is not None:
        keep &= rows.time_ns >= counted.since_ns
    if counted.until_ns is not None:
        keep &= rows.time_ns < counted.until_ns
    if keep.all():
        return rows
    index = np.flatnonzero(keep)
    return ScoreRows(
        [rows.series[i] for i in index.tolist()], rows.time_ns[index], rows.offset[index], rows.score[index]
    )
