"""A partition that is being processed, and what of it waits for a commit."""

from __future__ import annotations

from dataclasses import dataclass, field

from detector.alerting.events import encode
from detector.kafka.committer import OutputRecord
from detector.pipeline.context import StreamContext
from detector.pipeline.outcome import Outcome
from detector.pipeline.partition import PartitionPipeline
from detector.settings import TopicSettings
from detector.state import Epoch
from detector.worker.checkpointing import CheckpointWriter


@dataclass(slots=True)
class LivePartition:
    """A partition that is being processed.

    Attributes:
        next_offset: Of the first record that was not processed.
        committed: As of the last commit; None before the group's first, which is then due at once.
        epoch_from: Offset from which the present model and settings hold.
        epoch: To be written with the next commit, if it is new. Of two from the same offset the later one counts.
        checkpoint: Keeps the whole state on the epochs topic now and then.
        began_partitions: Of the input topic when the group first read this partition.
        judged_from: First record that the present model has judged.
        memory_from: First record from which what it carries along each series has been carried on.
        obsolete: Series whose snapshots on the state topic are of no use any more and have to go.
        outputs: Waiting for a commit.
        touched: Series whose snapshot goes with it, whatever their turn.
        outcomes: Counted once they are committed.
    """

    context: StreamContext
    pipeline: PartitionPipeline
    next_offset: int
    committed: int | None
    epoch_from: int
    epoch: Epoch | None
    checkpoint: CheckpointWriter
    began_partitions: int
    judged_from: int = 0
    memory_from: int = 0
    obsolete: set[str] = field(default_factory=set)
    outputs: list[OutputRecord] = field(default_factory=list)
    touched: set[str] = field(default_factory=set)
    outcomes: list[Outcome] = field(default_factory=list)

    @property
    def is_pending(self) -> bool:
        """Whether there is something to commit."""
        return (
            self.committed is None
            or self.next_offset > self.committed
            or bool(self.outputs)
            or self.epoch is not None  # who looks at the topic sees at once what is in force
        )

    def add(self, outcome: Outcome, topics: TopicSettings, next_offset: int) -> None:
        """Let what a run of records led to wait for the next commit.

        Args:
            outcome: Of the records.
            topics: Where events and dead letters go.
            next_offset: Of the first record behind them.
        """
        number = self.pipeline.number
        self.outputs.extend(
            OutputRecord(topics.events, number, series.encode(), encode(event)) for series, event in outcome.events
        )
        self.outputs.extend(
            OutputRecord(topics.dead_letters, number, letter.key, letter.value, letter.headers)
            for _, letter in outcome.dead_letters
        )
        self.touched |= outcome.touched
        self.outcomes.append(outcome)
        self.next_offset = next_offset
