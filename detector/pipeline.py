"""Records of one partition in, outcomes out: no IO, no clock, no metrics.

The outcome of a record depends on the partition's records up to it and on nothing else, not even on where the caller
cuts its batches. That is what makes a restart, a replay and an audit agree with the first run, event for event.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any, Protocol, TypedDict

import numpy as np
import numpy.typing as npt

from detector.alerting.dead_letter import DeadLetter, dead_letter
from detector.alerting.events import Event
from detector.alerting.identity import Identity
from detector.alerting.incidents import IncidentTracker, ScoredSample
from detector.alerting.policy import IncidentPolicy
from detector.alerting.silence import Moment, SilencePolicy
from detector.alerting.telling import KIND
from detector.alerting.watch import SeriesWatch
from detector.errors import InvalidRecordError
from detector.records.reader import RecordReader
from detector.records.values import Record
from detector.scoring.drift import FollowsDrift
from detector.scoring.scores import Scores
from detector.series.carried import MemoryLayout, States, StateType, memory_layout
from detector.series.eviction import EvictionCounters, Residency
from detector.series.frozen import FreezeLimits, FreezeNotice
from detector.series.spec import WindowSpec
from detector.series.store import SeriesStore
from detector.series.values import Reset, WindowBatch
from detector.series.watermark import ClockState
from detector.shadow import PartitionShadow, Shadow, ShadowTally
from detector.state import STATE_VERSION, SeriesState

_WINDOWS_PER_BATCH = 1024
# One record completes a window at most, but an assembled sample and its successor may come together.
_MOST_WINDOWS_PER_RECORD = 4


class WindowScorer(Protocol):
    """Scores a batch of windows; `detector.scoring.scorer.Scorer` is one.

    A window's scores depend on it and on the windows of its series before it, and on nothing else in the batch, to the
    last bit.
    """

    @property
    def state_dtype(self) -> StateType | None:
        """Structure of what is carried along a series from window to window, plain numbers; None: nothing is."""

    def score(self, batch: WindowBatch, states: States | None) -> Scores:
        """Score every window.

        Args:
            batch: Windows in the order of their completion; of one series there may be several.
            states: One record of `state_dtype` by ``batch.slots``, moved on in place window by window, in order. With
                ``batch.steps`` 0 a series begins anew, whatever the record holds.
        """


@dataclass(frozen=True, slots=True)
class StreamContext:
    """What all partitions of a stream share.

    Attributes:
        identity: Of partition 0; `partition` is replaced.
        dead_letter_bytes: Longest value that a dead letter carries whole.
        keep_scores: Whether every score is kept in the outcome, for replay.
        residency: How many series of a partition may be in memory; None: all. No outcome depends on it.
        shadow: Holds the challenger that sees the same windows; None: there never is one.
        silence: When a series counts as silent; None: never.
        freezes: For how long channels may keep a value; None: nobody watches that.
        drift: Compares samples with the training data; for metrics alone.
        reach: By series the scored samples after which nothing older has any influence; None: a scorer that carries
            something along remembers for ever.
        shaping: The settings that ``identity.fingerprint`` stands for, to be written down with an epoch.
    """

    name: str
    reader: RecordReader
    scorer: WindowScorer
    spec: WindowSpec
    policy: IncidentPolicy
    identity: Identity
    runtime: str = "onnx"
    dead_letter_bytes: int = 9_000_000
    keep_scores: bool = False
    residency: Residency | None = None
    shadow: Shadow | None = None
    silence: SilencePolicy | None = None
    freezes: FreezeLimits | None = None
    reach: Callable[[str], float] | None = None
    drift: FollowsDrift | None = None
    shaping: Mapping[str, Any] = field(default_factory=dict)

    @property
    def memory(self) -> MemoryLayout:
        """What the model carries along each series."""
        return memory_layout(self.scorer.state_dtype, self.identity.model)

    @property
    def carrying(self) -> Carrying:
        """What `detector.lived.certainty.Certainty` has to know of the memory."""
        return Carrying(carries=self.memory.dtype is not None, reach=self.reach)


class Carrying(TypedDict):
    """Whether something is carried along each series, and how far back it goes, by series."""

    carries: bool
    reach: Callable[[str], float] | None


@dataclass(frozen=True, slots=True)
class ScoreRows:
    """Scores of one batch, for a file."""

    series: Sequence[str]
    time_ns: npt.NDArray[np.int64]
    offset: npt.NDArray[np.int64]
    score: npt.NDArray[np.float64]


@dataclass(slots=True)
class Outcome:
    """What a run of records led to.

    Attributes:
        events: With the series that each belongs to, in record order.
        dead_letters: With the offset of the record, in record order.
        touched: Series that emitted an event or were forgotten; their snapshot goes into the same transaction.
        rejected: Number of records by reason.
        ratios: float64; score / threshold of every scored window.
        active: Series whose first record since their last snapshot is among the records; all new series are.
        evictions: Series that went to the local file and came back, since the last outcome.
        shadow: What a challenger came to.
        anchored: Series that began anew whatever had been before, with the offset of the record behind the gap.
    """

    records: int = 0
    ignored: int = 0
    events: list[tuple[str, Event]] = field(default_factory=list)
    dead_letters: list[tuple[int, DeadLetter]] = field(default_factory=list)
    touched: set[str] = field(default_factory=set)
    rejected: dict[str, int] = field(default_factory=dict)
    resets: dict[str, int] = field(default_factory=dict)
    late: int = 0
    duplicate: int = 0
    filled: int = 0
    incomplete: int = 0
    scored: int = 0
    unscored: int = 0
    ratios: list[npt.NDArray[np.float64]] = field(default_factory=list)
    scores: list[ScoreRows] = field(default_factory=list)
    longest_bad_run: int = 0
    active: list[str] = field(default_factory=list)
    evictions: EvictionCounters = field(default_factory=EvictionCounters)
    shadow: ShadowTally = field(default_factory=ShadowTally)
    anchored: list[tuple[str, int]] = field(default_factory=list)


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
        self._watch = SeriesWatch(self._store, identity, context.silence, context.policy.channels)
        self._shadow = (
            None if context.shadow is None else PartitionShadow(context.shadow, context.spec, context.policy, partition)
        )
        # Series -> first offset that its snapshot lacks; in the order of these offsets, since entries are only
        # appended.
        self._dirty: dict[str, int] = {}
        self._included: dict[str, int] = {}
        # Forgotten series -> offset from which on nothing is known of them.
        self._forgotten: dict[str, int] = {}
        self._bad_run = 0
        self._evictions_told = EvictionCounters()

    @property
    def store(self) -> SeriesStore:
        """The windows; for metrics and recovery."""
        return self._store

    @property
    def tracker(self) -> IncidentTracker:
        """The incidents that scores open; for metrics and summaries."""
        return self._tracker

    def open_incidents(self) -> dict[str, int]:
        """How many incidents are open now, by kind."""
        return {KIND: self._tracker.open_count(), **self._watch.open_count()}

    def process(self, records: Sequence[Record]) -> Outcome:
        """Take the next records of the partition, in offset order.

        A record that cannot be read becomes a dead letter, and the rest goes on.
        """
        outcome = Outcome(records=len(records))
        read, add, store, dirty, included, watch = (
            self._context.reader.read, self._store.add, self._store, self._dirty, self._included, self._watch.sample,
        )  # fmt: skip
        self._drain = lambda: self._flush(outcome)
        flush_at = _WINDOWS_PER_BATCH - _MOST_WINDOWS_PER_RECORD
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
            if series not in dirty:
                dirty[series] = offset
                outcome.active.append(series)
            watch(series, offset)
            if store.pending >= flush_at:
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
        self._dirty.pop(series, None)

    def _settle(self) -> None:
        if self._drain is not None:
            self._drain()

    def _flush(self, outcome: Outcome) -> None:
        resets = self._store.take_resets()
        between = self._between(resets)
        batch = self._store.take() if self._store.pending else None
        scores = None if batch is None else self._context.scorer.score(batch, self._store.memory)
        self._judge(batch, scores, between, outcome)
        if self._shadow is not None:
            self._shadow.observe(batch, scores, resets, outcome.shadow)

    def _judge(
        self,
        batch: WindowBatch | None,
        scores: Scores | None,
        between: Sequence[Reset | FreezeNotice | Moment],
        outcome: Outcome,
    ) -> None:
        done = 0
        for found in between:
            if batch is not None and scores is not None and found.after_window > done:
                self._alert(batch, scores, done, found.after_window, outcome)
                done = found.after_window
            if isinstance(found, Reset):
                self._reset(found, outcome)
            elif isinstance(found, FreezeNotice):
                self._tell(found.series, self._watch.frozen(found), outcome)
            else:
                outcome.touched.add(found.series)
                self._tell(found.series, found.event, outcome)
        if batch is None or scores is None:
            return
        self._alert(batch, scores, done, len(batch.series), outcome)
        known = ~np.isnan(scores.score)
        outcome.scored += int(known.sum())
        outcome.unscored += int((~known).sum())
        outcome.ratios.append(scores.score[known] / self._context.policy.threshold)
        if self._context.keep_scores:
            outcome.scores.append(ScoreRows(batch.series, batch.time_ns, batch.offsets, scores.score))

    def _between(self, resets: Sequence[Reset]) -> list[Reset | FreezeNotice | Moment]:
        """What lies between the pending windows, in the order of the records, wherever batches are cut."""
        watch = self._watch
        found: list[Reset | FreezeNotice | Moment] = [
            *resets, *watch.take_notices(), *watch.take_moments(),
        ]  # fmt: skip
        if len(found) > 1:
            found.sort(key=lambda item: (item.after_window, item.offset))
        return found

    def _alert(self, batch: WindowBatch, scores: Scores, start: int, stop: int, outcome: Outcome) -> None:
        tracker, quiet = self._tracker, self._context.policy.quiet_score
        values = scores.score[start:stop].tolist()
        for index, (series, score) in enumerate(zip(batch.series[start:stop], values, strict=True), start):
            # NaN compares false: an unknown score neither opens nor quiets anything.
            if not (score > quiet or (score == score and tracker.needs_attention(series))):
                continue
            events = tracker.advance(
                ScoredSample(
                    series=series,
                    time_ns=int(batch.time_ns[index]),
                    offset=int(batch.offsets[index]),
                    start_offset=int(batch.start_offsets[index]),
                    score=score,
                    contributions=scores.contributions[index],
                    seen=scores.seen[index],
                    expected=scores.expected[index],
                )
            )
            self._emit(series, events, outcome)

    def _reset(self, reset: Reset, outcome: Outcome) -> None:
        outcome.resets[reset.reason] = outcome.resets.get(reset.reason, 0) + 1
        self._emit(reset.series, self._tracker.reset(reset.series, reset.time_ns, reset.offset, reset.reason), outcome)
        if reset.anchors:
            outcome.anchored.append((reset.series, reset.offset))
        if reset.reason == "forgotten":
            outcome.touched.add(reset.series)
            self._tell(reset.series, self._watch.forgotten(reset), outcome)

    def _tell(self, series: str, event: Event | None, outcome: Outcome) -> None:
        if event is not None:
            self._emit(series, (event,), outcome)

    def _emit(self, series: str, events: Sequence[Event], outcome: Outcome) -> None:
        for event in events:
            outcome.events.append((series, event))
            outcome.touched.add(series)

    @property
    def unsaved(self) -> Collection[str]:
        """Series with records that their snapshot lacks."""
        return self._dirty.keys()

    # -- what recovery needs
    # ---------------------------------------------------------------------------------------------

    def replay_from(self, next_offset: int) -> int:
        """Oldest offset that a restart would have to read again, given that ``next_offset`` is committed."""
        return next(iter(self._dirty.values()), next_offset)

    @property
    def dirty(self) -> Mapping[str, int]:
        """Series with the first record that the snapshot of each lacks."""
        return MappingProxyType(self._dirty)

    def mark_dirty(self, since: Mapping[str, int]) -> None:
        """Take over which series lack a snapshot, from a pipeline that this one follows."""
        self._dirty = dict(since)

    def due(self, next_offset: int, max_behind: int, most: int) -> list[str]:
        """Up to ``most`` series whose snapshot lacks records from over ``max_behind`` offsets back, longest first."""
        found: list[str] = []
        for series, since in self._dirty.items():
            if next_offset - since <= max_behind or len(found) >= most:
                break
            found.append(series)
        return found

    def snapshot(self, series: str, next_offset: int) -> SeriesState:
        """State of a series as of ``next_offset``, and mark it clean."""
        self._dirty.pop(series, None)
        if series not in self._store:
            self._forgotten[series] = next_offset
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
        passed = [series for series, offset in self._forgotten.items() if offset <= replay_from]
        for series in passed:
            del self._forgotten[series]
        return [series for series in passed if series not in self._store]

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
            self._forgotten[series] = self._included[series] = state.next_offset
            return
        if state.incidents is not None:
            self._tracker.restore(series, state.incidents)
        if state.standing is not None:
            self._watch.restore(series, state.standing)
        if windows:
            self._store.restore(series, state.windows, memory)
            if state.next_offset > read_again_from:
                self._included[series] = state.next_offset

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
                if sample is None or record.offset < self._included.get(sample.series, 0):
                    continue
                self._store.add(sample, record.offset)
            except InvalidRecordError:
                continue  # it became a dead letter when it was processed
            self._dirty.setdefault(sample.series, record.offset)
            if self._store.pending >= _WINDOWS_PER_BATCH - _MOST_WINDOWS_PER_RECORD:
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
        self._included.clear()
        self._store.hold_clock(False)
        self._watch.go_live()
