"""How to walk through a stretch of a partition: where to begin, what is in force, and what cannot be known.

A stretch is cut into *stages*: within one, a single model with a single set of settings is in force. A stage begins

* ``empty``: with nothing, as the worker itself began there;
* ``carried``: with the windows of the stage before, under another model or other settings;
* ``rebuilt``: with windows from the records since ``read_from``, since a window of another shape was asked for, or the
  state had been lost;
* ``checkpoint``: with a checkpoint's state;
* ``look_back``: with what the records since ``read_from`` say, not knowing what was before them.

What no stage covers is a *hole*, with its reason.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

from detector.lived.log import CheckpointPlace, EpochLog
from detector.state import Epoch

Entry = Literal["empty", "carried", "rebuilt", "checkpoint", "look_back"]
_ENTRIES: dict[str, Entry] = {"empty": "empty", "carried": "carried", "rebuilt": "rebuilt"}


@dataclass(frozen=True, slots=True)
class Stage:
    """A stretch under one model and one set of settings.

    Attributes:
        epoch: What is in force.
        entry: What it begins with.
        read_from: First record to read, silently up to ``first``.
        first: First record whose outcome counts.
        stop: First record that is too late.
        checkpoint: For the entry of that name.
    """

    epoch: Epoch
    entry: Entry
    read_from: int
    first: int
    stop: int
    checkpoint: CheckpointPlace | None = None

    def begun(self) -> str:
        """For people: what it began with."""
        if self.entry == "checkpoint" and self.checkpoint is not None:
            return f"checkpoint at offset {self.checkpoint.next_offset}"
        return {
            "empty": f"the beginning, offset {self.read_from}",
            "carried": "the windows before it",
            "rebuilt": f"windows rebuilt from offset {self.read_from}",
        }.get(self.entry, f"look-back from offset {self.read_from}")


@dataclass(frozen=True, slots=True)
class Hole:
    """A stretch that cannot be computed.

    Attributes:
        first: First offset.
        stop: First offset behind it.
        reason: For people, with the remedy if there is one.
    """

    first: int
    stop: int
    reason: str


@dataclass(frozen=True, slots=True)
class Plan:
    """Stages and holes of one partition, each in order; together they cover the stretch."""

    stages: tuple[Stage, ...]
    holes: tuple[Hole, ...]


def make_plan(
    log: EpochLog, first: int, stop: int, retained: int, look_back: int, unresolved: Callable[[Epoch], str | None]
) -> Plan:
    """Plan the way through ``[first, stop)``.

    Args:
        log: Of the partition.
        first: First offset.
        stop: First offset that is too late.
        retained: Oldest offset that the input still holds.
        look_back: Records to read where nothing better is known.
        unresolved: Why an epoch cannot be computed; None when it can. It is asked once at most for each epoch, and only
            for those that the way may lead through: opening a model takes time and memory, and what is wrong with
            another one is no matter.
    """
    return _Planner(log, retained, look_back, unresolved).plan(first, stop)


class _Planner:
    def __init__(self, log: EpochLog, retained: int, look_back: int, unresolved: Callable[[Epoch], str | None]) -> None:
        self._epochs = log.epochs
        self._retained = retained
        self._look_back = look_back
        self._at_offset = {epoch.from_offset: epoch for epoch in log.epochs}
        self._unresolved = unresolved
        self._reasons: dict[int, str | None] = {}
        self._checkpoints = log.checkpoints

    def plan(self, first: int, stop: int) -> Plan:
        stages: list[Stage] = []
        holes: list[Hole] = []
        if first < min(self._retained, stop):
            holes.append(Hole(first, min(self._retained, stop), "retention deleted these records of the input"))
            first = self._retained
        if first < stop and not self._epochs:
            holes.append(Hole(first, stop, "the epochs topic does not tell which model was in force"))
            first = stop
        if first < stop and first < self._epochs[0].from_offset:
            begins = min(self._epochs[0].from_offset, stop)
            # Before a first epoch with nothing in its windows nobody processed anything.
            if self._epochs[0].windows != "empty":
                holes.append(Hole(first, begins, "the epochs topic does not tell any more which model was in force"))
            first = begins
        while first < stop:
            epoch, ends = self._at(first, stop)
            why = self._why(epoch)
            if why is not None:
                holes.append(Hole(first, ends, why))
                first = ends
                continue
            stages += self._walk(self._opening(first, stop), stop)
            first = stages[-1].stop
        return Plan(tuple(stages), tuple(holes))

    def _why(self, epoch: Epoch) -> str | None:
        """Why an epoch cannot be computed."""
        if epoch.from_offset not in self._reasons:
            self._reasons[epoch.from_offset] = self._unresolved(epoch)
        return self._reasons[epoch.from_offset]

    def _usable(self, place: CheckpointPlace) -> bool:
        control = place.checkpoint.control
        epoch = self._at_offset.get(control.epoch_from)
        return (
            place.begun_offset >= self._retained
            and control.epoch_from <= place.begun_offset
            and epoch is not None
            # An epoch that ended before its first record may have left a checkpoint; the next one has its offset.
            and (control.model, control.fingerprint) == (epoch.model, epoch.fingerprint)
            and self._why(epoch) is None
        )

    def _at(self, offset: int, stop: int) -> tuple[Epoch, int]:
        """Epoch in force at an offset, and where it ends."""
        index = max(i for i, epoch in enumerate(self._epochs) if epoch.from_offset <= offset)
        return self._epochs[index], self._ends(index, stop)

    def _ends(self, index: int, stop: int) -> int:
        return min(stop, self._epochs[index + 1].from_offset) if index + 1 < len(self._epochs) else stop

    def _opening(self, first: int, stop: int) -> Stage:
        """The best place to begin at or before ``first``; the stage reaches to the end of its epoch."""
        checkpoints = [(place.next_offset, 1, place) for place in self._checkpoints if place.next_offset <= first]
        beginnings = [
            (epoch.from_offset, 0, None)
            for epoch in self._epochs
            if epoch.windows == "empty" and self._retained <= epoch.from_offset <= first
        ]
        # The nearest first: what lies farther back is looked at only where that cannot be used.
        for at, _, place in sorted([*checkpoints, *beginnings], key=lambda found: found[:2], reverse=True):
            # A checkpoint that was taken where the next epoch begins still belongs to the epoch before.
            since = at if place is None else place.checkpoint.control.epoch_from
            if (place is not None and not self._usable(place)) or not self._unbroken(since, first):
                continue
            epoch, ends = self._at(since, stop)
            if place is None:
                return Stage(epoch, "empty", at, at, ends)
            return Stage(epoch, "checkpoint", place.begun_offset, at, ends, place)
        epoch, ends = self._at(first, stop)
        from_offset = max(self._retained, first - self._look_back)
        return Stage(epoch, "look_back", from_offset, first, self._better(first, ends))

    def _better(self, after: int, ends: int) -> int:
        """First offset at which a checkpoint tells more than a look-back does."""
        between = (place for place in self._checkpoints if after < place.next_offset < ends)
        return min((place.next_offset for place in between if self._usable(place)), default=ends)

    def _unbroken(self, at: int, first: int) -> bool:
        """Whether one can go on from ``at`` to ``first``."""
        between = [index for index, epoch in enumerate(self._epochs) if at < epoch.from_offset <= first]
        return (
            all(map(self._follows, between))
            and all(self._why(self._epochs[index]) is None for index in reversed(between))
            and self._why(self._at(at, at + 1)[0]) is None
        )

    def _can_follow(self, index: int) -> bool:
        """Whether one can go on into an epoch."""
        return self._follows(index) and self._why(self._epochs[index]) is None

    def _follows(self, index: int) -> bool:
        """Whether the state at the beginning of an epoch follows from the state at the end of the one before."""
        epoch = self._epochs[index]
        if epoch.windows == "rebuilt":
            return epoch.windows_from >= self._retained
        if epoch.windows == "carried":
            # A restart reads the last records into the windows again. With other rules for them they lead to something
            # else than they did, and from which record on is not written down; a checkpoint follows soon.
            before = self._epochs[index - 1].settings if index else {}
            return all(before.get(section) == epoch.settings.get(section) for section in ("record", "window"))
        return epoch.windows == "empty"

    def _walk(self, opening: Stage, stop: int) -> Iterator[Stage]:
        """The stage and those that follow it, until the end or until something that has to be begun anew."""
        yield opening
        known, at = opening.entry != "look_back", opening.stop
        for index, epoch in enumerate(self._epochs):
            if epoch.from_offset < at or at >= stop:
                continue
            if epoch.from_offset > at or not self._can_follow(index):
                return
            ends = self._ends(index, stop)
            if epoch.windows == "empty":
                known = True
            at = ends if known else self._better(epoch.from_offset, ends)
            entry, read_from = _ENTRIES[epoch.windows], epoch.from_offset
            if epoch.windows == "rebuilt":
                read_from = epoch.windows_from
            yield Stage(epoch, entry, read_from, epoch.from_offset, at)
