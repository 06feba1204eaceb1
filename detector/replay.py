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
from detector.lived.certainty import Certainty
from detector.lived.past import Begun
from detector.lived.walk import Walk
from detector.pipeline.context import StreamContext
from detector.pipeline.outcome import Outcome, ScoreRows
from detector.pipeline.partition import PartitionPipeline
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


@dataclass(frozen=True, slots=True)
class Taken:
    """What one chunk of a replay led to, as far as it counts.

    Attributes:
        partition: Of the input.
        threshold: In force.
        events: With the series that each belongs to, in record order.
        dead_letters: In record order.
        scores: Of the windows, in the order of their completion.
    """

    partition: InputPartition
    threshold: float
    events: Sequence[tuple[str, Event]]
    dead_letters: Sequence[DeadLetter]
    scores: Sequence[ScoreRows]


class ReplaySink(Protocol):
    """Takes what a replay finds, as it finds it."""

    def take(self, taken: Taken) -> None:
        """Take the outcomes of one chunk, in order."""


@dataclass(slots=True)
class ReplayResult:
    """Counts of a replay.

    Attributes:
        records: Read, look-back included.
        undetermined: Ids of incidents that what came before the first record could have made another one, or none.
        first_time_ns: Least event time scored within the range, or None.
        last_time_ns: Greatest.
        seconds: Wall time.
    """

    records: int = 0
    scored: int = 0
    unscored: int = 0
    rejected: dict[str, int] = field(default_factory=dict)
    events: list[Event] = field(default_factory=list)
    undetermined: set[str] = field(default_factory=set)
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
    begun: Mapping[InputPartition, Begun] | None = None,
) -> ReplayResult:
    """Run records through the pipeline, from empty windows on or from what is known.

    Args:
        chunks: Records of one partition each, in offset order; None means that nothing came for a moment.
        contexts: Stream by input topic.
        counted: Which outcomes count.
        sinks: Get the outcomes that count.
        progress: Called with the number of records after each chunk.
        monotonic: Clock for the duration.
        begun: Partitions that do not begin with empty windows, or of which the past is not known.
    """
    result = ReplayResult()
    known = begun or {}
    pipelines = {partition: found.pipeline for partition, found in known.items()}
    before = {partition: _drops(pipeline) for partition, pipeline in pipelines.items()}
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
        certainty = known[partition].certainty if partition in known else None
        _count(result, partition, outcome, counted, contexts[partition.topic].policy.threshold, sinks, certainty)
        progress(len(records))
    result.seconds = monotonic() - started
    for partition, pipeline in pipelines.items():
        late, duplicate = before.get(partition, (0, 0))
        result.late += pipeline.store.counts.late - late
        result.duplicate += pipeline.store.counts.duplicate - duplicate
    return result


def replay_as_lived(
    walks: Iterable[tuple[InputPartition, Walk]],
    counted: EventTimeRange,
    sinks: Sequence[ReplaySink] = (),
    progress: Callable[[int], None] = lambda _: None,
    monotonic: Callable[[], float] = time.monotonic,
) -> ReplayResult:
    """Walk through the past of partitions, one after the other, with what was in force at each time.

    Args:
        walks: Of each partition; scores are kept.
        counted: Which outcomes count.
        sinks: Get the outcomes that count.
        progress: Called with the number of records after each piece.
        monotonic: Clock for the duration.

    Raises:
        StateMismatchError: retention deleted a part meanwhile, or a checkpoint does not fit.
    """
    result, started = ReplayResult(), monotonic()
    for partition, walk in walks:
        for passage in walk.passages():
            if passage is None:
                progress(0)
                continue
            outcome = passage.outcome
            result.late += outcome.late
            result.duplicate += outcome.duplicate
            _count(
                result, partition, outcome, counted, passage.context.policy.threshold, sinks, passage.certainty,
                observe=False,
            )  # fmt: skip
            progress(outcome.records)
    result.seconds = monotonic() - started
    return result


def _drops(pipeline: PartitionPipeline) -> tuple[int, int]:
    return pipeline.store.counts.late, pipeline.store.counts.duplicate


def _count(
    result: ReplayResult,
    partition: InputPartition,
    outcome: Outcome,
    counted: EventTimeRange,
    threshold: float,
    sinks: Sequence[ReplaySink],
    certainty: Certainty | None,
    observe: bool = True,
) -> None:
    if certainty is not None and observe:
        certainty.follow(outcome)
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
    if certainty is not None:
        result.undetermined.update(event.incident_id for _, event in events if not certainty.covers(event))
    for rows in scores:
        known = int(np.count_nonzero(~np.isnan(rows.score)))
        result.scored += known
        result.unscored += len(rows.series) - known
        result.series.update(rows.series)
        low, high = int(rows.time_ns.min()), int(rows.time_ns.max())
        result.first_time_ns = low if result.first_time_ns is None else min(low, result.first_time_ns)
        result.last_time_ns = high if result.last_time_ns is None else max(high, result.last_time_ns)
    taken = Taken(partition, threshold, events, letters, scores)
    for sink in sinks:
        sink.take(taken)


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
        [rows.series[i] for i in index.tolist()],
        rows.time_ns[index],
        rows.offset[index],
        rows.score[index],
        rows.anew[index],
    )
