"""The windows of all series of one partition: samples in, batches of windows out.

What comes out depends on the samples and their order alone: not on where the caller cuts batches, nor on where a
snapshot was taken and restored. A store never looks at a clock.

Two times matter. A series' own last time decides what is late, a duplicate, a gap or a jump. The partition's watermark,
the greatest event time believed, decides only which series are stale or forgotten, and whether a new series' first
sample lies too far ahead. So old records can be read again behind a watermark that was restored before them, if it is
held meanwhile.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from detector.errors import InvalidRecordError
from detector.records.values import Sample, TallSample
from detector.series.carried import FRESH, NO_MEMORY, Carried, MemoryLayout, States
from detector.series.census import Census
from detector.series.eviction import Eviction, EvictionCounters, Residency
from detector.series.frozen import FreezeLimits, FreezeWatch
from detector.series.jumps import Jumps
from detector.series.residents import Residents
from detector.series.rings import Rings
from detector.series.rows import RowPlacer
from detector.series.settling import Settling
from detector.series.slots import Slots
from detector.series.snapshot import SnapshotError
from detector.series.spec import WindowSpec
from detector.series.values import Counters, Reset, SeriesStateName, WindowBatch
from detector.series.watermark import ClockState, Watermark
from detector.series.windows import PendingWindows

__all__ = ["Counters", "Reset", "SeriesStore", "SnapshotError", "WindowBatch", "WindowSpec"]


class SeriesStore:
    """Event-time windows of the series of one (stream, partition).

    Samples of one store are all wide or all tall. A store belongs to one thread.

    Args:
        spec: What windows look like.
        window_capacity: Pending windows at which `take` is overdue.
        residency: How many series may be in memory, and where the others go; None keeps all in memory. Nothing that
            the store hands out or answers depends on it, but `evictions`, `evicted` and when windows are taken.
        memory: What a model carries along each series; the scorer moves it on in `memory`.
        settle: Takes all pending windows and has them scored. Called, where something is carried, when that must be up
            to date: before series are moved, and before one that comes back gets a place.
        limits: For how long channels may keep a value; None: nobody watches that.
        forgotten: Told the name of each series in the moment in which it is forgotten.

    Attributes:
        spec: As given.
        counts: Totals since the store was made; it keeps counting in this one object.
        moves: Series that came (None) and went (the reset that says so), in order; whoever takes them empties the list.
        freezes: What watches for channels that do not move, if somebody does.

    Raises:
        ValueError: ``window_capacity`` is below 1.
    """

    def __init__(
        self,
        spec: WindowSpec,
        window_capacity: int = 1024,
        residency: Residency | None = None,
        memory: MemoryLayout = NO_MEMORY,
        settle: Callable[[], None] | None = None,
        limits: FreezeLimits | None = None,
        forgotten: Callable[[str], object] = bool,
    ) -> None:
        if window_capacity < 1:
            raise ValueError(f"window_capacity is {window_capacity}, it must be at least 1")
        self.spec = spec
        self.counts = Counters()
        self.moves: list[tuple[str, Reset | None]] = []
        self.freezes = None if limits is None else FreezeWatch(limits)
        self._capacity = window_capacity
        self._slots = Slots()
        usual = None if residency is None else residency.max_series
        self._rings = Rings(spec.length, spec.channels, window_capacity, usual)
        self._carried = Carried(memory, usual)
        self._forgotten = forgotten
        self._windows = PendingWindows(spec, self._rings)
        self._settling = Settling(self._windows, self._carried, settle)
        self._rows = RowPlacer(spec, self._slots, self._rings, self._windows, self.counts, self.freezes)
        self._watermark = Watermark(
            spec.forget_after_ns,
            spec.max_jump_ns,
            self._rows.grid.min_apart_ns,
            spec.claims_alone,
            spec.claims_shared,
        )
        self._jumps = Jumps(spec.max_jump_ns, self._rows.grid.min_apart_ns)
        self._residents = Residents(
            spec, self._slots, self._rings, self._carried, self._rows, self._jumps, self.freezes
        )  # fmt: skip
        self._eviction = Eviction(self._residents, residency, self._settling.now)
        self._census = Census(spec, self._slots, self._residents, self._eviction, self._jumps, self._watermark)
        # A known series' step ahead up to this is neither a jump nor a return after having been forgotten.
        self._near_ns = min(spec.max_jump_ns, spec.forget_after_ns)

    def add(self, sample: Sample, offset: int) -> None:
        """Take the partition's next sample.

        Args:
            sample: A wide sample has exactly one value per channel of the spec; its values are copied.
            offset: Of the sample's record; never decreasing.

        Raises:
            InvalidRecordError: ``unconfirmed_jump``: too far ahead, and no other sample says so too;
                ``too_many_series``: a new series for which there is no room.
            RuntimeError: as many windows are pending as the store was made for; the caller forgot to take them.
            ValueError: a wide sample has not one value per channel.
        """
        if len(self._windows) >= self._capacity:
            raise RuntimeError(f"{self._capacity} windows are pending: take() them before adding more samples")
        series, time_ns = sample.series, sample.time_ns
        slot = self._slots.of.get(series)
        if slot is None or series in self._jumps.of:
            slot = self._admit(series, slot, time_ns, offset)
        else:
            elapsed_ns = time_ns - self._slots.last_ns[slot]
            if elapsed_ns > self._near_ns:
                slot = self._admit(series, slot, time_ns, offset)
            elif elapsed_ns > 0 and self._watermark.observe(series, time_ns):
                self._sweep(time_ns, offset)
        if isinstance(sample, TallSample):
            self._rows.tall(slot, sample, offset)
        else:
            self._rows.wide(slot, sample, offset)

    def _admit(self, series: str, slot: int | None, time_ns: int, offset: int) -> int:
        """Decide about a sample that is not simply the next of a known series; returns the series' slot."""
        if slot is None and series not in self._jumps.strangers:
            self._eviction.make_room()
            self._settling.before_reload()
            if self._eviction.reload(series):
                slot = self._slots.of.get(series)
        watermark = self._watermark
        elapsed_ns = 0 if slot is None else time_ns - self._slots.last_ns[slot]
        # After so long a silence the series is as good as new, whether or not a sweep came by in between.
        expired = elapsed_ns > self.spec.forget_after_ns
        ahead_ns = elapsed_ns
        if slot is None or expired:
            ahead_ns = time_ns - watermark.ns if watermark.known else 0
        far = ahead_ns > self.spec.max_jump_ns
        if far:
            self._require_confirmation(series, slot is None, time_ns, ahead_ns)
        else:
            self._jumps.drop(series)
        if slot is not None and expired:
            self._forget(series, slot, time_ns, offset)
            slot = None
        elif slot is not None and far:
            self._rows.restart(slot, time_ns, offset)
        # Before asking for room: a store full of silent series would otherwise never see time pass.
        if (slot is None or elapsed_ns > 0) and watermark.observe(series, time_ns):
            self._sweep(time_ns, offset)
        if slot is None:
            self._require_room(series)
            slot = self._slots.take(series, time_ns)
            self._rings.open(slot)
            self._carried.open(slot)
            self.moves.append((series, None))
        return slot

    def _require_confirmation(self, series: str, stranger: bool, time_ns: int, ahead_ns: int) -> None:
        if stranger and series not in self._jumps.of:
            self._require_room(series)
        if not self._jumps.confirm(series, time_ns, self._watermark.ns, stranger):
            raise InvalidRecordError(
                "unconfirmed_jump",
                f"series {series[:100]!r} steps {ahead_ns / 1e9:.12g} s ahead, more than "
                f"{self.spec.max_jump_ns / 1e9:.12g} s (window.max_jump_seconds); the next sample decides whether "
                "that is believed",
            )

    def _require_room(self, series: str) -> None:
        if len(self) >= self.spec.max_series:
            raise InvalidRecordError(
                "too_many_series",
                f"series {series[:100]!r} is new, and as many as allowed are held already: {self.spec.max_series} "
                "(window.max_series)",
            )

    def _sweep(self, time_ns: int, offset: int) -> None:
        before_ns = self._watermark.ns - self.spec.forget_after_ns
        last_ns = self._slots.last_ns
        silent = [(series, slot) for series, slot in self._slots if last_ns[slot] < before_ns]
        silent += [(series, -1) for series in self._jumps.aged(before_ns)]
        silent += [(head.series, -1) for head in self._eviction.silent(before_ns)]
        # By name, since slots have other numbers after a restart.
        for series, slot in sorted(silent):
            self._forget(series, slot, time_ns, offset)

    def _forget(self, series: str, slot: int, time_ns: int, offset: int) -> None:
        self.counts.forgotten += 1
        self.moves.append((series, self._windows.reset(slot, series, time_ns, offset, "forgotten")))
        self.forget(series)
        self._forgotten(series)

    def forget(self, series: str) -> None:
        """Drop what is held of a series, without a reset; its pending windows stay. Unknown series are ignored."""
        self._settling.slot_came_free()
        head = None if series in self._residents else self._eviction.discard(series)
        self.counts.incomplete += self._residents.drop(series) if head is None else head.open_rows

    @property
    def watermark_ns(self) -> int | None:
        """Greatest event time believed so far, nanoseconds since the epoch."""
        return self._watermark.ns if self._watermark.known else None

    @watermark_ns.setter
    def watermark_ns(self, time_ns: int | None) -> None:
        """Restore it where nothing else is known of the clock, as from state of an older version."""
        self.restore_clock(None if time_ns is None else ClockState(time_ns, None, time_ns, 0, None))

    @property
    def agreed_ns(self) -> int:
        """Greatest event time that at least two series have reached, or that the only one left has."""
        return self._watermark.agreed_ns

    def clock_state(self) -> ClockState | None:
        """All that the watermark depends on; None before the first sample."""
        return self._watermark.state

    def restore_clock(self, state: ClockState | None) -> None:
        """Take over what `clock_state` gave."""
        self._watermark.state = state

    def hold_clock(self, held: bool) -> None:
        """Whether `add` leaves the watermark, and all it depends on, as it is.

        For records that are read again after a restart: the clock was restored to where it stood after them.
        """
        self._watermark.hold(held)

    @property
    def pending(self) -> int:
        """Windows ready to be taken. One tall sample may complete several, so this may pass the capacity."""
        return len(self._windows)

    def take(self) -> WindowBatch:
        """All pending windows, in the order in which records completed them; the arrays belong to the caller.

        Where a model carries something along, they must be scored, with `memory`, before anything else is asked of the
        store.
        """
        self._settling.taken()
        return self._windows.take()

    def take_resets(self) -> list[Reset]:
        """Resets since the last call, in order.

        `Reset.after_window` refers to the batch that `take` gives next, or just gave: call the two together.
        """
        return self._windows.take_resets()

    @property
    def memory(self) -> States | None:
        """What a model carries along, by `WindowBatch.slots`, to be moved on in place; None: it carries nothing.

        Ask for it anew with each batch.
        """
        return self._carried.states

    def hold_memory(self, held: bool) -> None:
        """Whether windows are taken that no model reads, so that each series begins anew with its next one.

        For records from before the present model was in force, which only fill the windows.
        """
        self._rows.after_window = FRESH if held else 0

    def __len__(self) -> int:
        return len(self._census)

    def __contains__(self, series: object) -> bool:
        return series in self._census

    def __iter__(self) -> Iterator[str]:
        """Names of all series held, those included of which only an unconfirmed jump is known."""
        return iter(self._census)

    def state(self, series: str) -> SeriesStateName:
        """Whether a series gives windows (live), does not yet (warming_up), or fell behind (stale).

        Behind what at least two series have reached, or the only one left: one clock ahead makes nobody stale.

        Raises:
            KeyError: the series is not held.
        """
        return self._census.state(series)

    def states(self) -> dict[SeriesStateName, int]:
        """Number of series in each state; every state is there, and the numbers add up to ``len(store)``."""
        return self._census.states()

    def last_time_ns(self, series: str) -> int | None:
        """Greatest event time accepted of a series, nanoseconds since the epoch; None when there is none."""
        return self._census.last_time_ns(series)

    def last_times(self) -> Iterator[tuple[str, int]]:
        """Greatest event time accepted of every series that has one, in no order; nothing may be added meanwhile."""
        return self._census.last_times()

    @property
    def evictions(self) -> EvictionCounters:
        """How often series went to the local file and came back; it keeps counting in this one object."""
        return self._eviction.counts

    @property
    def evicted(self) -> int:
        """Number of series that are in the local file now."""
        return len(self._eviction)

    def file_bytes(self) -> int:
        """Size of the local file of evicted series."""
        return self._eviction.file_bytes

    def memory_bytes(self) -> int:
        """What the store takes, about: arrays with their room for growth, and names and columns."""
        return self._rings.memory_bytes + self._carried.memory_bytes + self._slots.memory_bytes

    def snapshot(self, series: str) -> bytes:
        """Everything needed to go on exactly, and nothing else; pending windows are not part of it.

        Raises:
            KeyError: the series is not held.
            LocalStoreError: it was evicted and cannot be read.
        """
        self._settling.now()
        if series not in self._residents:
            data = self._eviction.snapshot(series)
            if data is not None:
                return data
        return self._residents.pack(series)

    def restore(self, series: str, data: bytes, memory: bool = True) -> None:
        """Take a snapshot over, in place of what is held of the series; ``max_series`` binds new series only.

        Args:
            series: Name.
            data: From `snapshot`.
            memory: Whether what a model carried along the series counts; that of another model never does. If it does
                not, the model begins anew with the next window.

        Raises:
            SnapshotError: another version, another shape of window, or damage. The store is as before then.
        """
        self._settling.now()
        self._eviction.make_room()
        self._residents.unpack(series, data, memory)
        self._eviction.discard(series)

    def close(self) -> None:
        """Give the file of evicted series back to the disk, if there is one; the store cannot be used after that."""
        self._eviction.close()
