"""Does the state topic hold what a restart would need, and is it what the records lead to?"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from collections.abc import Set as AbstractSet
from pathlib import Path

from detector.alerting.lifecycle import Lifecycle
from detector.alerting.snapshot import TrackState, decode_track
from detector.audit.findings import Kind
from detector.errors import StateMismatchError
from detector.lived.certainty import Certainty
from detector.pipeline.partition import PartitionPipeline
from detector.restoring.staging import Staging
from detector.series.carried import FRESH
from detector.series.snapshot import SnapshotError, decode_snapshot
from detector.series.spec import WindowSpec
from detector.state import Control, SeriesState, decode_series

Say = Callable[[Kind, bool, int, str | None, str, tuple[str, ...]], None]
"""Takes kind, whether it is certain, offset, series, detail and fields."""


# Where a series' grid began, and a cool-down that is over, do not show in what the series does any more. What is known
# of silence and of frozen channels does, but their events are uncertain then as well.
_BY_ORIGIN = frozenset(("windows.anchor_ns", "windows.key", "windows.runs", "incidents.cool_down", "standing"))
_OF_MEMORY = frozenset(("windows.since", "windows.memory_tag", "windows.memory"))


class StateCheck:
    """The state of one partition of a stream.

    Args:
        control: The control record.
        snapshots: Series with their encoded snapshots.
        say: Takes what is found.
        directory: For a file, should they be many; None keeps them in memory.
        begins: Offsets from which on another model or other settings were in force.

    Attributes:
        compared: Snapshots that were compared with the recomputation.
    """

    def __init__(
        self,
        control: Control,
        snapshots: Iterable[tuple[str, bytes]],
        say: Say,
        directory: Path | None = None,
        begins: AbstractSet[int] = frozenset(),
    ) -> None:
        self.control = control
        self.compared = 0
        self._say = say
        self._begins = begins
        self._finished = False
        self._names: set[str] = set()
        self._unreadable: set[str] = set()
        self._offsets: dict[int, int] = {}
        # By the offset at which they were taken, so that they can be gone through beside the records.
        self._staged = Staging(directory)
        for series, data in snapshots:
            self._stage(series, data)
        self._waiting = self._staged.items()
        self._next: tuple[int, str, bytes] | None = None
        self._step()

    def _stage(self, series: str, data: bytes) -> None:
        self._names.add(series)
        try:
            state = decode_series(data)
        except StateMismatchError as error:
            self._unreadable.add(series)
            self._say("unreadable", True, self.control.next_offset, series, str(error), ())
            return
        if state.next_offset > self.control.next_offset:
            self._unreadable.add(series)
            detail = f"its snapshot is at offset {state.next_offset}, the partition at {self.control.next_offset}"
            self._say("torn", True, state.next_offset, series, detail, ("next_offset",))
            return
        self._offsets[state.next_offset] = self._offsets.get(state.next_offset, 0) + 1
        self._staged.put(f"{state.next_offset:020d} {series}", data)

    def _step(self) -> None:
        found = next(self._waiting, None)
        self._next = None if found is None else (int(found[0][:20]), found[0][21:], found[1])

    def stops(self) -> list[int]:
        """Offsets at which the recomputation is compared, ascending."""
        return sorted({*self._offsets, self.control.next_offset})

    def compare(self, pipeline: PartitionPipeline, spec: WindowSpec, offset: int, certainty: Certainty) -> None:
        """Compare the snapshots that were taken at an offset with the state that the records lead to there."""
        if offset not in self._offsets and (offset != self.control.next_offset or self._finished):
            return
        sure = certainty.certain()

        def certain(series: str) -> bool:
            return certainty.known or series in sure

        while self._next is not None and self._next[0] <= offset:
            at, series, data = self._next
            self._step()
            if at < offset:
                continue  # from before the range, or from a stretch that cannot be computed
            self.compared += 1
            fields = self._differences(series, decode_series(data), pipeline.snapshot(series, offset), spec)
            if not certainty.known and certain(series):
                fields = [name for name in fields if name not in _BY_ORIGIN]
            if fields:
                detail = "its snapshot is not what its records lead to"
                self._say("different", certain(series), offset, series, detail, tuple(fields))
        if offset == self.control.next_offset and not self._finished:
            self._finished = True
            self._compare_control(pipeline, certain)

    def pass_over(self, pipeline: PartitionPipeline, offset: int) -> None:
        """Note, without a comparison, that snapshots were taken at an offset before the range.

        Otherwise the recomputation would take what they hold for missing, where it begins at a checkpoint before them.
        """
        while self._next is not None and self._next[0] <= offset:
            at, series, _ = self._next
            self._step()
            if at == offset:
                pipeline.unsaved.saved(series, offset, forgotten=series not in pipeline.store)

    def _differences(self, series: str, stored: SeriesState, computed: SeriesState, spec: WindowSpec) -> list[str]:
        try:
            found = state_differences(stored, computed, spec)
            if stored.next_offset in self._begins and not _OF_MEMORY.isdisjoint(found):
                # The model that begins here may have written it, before it had read anything.
                begun = decode_snapshot(stored.windows, spec).since == FRESH
                found = [name for name in found if not (begun and name in _OF_MEMORY)]
        except SnapshotError as error:
            self._say("unreadable", True, stored.next_offset, series, str(error), ())
            return []
        return found

    def _compare_control(self, pipeline: PartitionPipeline, certain: Callable[[str], bool]) -> None:
        reads_from, at, lacking = self.control.replay_from, self.control.next_offset, pipeline.unsaved.since
        for series in pipeline.store:
            since = lacking.get(series)
            if series in self._unreadable or (since is not None and since >= reads_from):
                continue
            if series not in self._names:
                detail = "it has no snapshot: a restart would begin it anew"
                self._say("missing", certain(series), at, series, detail, ())
            elif since is not None:
                detail = f"its snapshot lacks records from {since} on, and a restart would read from {reads_from}"
                self._say("torn", certain(series), at, series, detail, ("replay_from",))

    def unchecked(self) -> int:
        """Snapshots that were not compared, such as those from before the range."""
        return sum(self._offsets.values()) - self.compared


def state_differences(stored: SeriesState, computed: SeriesState, spec: WindowSpec) -> list[str]:
    """Names of the fields in which two snapshots of a series differ.

    Raises:
        SnapshotError: the stored one cannot be read.
    """
    found: list[str] = []
    if stored.windows != computed.windows:
        if not stored.windows or not computed.windows:
            found.append("windows")
        else:
            # Equal content may have other bytes, under another version of zlib.
            one, other = decode_snapshot(stored.windows, spec), decode_snapshot(computed.windows, spec)
            found += [f"windows.{name}" for name in one.__struct_fields__ if getattr(one, name) != getattr(other, name)]
    found += _incident_differences(stored.incidents, computed.incidents)
    if stored.standing != computed.standing:
        found.append("standing")
    return found


def _incident_differences(stored: bytes | None, computed: bytes | None) -> list[str]:
    if stored == computed:
        return []
    idle = TrackState(Lifecycle())
    one, other = (idle if data is None else decode_track(data) for data in (stored, computed))
    if not one.lifecycle.under_way and not other.lifecycle.under_way:
        return ["incidents.cool_down"]
    names = ("lifecycle", "evidence", "opened")
    return [f"incidents.{name}" for name in names if getattr(one, name) != getattr(other, name)]
