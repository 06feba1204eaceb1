"""What an audit looks at, and which offsets that is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from detector.kafka.history import History
from detector.records.values import InputPartition


@dataclass(frozen=True, slots=True)
class AuditRange:
    """What to look at.

    Attributes:
        since_ms: Record timestamp, milliseconds since the epoch of Unix, of the first record; None: from the oldest.
        until_ms: Of the first record that is too late; None: up to what the group has committed.
        from_offset: First offset in every partition.
        to_offset: First offset that is too late.
        look_back: Records to read silently where the state is not known.
    """

    since_ms: int | None = None
    until_ms: int | None = None
    from_offset: int | None = None
    to_offset: int | None = None
    look_back: int = 20_000

    def bounds(
        self, reader: History, partitions: Sequence[InputPartition]
    ) -> Mapping[InputPartition, tuple[int | None, int | None]]:
        """First offset and first one that is too late, as far as they were asked for.

        Args:
            reader: Of the partitions; asked where times are given.
            partitions: Of one topic.

        Raises:
            KafkaUnavailableError: the cluster does not answer.
        """
        since: Mapping[InputPartition, int | None] = dict.fromkeys(partitions, self.from_offset)
        until: Mapping[InputPartition, int | None] = dict.fromkeys(partitions, self.to_offset)
        if self.since_ms is not None:
            ends = reader.end_offsets(partitions)
            found = reader.offsets_at(partitions, self.since_ms)
            since = {p: ends[p] if offset is None else offset for p, offset in found.items()}
        if self.until_ms is not None:
            until = reader.offsets_at(partitions, self.until_ms)
        return {p: (since[p], until[p]) for p in partitions}
