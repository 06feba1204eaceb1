"""Outputs and consumed offsets, made durable together: what is handed in, and how it may end."""

from __future__ import annotations

import enum
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from detector.kafka.membership import Membership
from detector.records.values import InputPartition


@dataclass(frozen=True, slots=True)
class OutputRecord:
    """One record for an output topic."""

    topic: str
    partition: int
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes], ...] = ()


class CommitResult(enum.Enum):
    """How a commit ended, and so what becomes of the outcomes that it held."""

    COMMITTED = "committed"
    """All of it is visible, once."""
    REFUSED = "refused"
    """None of it is; outcomes of partitions that are still owned may be sent again, unchanged."""
    UNKNOWN = "unknown"
    """It may or may not be; every outcome and all state must be dropped and read back."""


class Committer(Protocol):
    """Makes outputs and offsets durable."""

    def prepare(self) -> None:
        """Get ready before partitions are restored; called once, at start.

        Raises:
            FencedError: another worker took this one's place.
        """

    def commit(
        self, outputs: Sequence[OutputRecord], offsets: Mapping[InputPartition, int], membership: Membership
    ) -> CommitResult:
        """Write ``outputs`` and advance the group to ``offsets``.

        Raises:
            FencedError: another worker took this one's place.
        """

    def close(self) -> None:
        """Release the producer without waiting for anything."""
