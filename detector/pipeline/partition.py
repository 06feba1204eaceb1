"""Records of one partition in, outcomes out: no IO, no clock, no metrics.

The outcome of a record depends on the partition's records up to it and on nothing else, not even on where the caller
cuts its batches. That is what makes a restart, a replay and an audit agree with the first run, event for event.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace

from detector.alerting.dead_letter import dead_letter
from detector.alerting.events import Kind
from detector.alerting.incidents import IncidentTracker
from detector.alerting.policy import Severity
from detector.alerting.watch import SeriesWatch
from detector.errors import InvalidRecordError
from detector.pipeline.context import StreamContext
from detector.pipeline.judging import Judge
from detector.pipeline.outcome import Outcome
from detector.pipeline.unsaved import Unsaved
from detector.records.values import Record
from detector.series.eviction import EvictionCounters
from detector.series.store import SeriesStore
from detector.series.watermark import ClockState
from detector.shadow import PartitionShadow
from detector.state import STATE_VERSION, SeriesState

_WINDOWS_PER_BATCH = 1024
# One record completes a window at most, but an assembled sample and its successor may come together.
_MOST_WINDOWS_PER_RECORD = 4
_FLUSH_AT = _WINDOWS_PER_BATCH - _MOST_WINDOWS_PER_RECORD


class PartitionPipeline:
    """Windows, scores and incidents of one partition of a stream.

    Args:
        context: Shared by the stream's partitions.
        partition: Number of the partition.
    """

    def __init__(self, context: StreamContext, partition: int) -> None:
        self._context = context
        self._partition = partition
        self._drain: Callable[[], None] | None = None
        identity = replace(context.identity, partition=partition)
        self._store = SeriesStore(
            context.spec,
            _WINDOWS_PER_BATCH,
            context.residency,
            context.memory,
            self._settle,
            context.freezes,
            self._forget,
        )
        self._tracker = IncidentTracker(context.policy, identity)
        self._watch = SeriesWatch(self._store, identity, context.silence, context.policy.channels, context.frozen)
        self._judge = Judge(context, self._tracker, self._watch)
        self._shadow = (
            None if context.shadow is None else PartitionShadow(context.shadow, context.spec, context.policy, partition)
        )
        self._unsaved = Unsaved()
        self._bad_run = 0
        self._evictions_told = EvictionCounters()

    @property
    def number(self) -> int:
        """Of the partition."""
        return self._partition

    @property
    def store(self) -> SeriesStore:
        """The windows; for metrics and recovery."""
        return self._store

    @property
    def tracker(self) -> IncidentTracker:
        """The incidents that scores open; for metrics and summaries."""
        return self._tracker

    def open_incidents(self) -> Counter[tuple[Kind, Severity]]:
        """How many incidents are open now, by kind and present severity."""
        return self._judge.open_incidents()

    def listed(self) -> dict[str, int]:
        """How many incidents are open on each of the partition's series that the context lists."""
        return {series: self._judge.open_on(series) for series in self._context.listed if series in self._store}

    @property
    def shadow_bytes(self) -> int | None:
        """What a challenger carries along the series, for metrics; None where there never is one."""
        return None if self._shadow is None else self._shadow.memory_bytes

    def process(self, records: Sequence[Record]) -> Outcome:
        """Take the next records of the partition, in offset order.

        A record that cannot be read becomes a dead letter, and the rest goes on.
        """
        outcome = Outcome(records=len(records))
        read, add, store, watch = self._context.reader.read, self._store.add, self._store, self._watch.sample
        since, included = self._unsaved.since, self._unsaved.included
        self._drain = lambda: self._flush(outcome)
        before = (store.counts.late, store.counts.duplicate, store.counts.filled, store.counts.incomplete)
        for record in records:
            offset = record.offset
            series = None
            try:
                sample = read(record)
                if sample is None:
                    outcome.ignored += 1
                    self._bad_run = 0
                    continue
                series = sample.series
                if included and offset < included.get(series, 0):
                    continue
                add(sample, offset)
            except InvalidRecordError as error:
                self._reject(record, error, outcome)
                if series is not None:
                    # The store may remember something of it, such as an unconfirmed jump; a restart must as well.
                    outcome.touched.add(series)
                    self._watch.settle(offset)
                continue
            self._bad_run = 0
            if series not in since:
                since[series] = offset
                outcome.active.append(series)
            watch(series, offset)
            if store.pending >= _FLUSH_AT:
                self._flush(outcome)
        self._flush(outcome)
        self._drain = None
        counts = store.counts
        outcome.late, outcome.duplicate = counts.late - before[0], counts.duplicate - before[1]
        outcome.filled, outcome.incomplete = counts.filled - before[2], counts.incomplete - before[3]
        outcome.evictions = store.evictions.since(self._evictions_told)
        self._evictions_told = replace(store.evictions)
        return outcome

    def _reject(self, record: Record, error: InvalidRecordError, outcome: Outcome) -> None:
        outcome.rejected[error.reason] = outcome.rejected.get(error.reason, 0) + 1
        letter = dead_letter(record, self._context.name, error.reason, error.detail, self._context.dead_letter_bytes)
        outcome.dead_letters.append((record.offset, letter))
        self._bad_run += 1
        outcome.longest_bad_run = max(outcome.longest_bad_run, self._bad_run)

    def _forget(self, series: str) -> None:
        # A marker without windows goes with the next commit; should the series come back, it lacks what comes from then
        # on.
        self._unsaved.since.pop(series, None)

    def _settle(self) -> None:
        if self._drain is not None:
            self._drain()

    def _flush(self, outcome: Outcome) -> None:
        resets = self._store.take_resets()
        between = self._judge.between(resets)
        batch = self._store.take() if self._store.pending else None
        scores = None if batch is None else self._context.scorer.score(batch, self._store.memory)
        self._judge.judge(batch, scores, between, outcome)
        if self._shadow is not None:
            self._shadow.observe(batch, scores, resets, outcome.shadow)
        if self._context.observer is not None:
            self._context.observer.observe(self._partition, batch, scores, resets)

    # -- what recovery needs
    # ---------------------------------------------------------------------------------------------

    @property
    def unsaved(self) -> Unsaved:
        """What the snapshots of the series lack."""
        return self._unsaved

    def snapshot(self, series: str, next_offset: int) -> SeriesState:
        """State of a series as of ``next_offset``, and mark it clean."""
        self._unsaved.saved(series, next_offset, forgotten=series not in self._store)
        return self.state_of(series, next_offset)

    def state_of(self, series: str, next_offset: int) -> SeriesState:
        """State of a series as of ``next_offset``.

        A forgotten series leaves a marker without windows: a restart that reads older records again must not revive it.
        """
        if series not in self._store:
            return SeriesState(STATE_VERSION, next_offset, b"", None)
        return SeriesState(
            STATE_VERSION,
            next_offset,
            self._store.snapshot(series),
            self._tracker.snapshot(series),
            self._watch.snapshot(series),
        )

    def expired_markers(self, replay_from: int) -> list[str]:
        """Forgotten series whose markers no restart can need any more, now that none reads below ``replay_from``."""
        return self._unsaved.expired_markers(replay_from, self._store)

    def restore(
        self, series: str, state: SeriesState, windows: bool = True, *, memory: bool = True, read_again_from: int = 0
    ) -> None:  # fmt: skip
        """Take a series' snapshot over; its records below ``state.next_offset`` are skipped from now on.

        Args:
            series: Name.
            state: From `snapshot`.
            windows: False leaves the window to be rebuilt from the records, for a bundle of another shape.
            memory: Whether what the model carried along the series counts, should it be this model's.
            read_again_from: No older records will come; what a snapshot says of them need not be remembered.

        Raises:
            SnapshotError: the snapshot does not fit this stream.
        """
        if not state.windows:
            self._unsaved.markers[series] = self._unsaved.included[series] = state.next_offset
            return
        if state.incidents is not None:
            self._tracker.restore(series, state.incidents)
        if state.standing is not None:
            self._watch.restore(series, state.standing)
        if windows:
            self._store.restore(series, state.windows, memory)
            if state.next_offset > read_again_from:
                self._unsaved.included[series] = state.next_offset

    def rebuild(self, records: Sequence[Record], *, remember: bool = False) -> None:
        """Put records into the windows only: no incident moves, nothing comes out.

        Args:
            records: In offset order.
            remember: Whether the model reads the windows too, so that what it carries along moves on with them. If not,
                it begins anew with the next window of each of their series.
        """
        drain = self._drain = self._remember if remember else self._pass_over
        self._store.hold_memory(not remember)
        for record in records:
            try:
                sample = self._context.reader.read(record)
                if sample is None or record.offset < self._unsaved.included.get(sample.series, 0):
                    continue
                self._store.add(sample, record.offset)
            except InvalidRecordError:
                continue  # it became a dead letter when it was processed
            self._unsaved.since.setdefault(sample.series, record.offset)
            if self._store.pending >= _FLUSH_AT:
                drain()
        drain()
        self._drain = None
        self._store.hold_memory(False)

    def _pass_over(self) -> None:
        self._store.take_resets()
        self._watch.pass_over()
        if self._store.pending:
            self._store.take()

    def _remember(self) -> None:
        self._store.take_resets()
        self._watch.pass_over()
        if self._store.pending:
            batch, states = self._store.take(), self._store.memory
            if states is not None:
                self._context.scorer.score(batch, states)

    def clock(self) -> tuple[int | None, ClockState | None]:
        """How far event time has come, for `set_clock`."""
        return self._store.watermark_ns, self._store.clock_state()

    def set_clock(self, watermark_ns: int | None, clock: ClockState | None) -> None:
        """Say how far event time had come when the snapshots' partition was last committed.

        It stands still while older records are read again, until `go_live`: they are part of it already.

        Args:
            watermark_ns: Used where no clock was kept, as by state of version 1.
            clock: From `SeriesStore.clock_state`.
        """
        if clock is None:
            self._store.watermark_ns = watermark_ns
        else:
            self._store.restore_clock(clock)
        self._store.hold_clock(True)
        self._watch.hold()

    def go_live(self) -> None:
        """Let time go on, and forget which records the restored snapshots already hold; they have all been passed."""
        self._unsaved.included.clear()
        self._store.hold_clock(False)
        self._watch.go_live()
