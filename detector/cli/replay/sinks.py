"""Where a replay's outcomes go, besides the summary."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from detector.alerting.dead_letter import DeadLetter
from detector.alerting.events import Event, encode
from detector.files.events import LineWriter
from detector.files.scores import ScoreWriter
from detector.kafka.writer import TopicWriter
from detector.outcome import ScoreRows
from detector.records.values import InputPartition


class ScoreFileSink:
    """Every score, to Parquet, CSV or JSON Lines."""

    def __init__(self, path: Path) -> None:
        self.writer = ScoreWriter(path)

    def take(
        self,
        partition: InputPartition,
        threshold: float,
        events: Sequence[tuple[str, Event]],
        dead_letters: Sequence[DeadLetter],
        scores: Sequence[ScoreRows],
    ) -> None:
        """See `detector.replay.ReplaySink`."""
        del events, dead_letters
        for rows in scores:
            self.writer.append(rows.series, rows.time_ns, rows.score, threshold, partition.partition, rows.offset)


class EventFileSink:
    """Every event, to JSON Lines, in the order of the partitions' records."""

    def __init__(self, path: Path) -> None:
        self.writer = LineWriter(path)

    def take(
        self,
        partition: InputPartition,
        threshold: float,
        events: Sequence[tuple[str, Event]],
        dead_letters: Sequence[DeadLetter],
        scores: Sequence[ScoreRows],
    ) -> None:
        """See `detector.replay.ReplaySink`."""
        del partition, threshold, dead_letters, scores
        self.writer.write(encode(event) for _, event in events)


class EventTopicSink:
    """Every event, to a topic of its own, with the series as key as the worker does."""

    def __init__(self, writer: TopicWriter) -> None:
        self.writer = writer

    def take(
        self,
        partition: InputPartition,
        threshold: float,
        events: Sequence[tuple[str, Event]],
        dead_letters: Sequence[DeadLetter],
        scores: Sequence[ScoreRows],
    ) -> None:
        """See `detector.replay.ReplaySink`."""
        del threshold, dead_letters, scores
        for series, event in events:
            self.writer.send(partition.partition, series.encode(), encode(event))
