"""Is there a control record, and do the group's offset, the epochs and the input fit it?"""

from __future__ import annotations

from collections.abc import Callable

from detector.audit.reached import Reached
from detector.audit.states import Say
from detector.lived.log import EpochLog
from detector.records.values import InputPartition
from detector.settings import Settings
from detector.state import Control


def check_control(
    settings: Settings,
    partition: InputPartition,
    reached: Reached,
    log: EpochLog,
    retained: int,
    say: Say,
    warn: Callable[[str], None],
) -> Control | None:
    """The control record of a partition, if there is one that its snapshots can be compared by.

    Args:
        settings: Of the worker.
        partition: Of the input.
        reached: How far it has come.
        log: Its epochs.
        retained: Oldest offset that the input still has.
        say: Takes what is wrong.
        warn: Takes what is worth knowing, but no fault.
    """
    committed, control = reached.committed, reached.stored.control
    if reached.problem is not None:
        say("unreadable", True, committed or 0, None, reached.problem, ())
        return None
    if control is None:
        say("missing", True, committed or 0, None,
            f"the group has committed offset {committed}, and topic {settings.topics.state} holds no "
            "state for it; the next start of the worker stops and says how to go on", ())  # fmt: skip
        return None
    name = f"{partition.topic}/{partition.partition}"
    if control.next_offset != committed:
        what = f"the state is at offset {control.next_offset}, " + (
            f"the group at {committed}" if committed is not None else
            f"and the group {settings.worker.group!r} has no offset: it expired, or worker.group is not the "
            "one that wrote this state"
        )  # fmt: skip
        if settings.worker.delivery == "exactly_once":
            say("torn", True, control.next_offset, None, what, ("next_offset",))
        else:
            warn(f"{name}: {what}, as a crash may leave it with worker.delivery at_least_once")
    _check_epoch(control, log, say)
    if control.replay_from < retained:
        warn(
            f"{name}: a restart would read from offset {control.replay_from} on, "
            f"and the oldest record left is {retained}: a crash now would need worker.on_lost_input. Keep the "
            "input for longer"
        )
    return control


def _check_epoch(control: Control, log: EpochLog, say: Say) -> None:
    last = log.epochs[-1]
    if (last.from_offset, last.model, last.fingerprint) != (
        control.epoch_from, control.model, control.fingerprint,
    ):  # fmt: skip
        say("torn", True, control.next_offset, None,
            f"the state says that model {control.model[:12]} is in force from offset {control.epoch_from} on, the "
            f"epochs topic that it is {last.model[:12]} from {last.from_offset} on", ("epoch_from",))  # fmt: skip
