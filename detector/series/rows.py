"""Where a sample of a known series goes: into a row, behind the rows that are there, across a gap or not at all."""

from __future__ import annotations

from collections.abc import Sequence

from detector.records.values import TallSample, WideSample
from detector.series.assembly import Assembly, AssemblyRules, OpenRow, Verdict
from detector.series.carried import FRESH
from detector.series.frozen import FreezeWatch
from detector.series.grid import Grid
from detector.series.rings import Rings
from detector.series.slots import NO_KEY, Slots
from detector.series.spec import WindowSpec
from detector.series.values import Counters
from detector.series.windows import PendingWindows


class RowPlacer:
    """Turns samples into rows of the rings, and rows into pending windows.

    Args:
        spec: What windows look like.
        slots: Scalars of each series.
        rings: Rows of each series.
        windows: Takes complete windows and resets.
        counts: Is counted up.
        freezes: Told of every row, where runs of equal values are watched.

    Attributes:
        grid: Of the spec.
        assemblies: By slot, in the tall layout.
        after_window: What `Slots.since` is right after a window: 0, or `FRESH` while no model reads the windows.
    """

    def __init__(
        self,
        spec: WindowSpec,
        slots: Slots,
        rings: Rings,
        windows: PendingWindows,
        counts: Counters,
        freezes: FreezeWatch | None = None,
    ) -> None:
        self.grid = Grid(spec)
        self.assemblies: dict[int, Assembly] = {}
        self.after_window = 0
        self._slots = slots
        self._rings = rings
        self._windows = windows
        self._counts = counts
        self._freezes = freezes
        self._length = spec.length
        self._channels = spec.channels
        self._stride = spec.stride
        self._rules = AssemblyRules(spec.channels, self.grid.wait)
        self._missing = [float("nan")] * spec.channels

    def wide(self, slot: int, sample: WideSample, offset: int) -> None:
        """Place a whole row.

        Raises:
            ValueError: the sample has not one value per channel.
        """
        series, time_ns, values = sample
        if len(values) != self._channels:
            raise ValueError(f"a sample of {series!r} has {len(values)} values for {self._channels} channels")
        slots, grid = self._slots, self.grid
        key = grid.key(time_ns, slots.anchor_ns[slot])
        ahead = key - slots.key[slot]
        if ahead <= 0:
            if ahead:
                self._counts.late += 1
            else:
                self._counts.duplicate += 1
            return
        if ahead > grid.max_step and slots.rows[slot]:
            self.restart(slot, time_ns, offset, grid.is_gap(time_ns - slots.last_ns[slot]))
            key = grid.key(time_ns, time_ns)
        self._counts.accepted += 1
        if time_ns > slots.last_ns[slot]:
            slots.last_ns[slot] = time_ns
        self._append(slot, key, time_ns, values, offset, offset)

    def tall(self, slot: int, sample: TallSample, offset: int) -> None:
        """Place one channel, then all rows that are closed by that."""
        slots, grid, counts = self._slots, self.grid, self._counts
        time_ns = sample.time_ns
        assembly = self.assemblies.get(slot)
        if assembly is None:
            assembly = self.assemblies[slot] = Assembly()
        key = grid.key(time_ns, slots.anchor_ns[slot])
        newest = assembly.newest_key(slots.key[slot])
        if newest != NO_KEY and key - newest > grid.max_step:
            self.restart(slot, time_ns, offset, grid.is_gap(time_ns - slots.last_ns[slot]))
            key = grid.key(time_ns, time_ns)
        verdict = assembly.put(key, slots.key[slot], sample, offset, self._rules)
        if verdict is Verdict.LATE:
            counts.late += 1
        elif verdict is Verdict.DUPLICATE:
            counts.duplicate += 1
        else:
            counts.accepted += 1
            if time_ns > slots.last_ns[slot]:
                slots.last_ns[slot] = time_ns
            for row in assembly.close(self._rules):
                self._append_assembled(slot, row, offset)

    def restart(self, slot: int, time_ns: int, offset: int, anchors: bool = False) -> None:
        """Begin a window anew at ``time_ns`` after a gap, once the open rows that belong before it are in place.

        Args:
            slot: Of the series.
            time_ns: Of the sample behind the gap.
            offset: Of its record.
            anchors: See `Reset`.
        """
        assembly = self.assemblies.get(slot)
        if assembly is not None:
            for row in assembly.close_all():
                self._append_assembled(slot, row, offset)
        self._gap(slot, time_ns, offset, anchors)
        self._slots.restart(slot, time_ns)

    def drop(self, slot: int) -> int:
        """Let go of the rows of a slot; pending windows stay. Returns how many rows were open."""
        assembly = self.assemblies.pop(slot, None)
        self._rings.release(slot)
        return 0 if assembly is None else len(assembly.rows)

    def _gap(self, slot: int, time_ns: int, offset: int, anchors: bool = False) -> None:
        self._counts.resets_gap += 1
        self._windows.reset(slot, self._slots.name[slot], time_ns, offset, "gap", anchors)

    def _append_assembled(self, slot: int, row: OpenRow, offset: int) -> None:
        if row.mask != self._rules.full_mask:
            self._counts.incomplete += 1
        slots = self._slots
        if slots.rows[slot] and row.key - slots.key[slot] > self.grid.max_step:
            # Only between rows that were open side by side. Those that are still open are on this grid, so it stays.
            self._gap(slot, row.time_ns, offset)
            slots.restart(slot, slots.anchor_ns[slot])
        self._append(slot, row.key, row.time_ns, row.values, row.first_offset, offset)

    def _append(
        self, slot: int, key: int, time_ns: int, values: Sequence[float], first_offset: int, offset: int
    ) -> None:
        """Put a row behind the last one, fill what is missing between them, and see whether a window is complete."""
        slots, rings, length = self._slots, self._rings, self._length
        rows, since = slots.rows[slot], slots.since[slot]
        if rows and self.grid.fills:
            missing = key - slots.key[slot] - 1
            if missing:
                self._counts.filled += missing
                for _ in range(min(missing, length)):  # more than a window of them would only push each other out
                    rings.push(slot, self._missing, first_offset)
                rows += missing
                if since >= 0:
                    since += missing
        slots.key[slot] = key
        rings.push(slot, values, first_offset)
        if self._freezes is not None:
            self._freezes.append(slot, slots.name[slot], time_ns, values, offset, len(self._windows))
        rows += 1
        slots.rows[slot] = rows if rows < length else length
        if since >= 0:
            since += 1
            slots.since[slot] = since
        phase = slots.phase[slot] + 1
        if phase < self._stride:
            slots.phase[slot] = phase
            return
        slots.phase[slot] = 0
        if rows >= length:
            self._windows.window(slot, slots.name[slot], time_ns, offset, 0 if since == FRESH else since)
            slots.since[slot] = self.after_window
