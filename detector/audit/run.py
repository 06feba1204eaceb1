"""The audit of all partitions of some streams, one after the other."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from detector.audit.findings import Finding, Kind
from detector.audit.outputs import Origin, read_outputs
from detector.audit.partition import PartitionAudit, Written
from detector.audit.report import MOST_NAMES, AuditReport, PartitionReport
from detector.audit.states import Say, StateCheck
from detector.errors import ConfigError, StateMismatchError
from detector.kafka.history import History
from detector.kafka.positions import Positions
from detector.lived.log import CheckpointPlace, EpochLog, load_checkpoint, read_log
from detector.lived.plan import make_plan
from detector.lived.walk import Walk
from detector.pipeline.context import StreamContext
from detector.records.values import InputPartition, Record
from detector.restoring.staging import Staging
from detector.restoring.state_reading import StoredState, read_state
from detector.settings import Settings, StreamSettings
from detector.state import Control, Epoch, SeriesState

# A transaction's markers reach its partitions one after the other, and a live worker goes on meanwhile.
_SETTLE_SECONDS = 5.0
_SETTLE_PAUSE_SECONDS = 0.2

Resolve = Callable[[StreamSettings, Epoch], StreamContext | str]
"""What an epoch's records were processed with, or why that is not at hand."""


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
class _Standing:
    """Where a partition stands: the group's offset, and the state that belongs to it."""

    committed: int | None
    stored: StoredState
    problem: str | None = None


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
            bounds = self._bounds(partitions, wanted)
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

    def _bounds(
        self, partitions: Sequence[InputPartition], wanted: AuditRange
    ) -> Mapping[InputPartition, tuple[int | None, int | None]]:
        """First offset and first one that is too late, as far as they were asked for."""
        reader = self.readers.input
        since: Mapping[InputPartition, int | None] = dict.fromkeys(partitions, wanted.from_offset)
        until: Mapping[InputPartition, int | None] = dict.fromkeys(partitions, wanted.to_offset)
        if wanted.since_ms is not None:
            ends = reader.end_offsets(partitions)
            found = reader.offsets_at(partitions, wanted.since_ms)
            since = {p: ends[p] if offset is None else offset for p, offset in found.items()}
        if wanted.until_ms is not None:
            until = reader.offsets_at(partitions, wanted.until_ms)
        return {p: (since[p], until[p]) for p in partitions}

    def _partition(
        self,
        stream: StreamSettings,
        partition: InputPartition,
        retained: int,
        bounds: tuple[int | None, int | None],
        wanted: AuditRange,
        report: AuditReport,
    ) -> set[str]:
        standing = self._standing(stream, partition)
        control = standing.stored.control
        if control is None and standing.committed is None:
            return set()
        ends = [offset for offset in (None if control is None else control.next_offset, standing.committed)
                if offset is not None]  # fmt: skip
        log = read_log(self.readers.state, self.settings.topics.epochs, partition, stream.name)
        log = log.completed(control, stream.name, partition)
        first = retained if bounds[0] is None else bounds[0]
        stop = max(ends) if bounds[1] is None else min(max(ends), bounds[1])
        part = PartitionReport(stream.name, partition, first, max(first, stop))
        report.partitions.append(part)
        state = self._state_check(stream, partition, standing, log, retained, report)
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

    # -- state
    # -----------------------------------------------------------------------------------------------------------

    def _standing(self, stream: StreamSettings, partition: InputPartition) -> _Standing:
        """Offset and state of the same moment, although a worker may be running."""
        give_up = self.monotonic() + _SETTLE_SECONDS
        while True:
            before = self._committed(partition)
            stored, problem = StoredState(raw=Staging(self._directory)), None
            try:
                for _ in read_state(
                    self.readers.state, self.settings.topics.state, partition.partition, stream.name, stored
                ):
                    self.progress(0)
            except StateMismatchError as error:
                problem = str(error)
            after = self._committed(partition)
            at = None if stored.control is None else stored.control.next_offset
            if at == after or (at is not None and before is not None and after is not None and before <= at <= after):
                return _Standing(at, stored, problem)
            if before == after and (problem is not None or self.monotonic() > give_up):
                return _Standing(after, stored, problem)
            self.sleep(_SETTLE_PAUSE_SECONDS)

    def _committed(self, partition: InputPartition) -> int | None:
        return self.positions.committed(self.settings.worker.group, [partition])[partition]

    def _state_check(
        self,
        stream: StreamSettings,
        partition: InputPartition,
        standing: _Standing,
        log: EpochLog,
        retained: int,
        report: AuditReport,
    ) -> StateCheck | None:
        control = standing.stored.control

        def say(
            kind: Kind, certain: bool, offset: int, series: str | None, detail: str, fields: tuple[str, ...]
        ) -> None:
            report.findings.add(
                Finding("state", kind, certain, stream.name, partition, offset, series, None, detail, fields)
            )

        if standing.problem is not None:
            say("unreadable", True, standing.committed or 0, None, standing.problem, ())
            return None
        if control is None:
            say("missing", True, standing.committed or 0, None,
                f"the group has committed offset {standing.committed}, and topic {self.settings.topics.state} holds no "
                "state for it; the next start of the worker stops and says how to go on", ())  # fmt: skip
            return None
        if control.next_offset != standing.committed:
            what = f"the state is at offset {control.next_offset}, " + (
                f"the group at {standing.committed}" if standing.committed is not None else
                f"and the group {self.settings.worker.group!r} has no offset: it expired, or worker.group is not the "
                "one that wrote this state"
            )  # fmt: skip
            if self.settings.worker.delivery == "exactly_once":
                say("torn", True, control.next_offset, None, what, ("next_offset",))
            else:
                report.warnings.append(f"{partition.topic}/{partition.partition}: {what}, as a crash may leave it with "
                                       "worker.delivery at_least_once")  # fmt: skip
        self._check_epoch(control, log, say)
        if control.replay_from < retained:
            report.warnings.append(
                f"{partition.topic}/{partition.partition}: a restart would read from offset {control.replay_from} on, "
                f"and the oldest record left is {retained}: a crash now would need worker.on_lost_input. Keep the "
                "input for longer"
            )
        begins = frozenset(epoch.from_offset for epoch in log.epochs)
        return StateCheck(control, standing.stored.raw.items(), say, self._directory, begins)

    def _check_epoch(self, control: Control, log: EpochLog, say: Say) -> None:
        last = log.epochs[-1]
        if (last.from_offset, last.model, last.fingerprint) != (
            control.epoch_from, control.model, control.fingerprint,
        ):  # fmt: skip
            say("torn", True, control.next_offset, None,
                f"the state says that model {control.model[:12]} is in force from offset {control.epoch_from} on, the "
                f"epochs topic that it is {last.model[:12]} from {last.from_offset} on", ("epoch_from",))  # fmt: skip


def _records(history: History, partition: InputPartition, start: int, stop: int) -> Iterator[Sequence[Record] | None]:
    if start < stop:
        for chunk in history.read({partition: (start, stop)}):
            yield None if chunk is None else chunk[1]
