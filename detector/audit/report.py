"""What an audit looked at and what came of it, as values."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from detector.audit.findings import Findings
from detector.lived.plan import Hole
from detector.records.values import InputPartition

MOST_NAMES = 1000


@dataclass(slots=True)
class PartitionReport:
    """One partition of a stream.

    Attributes:
        first: First offset that was compared.
        stop: First offset that was not.
        records: Recomputed, silent ones left out.
        events: Compared.
        dead_letters: Compared.
        snapshots: Compared.
        unchecked_snapshots: From before the range.
        started: What each walk began with, with the offset from which it counts.
        epochs: In force somewhere in the range: offset and version or digest of the model.
        holes: What could not be computed.
        undetermined_series: Series of which something in the range could not be known; the first `MOST_NAMES`.
        undetermined_count: How many.
    """

    stream: str
    partition: InputPartition
    first: int
    stop: int
    records: int = 0
    events: int = 0
    dead_letters: int = 0
    snapshots: int = 0
    unchecked_snapshots: int = 0
    started: list[tuple[int, str]] = field(default_factory=list)
    epochs: list[tuple[int, str]] = field(default_factory=list)
    holes: list[Hole] = field(default_factory=list)
    undetermined_series: list[str] = field(default_factory=list)
    undetermined_count: int = 0


@dataclass(slots=True)
class AuditReport:
    """A whole audit.

    Attributes:
        findings: What is not as it should be.
        partitions: What was looked at.
        warnings: What is worth knowing, but no fault of the worker's outputs.
        spread: Series that were seen in several partitions of a topic, with these partitions; the first `MOST_NAMES`.
        seconds: Wall time.
    """

    findings: Findings = field(default_factory=Findings)
    partitions: list[PartitionReport] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    spread: dict[tuple[str, str], set[int]] = field(default_factory=dict)
    seconds: float = 0.0

    @property
    def differences(self) -> int:
        """Findings that no unknown state can be the reason of."""
        return self.findings.counts.total()

    @property
    def undetermined(self) -> bool:
        """Whether something of the range could not be known."""
        return self.findings.undetermined.total() > 0 or any(
            part.holes or part.undetermined_count for part in self.partitions
        )

    def totals(self) -> Counter[str]:
        """Sums over the partitions."""
        found: Counter[str] = Counter()
        for part in self.partitions:
            found.update(
                records=part.records,
                events=part.events,
                dead_letters=part.dead_letters,
                snapshots=part.snapshots,
                undetermined_series=part.undetermined_count,
            )
        return found
