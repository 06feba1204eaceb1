"""Where a replay's outcomes go, besides the summary."""

from __future__ import annotations

from pathlib import Path

from detector.alerting.events import encode
from detector.files.events import LineWriter
from detector.files.scores import ScoreWriter
from detector.kafka.writer import TopicWriter
from detector.replay import Taken


class ScoreFileSink:
    """Every score, to Parquet, CSV or JSON Lines."""

    def __init__(self, path: Path) -> None:
        self.writer = ScoreWriter(path)

    def take(self, taken: Taken) -> None:
        """See `detector.replay.ReplaySink`."""
        for rows in taken.scores:
            self.writer.append(
                rows.series, rows.time_ns, rows.score, taken.threshold, taken.partition.partition, rows.offset
            )


class EventFileSink:
    """Every event, to JSON Lines, in the order of the partitions' records."""

    def __init__(self, path: Path) -> None:
        self.writer = LineWriter(path)

    def take(self, taken: Taken) -> None:
        """See `detector.replay.ReplaySink`."""
        self.writer.write(encode(event) for _, event in taken.events)


class EventTopicSink:
    """Every event, to a topic of its own, with the series as key as the worker does."""

    def __init__(self, writer: TopicWriter) -> None:
        self.writer = writer

    def take(self, taken: Taken) -> None:
        """See `detector.replay.ReplaySink`."""
        for series, event in taken.events:
            self.writer.send(taken.partition.partition, series.encode(), encode(event))
