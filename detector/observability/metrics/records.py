"""Metrics of the records that came in, and of how far the worker is behind."""

from __future__ import annotations

from collections.abc import Iterable

from detector.observability.factory import MetricFactory


class RecordMetrics:
    """What came in, and how far it was processed."""

    def __init__(self, make: MetricFactory) -> None:
        make.section("Records in")
        self.consumed = make.counter(
            "records_consumed_total", "Records taken from the input, whatever became of them.", "stream"
        )
        self.rejected = make.counter(
            "records_rejected_total",
            "Records that cannot become a sample, by reason; other: one that a decoder of another package gave.",
            "stream",
            "reason",
        )
        self.ignored = make.counter(
            "records_ignored_total", "Valid records that carry no channel of the model.", "stream"
        )
        self.late = make.counter(
            "records_late_total", "Samples dropped because a later one of their series was there before.", "stream"
        )
        self.duplicate = make.counter(
            "records_duplicate_total", "Samples dropped because their series had one of the same time.", "stream"
        )
        self.dead_letters = make.counter("dead_letters_total", "Records committed to the dead-letter topic.", "stream")
        partition = ("stream", "topic", "partition")
        self.lag_records = make.gauge(
            "consumer_lag_records",
            "Records between what is committed and the last stable offset; only for partitions that this worker owns.",
            *partition,
        )
        self.lag_seconds = make.gauge(
            "consumer_lag_seconds",
            "For how long the last stable offset has been beyond what is committed, by the worker's clock and since it "
            "began to look; 0 when nothing waits. It needs no timestamps of records, which may be of another time.",
            *partition,
        )
        self.partition_last_record_timestamp = make.gauge(
            "partition_last_record_timestamp_seconds",
            "Wall-clock time at which the partition last gave this worker a record; until it gives one, of when this "
            "worker went live on it, and absent where no series of it is known.",
            *partition,
        )
        self.input_partitions = make.gauge(
            "input_partitions", "Partitions of the stream's topic, whichever worker owns them.", "stream"
        )
        self.last_processed_timestamp = make.gauge(
            "last_processed_timestamp_seconds", "Wall-clock time at which records were last processed.", "stream"
        )
        self.event_time = make.gauge(
            "event_timestamp_seconds", "Event time that the stream has reached: its newest watermark.", "stream"
        )

    def add_stream(self, stream: str, rejection_reasons: Iterable[str]) -> None:
        """Expose a stream at zero.

        Args:
            stream: Its name.
            rejection_reasons: Reasons for which records can be rejected.
        """
        for counter in (self.consumed, self.ignored, self.late, self.duplicate, self.dead_letters):
            counter.labels(stream)
        for reason in rejection_reasons:
            self.rejected.labels(stream, reason)

    def set_lag(self, stream: str, topic: str, partition: int, records: int, seconds: float) -> None:
        """How far, and for how long, an owned partition has been behind its last stable offset."""
        self.lag_records.labels(stream, topic, str(partition)).set(records)
        self.lag_seconds.labels(stream, topic, str(partition)).set(seconds)

    def remove_partition(self, stream: str, topic: str, partition: int) -> None:
        """Stop reporting a partition that was taken away; its next owner reports it. Unknown ones are fine."""
        for gauge in (self.lag_records, self.lag_seconds, self.partition_last_record_timestamp):
            gauge.remove(stream, topic, str(partition))
