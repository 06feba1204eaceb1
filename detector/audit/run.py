"""The audit of all partitions of some streams, one after the other."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from detector.audit.control import check_control
from detector.audit.findings import Finding, Kind
from detector.audit.outputs import Origin, read_outputs
from detector.audit.partition import PartitionAudit, Written
from detector.audit.range import AuditRange
from detector.audit.reached import Reached, ReachedReader
from detector.audit.report import MOST_NAMES, AuditReport, PartitionReport
from detector.audit.states import StateCheck
from detector.errors import ConfigError
from detector.kafka.history import History
from detector.kafka.positions import Positions
from detector.lived.log import CheckpointPlace, EpochLog, load_checkpoint, read_log
from detector.lived.plan import make_plan
from detector.lived.walk import Walk
from detector.pipeline.context import StreamContext
from detector.records.values import InputPartition, Record
from detector.settings import Settings, StreamSettings
from detector.state import Epoch, SeriesState

Resolve = Callable[[StreamSettings, Epoch], StreamContext | str]
"""What an epoch's records were processed with, or why that is not at hand."""


@dataclass(slots=True)
class Readers:
    """Four readers, so that each can be in the middle of something; nothing else uses them meanwhile.

    Attributes:
        input: Of the streams' topics, and of checkpoints before that.
        state: Of the state and the epochs topic.
        events: Of the events topic.
        dead_letters: Of the dead-letter topic.
    """

    input: History
    state: History
    events: History
    dead_letters: History

    def close(self) -> None:
        """Close all connections."""
        for reader in (self.input, self.state, self.events, self.dead_letters):
            reader.close()


