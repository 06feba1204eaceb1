"""What goes into the recovery of a partition, and what comes out of it."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Literal, TypeAlias

from detector.pipeline.context import StreamContext
from detector.pipeline.partition import PartitionPipeline
from detector.records.values import InputPartition
from detector.restoring.progress import Progress
from detector.restoring.state_reading import StoredState
from detector.state import Epoch


@dataclass(frozen=True, slots=True)
class RecoveryPolicy:
    """Choices that the settings make."""

    state_topic: str
    auto_offset_reset: Literal["earliest", "latest"] = "earliest"
    on_lost_input: Literal["stop", "continue"] = "stop"
    on_lost_state: Literal["stop", "rebuild"] = "stop"
    on_new_partitions: Literal["stop", "continue"] = "stop"
    max_replay_records: int = 20_000
    exactly_once: bool = True


@dataclass(frozen=True, slots=True)
class Place:
    """A partition that is being restored, and what the cluster says about it.

    Attributes:
        committed: The group's offset, or None.
        first: Oldest retained offset.
        end: Last stable offset.
    """

    partition: InputPartition
    context: StreamContext
    committed: int | None
    first: int
    end: int

    @property
    def labels(self) -> dict[str, object]:
        """What a line of the log says of it."""
        return {"topic": self.partition.topic, "partition": self.partition.partition}

    def __str__(self) -> str:
        return f"{self.partition.topic}/{self.partition.partition}"


@dataclass(frozen=True, slots=True)
class Found:
    """What is stored of a partition.

    Attributes:
        place: With the group's offset that belongs to it.
        stored: Off the state topic; incomplete where it is of no use.
        unusable: Why it is of no use, if it is not.
    """

    place: Place
    stored: StoredState
    unusable: str | None = None


@dataclass(frozen=True, slots=True)
class Restored:
    """A partition that is ready to go live.

    Attributes:
        next_offset: Of the first record to process.
        committed: The group's offset; None when it has none yet, so that one is due.
        epoch_from: Offset from which the present model and settings hold.
        epoch: To be written, when something that shapes outcomes is not as it was before.
        began_partitions: Of the input topic when the group first read this partition.
        checkpointed_ms: Wall time of the last complete checkpoint; 0 when there is none.
        series: How many came back.
        records: How many were read again.
        partitions_changed: Whether the input has another number of partitions than when the state was written.
        judged_from: First record that the present model has judged.
        memory_from: First record from which what it carries along each series has been carried on.
        obsolete: Series whose snapshots must not be found by another restart.
    """

    pipeline: PartitionPipeline
    next_offset: int
    committed: int | None
    epoch_from: int
    epoch: Epoch | None
    began_partitions: int
    checkpointed_ms: int = 0
    series: int = 0
    records: int = 0
    partitions_changed: bool = False
    judged_from: int = 0
    memory_from: int = 0
    obsolete: Collection[str] = ()


Steps: TypeAlias = Iterator[Restored | Progress]
