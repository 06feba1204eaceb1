"""Series in memory: their scalars, rings, open rows and unconfirmed jumps, and each of them as bytes."""

from __future__ import annotations

import heapq
from collections.abc import Iterator

from detector.series.carried import FRESH, Carried
from detector.series.cold import ColdHead, ColdKind
from detector.series.frozen import FreezeWatch
from detector.series.jumps import Jumps
from detector.series.rings import Rings
from detector.series.rows import RowPlacer
from detector.series.slots import NO_KEY, Slots
from detector.series.snapshot import SnapshotError, decode_snapshot, encode_snapshot, make_snapshot
from detector.series.spec import WindowSpec


class Residents:
    """The series in memory of one partition.

    Args:
        spec: What windows look like.
        slots: Scalars of each series.
        rings: Rows of each series.
        carried: What a model carries along each series.
        rows: Has the open rows.
        jumps: Unconfirmed jumps; of strangers nothing else is held.
        freezes: Runs of equal values, where they are watched.
    """

    __slots__ = ("_carried", "_freezes", "_jumps", "_rings", "_rows", "_slots", "_spec")

    def __init__(
        self,
        spec: WindowSpec,
        slots: Slots,
        rings: Rings,
        carried: Carried,
        rows: RowPlacer,
        jumps: Jumps,
        freezes: FreezeWatch | None = None,
    ) -> None:
        self._spec = spec
        self._slots = slots
        self._rings = rings
        self._carried = carried
        self._rows = rows
        self._jumps = jumps
        self._freezes = freezes

    def __len__(self) -> int:
        return len(self._slots) + len(self._jumps.strangers)

    def __contains__(self, series: object) -> bool:
        return series in self._slots.of or series in self._jumps.strangers

    def __iter__(self) -> Iterator[str]:
        yield from self._slots.of
        yield from self._jumps.strangers

    def head(self, series: str) -> ColdHead:
        """What a look over all series asks of this one.

        Raises:
            KeyError: it is not in memory.
        """
        if series in self._jumps.strangers:
            return ColdHead(series, self._jumps.of[series].since_ns, ColdKind.STRANGER)
        slots = self._slots
        slot = slots.of[series]
        kind = ColdKind.FULL if slots.rows[slot] >= self._spec.length else ColdKind.WARMING_UP
        assembly = self._rows.assemblies.get(slot)
        return ColdHead(series, slots.last_ns[slot], kind, 0 if assembly is None else len(assembly.rows))

    def oldest(self, count: int) -> list[str]:
        """The ``count`` series that were seen longest ago, in event time."""
        last_ns, jumps = self._slots.last_ns, self._jumps
        seen = [(last_ns[slot], series) for series, slot in self._slots]
        seen += [(jumps.of[series].since_ns, series) for series in jumps.strangers]
        return [series for _, series in heapq.nsmallest(count, seen)]

    def pack(self, series: str) -> bytes:
        """Everything needed to go on exactly, and nothing else; pending windows are not part of it.

        Where a model carries something, none may be pending.

        Raises:
            KeyError: the series is not in memory.
        """
        jump = self._jumps.of.get(series)
        if series in self._jumps.strangers:
            return encode_snapshot(make_snapshot(self._spec, jump=jump))
        slots = self._slots
        slot = slots.of[series]
        rows, key, since = slots.rows[slot], slots.key[slot], slots.since[slot]
        values, offsets = self._rings.last(slot, min(rows, self._spec.length - 1))
        return encode_snapshot(
            make_snapshot(
                self._spec,
                last_ns=slots.last_ns[slot],
                anchor_ns=slots.anchor_ns[slot],
                key=None if key == NO_KEY else key,
                rows=rows,
                phase=slots.phase[slot],
                values=values,
                offsets=offsets,
                jump=jump,
                assembly=self._rows.assemblies.get(slot),
                since=since,
                memory_tag=self._carried.layout.tag,
                memory=b"" if since == FRESH else self._carried.pack(slot),
                runs=b"" if self._freezes is None else self._freezes.pack(slot),
            )
        )

    def unpack(self, series: str, data: bytes, memory: bool = True) -> None:
        """Take a snapshot over, in place of what is held of the series; no windows of the slot it gets may be pending.

        Args:
            series: Name.
            data: From `pack`.
            memory: Whether what a model carried along counts. If not, or if it was another model's, it begins anew.

        Raises:
            SnapshotError: another version, another shape of window, or damage. Everything is as before then.
        """
        snapshot = decode_snapshot(data, self._spec)
        try:
            runs = None if self._freezes is None else self._freezes.parse(series, snapshot.runs)
        except ValueError as error:
            raise SnapshotError(f"the snapshot is damaged: {error}") from error
        self.drop(series)
        jump, last_ns = snapshot.remembered(), snapshot.last_ns
        if jump is not None:
            self._jumps.remember(series, jump, stranger=last_ns is None)
        if last_ns is None:
            return
        slots = self._slots
        slot = slots.take(series, snapshot.anchor_ns)
        slots.last_ns[slot] = last_ns
        slots.key[slot] = NO_KEY if snapshot.key is None else snapshot.key
        slots.rows[slot] = snapshot.rows
        slots.phase[slot] = snapshot.phase
        self._rings.open(slot)
        self._rings.load(slot, *snapshot.arrays())
        self._carried.open(slot)
        if memory and snapshot.since != FRESH and self._carried.load(slot, snapshot.memory_tag, snapshot.memory):
            slots.since[slot] = snapshot.since
        assembly = snapshot.assembly()
        if assembly is not None:
            self._rows.assemblies[slot] = assembly
        if self._freezes is not None and runs is not None:
            self._freezes.adopt(slot, runs)

    def drop(self, series: str) -> int:
        """Drop what is held of a series; its pending windows stay. Returns how many rows were under assembly."""
        self._jumps.drop(series)
        slot = self._slots.of.get(series)
        if slot is None:
            return 0
        open_rows = self._rows.drop(slot)
        if self._freezes is not None:
            self._freezes.drop(slot)
        self._slots.give_back(slot)
        return open_rows