@dataclass(slots=True)
class Audit:
    """An audit of the streams of a configuration.

    Args:
        settings: Of the worker whose outputs are looked at.
        cluster: Id of the cluster.
        readers: Of the topics.
        positions: Of the group.
        resolve: Finds what an epoch's records were processed with.
        progress: Called with numbers of records.
        announce: Called with each partition before it is looked at, and how many records will be gone through.
        monotonic: Clock for intervals.
        sleep: Waits; replaced in tests.
    """

    settings: Settings
    cluster: str
    readers: Readers
    positions: Positions
    resolve: Resolve
    progress: Callable[[int], None] = lambda _: None
    announce: Callable[[InputPartition, int], None] = lambda _partition, _records: None
    monotonic: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep

    def run(self, wanted: AuditRange) -> AuditReport:
        """Look at every partition of every stream.

        Raises:
            ConfigError: the group has not committed anything that could be looked at.
            KafkaUnavailableError: the cluster does not answer, or a topic is missing.
        """
        report, started = AuditReport(), self.monotonic()
        for stream in self.settings.streams:
            partitions = self.readers.input.partitions(stream.topic)
            first = self.readers.input.first_offsets(partitions)
            bounds = wanted.bounds(self.readers.input, partitions)
            seen: dict[str, set[int]] = {}
            for partition in partitions:
                names = self._partition(stream, partition, first[partition], bounds[partition], wanted, report)
                for name in names:
                    seen.setdefault(name, set()).add(partition.partition)
            for name, numbers in seen.items():
                if len(numbers) > 1 and len(report.spread) < MOST_NAMES:
                    report.spread[stream.name, name] = numbers
        if not report.partitions:
            topics = ", ".join(stream.topic for stream in self.settings.streams)
            raise ConfigError(
                f"worker.group {self.settings.worker.group!r} has committed nothing of {topics}, so there is nothing "
                "to audit; check worker.group, or run the worker first"
            )
        report.seconds = self.monotonic() - started
        return report

    @property
    def _directory(self) -> Path:
        return self.settings.worker.state.directory or Path(tempfile.gettempdir())

    def _partition(
        self,
        stream: StreamSettings,
        partition: InputPartition,
        retained: int,
        bounds: tuple[int | None, int | None],
        wanted: AuditRange,
        report: AuditReport,
    ) -> set[str]:
        reached = self._reached(partition, stream.name)
        control = reached.stored.control
        if control is None and reached.committed is None:
            return set()
        ends = [offset for offset in (None if control is None else control.next_offset, reached.committed)
                if offset is not None]  # fmt: skip
        log = read_log(self.readers.state, self.settings.topics.epochs, partition, stream.name)
        log = log.completed(control, stream.name, partition)
        first = retained if bounds[0] is None else bounds[0]
        stop = max(ends) if bounds[1] is None else min(max(ends), bounds[1])
        part = PartitionReport(stream.name, partition, first, max(first, stop))
        report.partitions.append(part)
        state = self._state_check(stream.name, partition, reached, log, retained, report)
        contexts: dict[int, StreamContext] = {}
        plan = make_plan(
            log, first, part.stop, retained, wanted.look_back, lambda epoch: self._unresolved(stream, epoch, contexts)
        )
        part.holes = list(plan.holes)
        part.started = [(stage.first, stage.begun()) for stage in plan.stages if stage.entry != "carried"]
        part.epochs = [
            (epoch.from_offset, epoch.model_version or epoch.model[:12])
            for index, epoch in enumerate(log.epochs)
            if epoch.from_offset < part.stop
            and (index + 1 == len(log.epochs) or log.epochs[index + 1].from_offset > first)
        ]
        self.announce(partition, sum(stage.stop - stage.first for stage in plan.stages))
        walk = Walk(
            partition,
            plan.stages,
            lambda start, end: _records(self.readers.input, partition, start, end),
            lambda epoch: contexts[epoch.from_offset],
            lambda place: self._load(partition, place),
        )
        audit = PartitionAudit(
            Origin(stream.name, self.cluster, partition), part, report.findings, state, self._written(partition),
            self.progress,
        )  # fmt: skip
        # A passage ends where the range begins, so that what comes before it counts for nothing.
        stops = {first, *([] if state is None else state.stops())}
        return audit.run(walk.passages(sorted(stops)))

    def _unresolved(self, stream: StreamSettings, epoch: Epoch, contexts: dict[int, StreamContext]) -> str | None:
        found = self.resolve(stream, epoch)
        if isinstance(found, str):
            return found
        contexts[epoch.from_offset] = found
        return None

    def _load(self, partition: InputPartition, place: CheckpointPlace) -> dict[str, SeriesState]:
        return load_checkpoint(self.readers.state, self.settings.topics.epochs, partition, place)

    def _written(self, partition: InputPartition) -> Written:
        topics, number = self.settings.topics, partition.partition
        where = [InputPartition(topics.events, number), InputPartition(topics.dead_letters, number), partition]
        # The end with open transactions, not the last stable one: what the group has committed is before it, though its
        # markers may be still on their way.
        ends = self.positions.high_watermarks(where)
        return Written(
            read_outputs(self.readers.events, topics.events, number, ends[where[0]]),
            read_outputs(self.readers.dead_letters, topics.dead_letters, number, ends[where[1]]),
            ends[partition],
        )

    def _reached(self, partition: InputPartition, stream: str) -> Reached:
        reader = ReachedReader(
            self.readers.state, self.settings.topics.state, self.positions, self.settings.worker.group,
            self._directory, self.progress, self.monotonic, self.sleep,
        )  # fmt: skip
        return reader.read(partition, stream)

    def _state_check(
        self,
        stream: str,
        partition: InputPartition,
        reached: Reached,
        log: EpochLog,
        retained: int,
        report: AuditReport,
    ) -> StateCheck | None:
        """What compares snapshots, unless there is no control record to compare them by."""

        def say(
            kind: Kind, certain: bool, offset: int, series: str | None, detail: str, fields: tuple[str, ...]
        ) -> None:
            report.findings.add(
                Finding("state", kind, certain, stream, partition, offset, series, None, detail, fields)
            )

        control = check_control(self.settings, partition, reached, log, retained, say, report.warnings.append)
        if control is None:
            return None
        begins = frozenset(epoch.from_offset for epoch in log.epochs)
        return StateCheck(control, reached.stored.raw.items(), say, self._directory, begins)


def _records(history: History, partition: InputPartition, start: int, stop: int) -> Iterator[Sequence[Record] | None]:
    if start < stop:
        for chunk in history.read({partition: (start, stop)}):
            yield None if chunk is None else chunk[1]
