"""Contradictions between state, offsets and input: each stops a recovery, unless the settings accept what it costs."""

from __future__ import annotations

import structlog

from detector.errors import StateMismatchError
from detector.state import Control
from detector.worker.recovery.values import Place, RecoveryPolicy

_log = structlog.get_logger(__name__)


class Refusals:
    """Raises for a contradiction, or says what follows from accepting it.

    Args:
        policy: What is accepted.
    """

    def __init__(self, policy: RecoveryPolicy) -> None:
        self._policy = policy

    def lost_state(self, what: str) -> str:
        """The state is missing or damaged; gives ``what`` back, as the reason to rebuild it, if that may be done.

        Raises:
            StateMismatchError: it may not.
        """
        if self._policy.on_lost_state == "rebuild":
            return what
        raise StateMismatchError(
            f"{what}. Restore the topic; or start once with RECONSTREAM_WORKER__ON_LOST_STATE=rebuild "
            "(worker.on_lost_state), which makes windows and incidents anew from the last "
            f"{self._policy.max_replay_records} records of each partition and loses incidents that opened before; or "
            "set a new worker.group and topics.state to begin anew"
        )

    def lost_input(self, place: Place, what: str) -> None:
        """Records that are needed were deleted.

        Raises:
            StateMismatchError: going on without them is not allowed.
        """
        if self._policy.on_lost_input == "stop":
            raise StateMismatchError(
                f"{place}: {what}. To go on without them, start once with RECONSTREAM_WORKER__ON_LOST_INPUT=continue, "
                "or set worker.on_lost_input to 'continue'; the windows they belong to have a gap then"
            )
        _log.error("input was lost", **place.labels, detail=what)

    def other_partitions(self, place: Place, control: Control, now: int) -> None:
        """The topic may have another number of partitions, ``now``, than when the state was written.

        Raises:
            StateMismatchError: it has, and that is not accepted.
        """
        if now == control.partitions:
            return
        if self._policy.on_new_partitions == "stop":
            raise StateMismatchError(
                f"topic {place.partition.topic} has {now} partitions, and had {control.partitions} when the state of "
                f"partition {place.partition.partition} was written: keys have moved, so a series that moved begins "
                "anew where it lands, and what it left behind is forgotten with time. To go on that way start once "
                "with RECONSTREAM_WORKER__ON_NEW_PARTITIONS=continue (worker.on_new_partitions); to keep each series "
                "whole write the history into a correctly keyed topic with 'detector repartition', and read that one "
                "with a new worker.group and topics.state"
            )
        _log.warning(
            "the input has another number of partitions", **place.labels, partitions=now, before=control.partitions
        )

    def resumed_at(self, place: Place, control: Control) -> int:
        """Offset at which to go on behind a state.

        Raises:
            StateMismatchError: the state is ahead of the group, or as `within` says.
        """
        start, committed = control.next_offset, place.committed
        # Without a committed offset the group expired, or its offsets were deleted; the state knows better than any
        # reset policy.
        if committed is not None and start > committed and self._policy.exactly_once:
            raise StateMismatchError(
                f"the state of {place} is at offset {start}, ahead of the group's {committed}: the group's offsets "
                "were moved back by hand, or a transaction was torn. To read history again use 'detector replay'; to "
                "begin anew set a new worker.group and topics.state"
            )
        return self.within(place, start)

    def within(self, place: Place, start: int) -> int:
        """The offset itself, or the oldest one left if it was deleted and that is accepted.

        Raises:
            StateMismatchError: it lies beyond the end, or was deleted and going on without is not allowed.
        """
        if start > place.end:
            raise StateMismatchError(
                f"the group stands at offset {start} of {place}, beyond its end {place.end}: the topic was deleted and "
                "created again, or lost records. Set a new worker.group and topics.state to begin anew"
            )
        if start < place.first:
            self.lost_input(
                place, f"records {start} to {place.first - 1} were deleted by retention before they were read"
            )
            return place.first
        return start
