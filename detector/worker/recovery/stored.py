"""The stored state of a partition, once it and the group's offset are those of one commit.

The two are committed together, and yet a reader may see the one without the other for a moment: markers of a
transaction reach its partitions one after the other, and a coordinator may answer as if a commit that it has
acknowledged had not been there.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import replace
from typing import Protocol

from detector.errors import StateMismatchError
from detector.kafka.history import History
from detector.pipeline.context import StreamContext
from detector.records.values import InputPartition
from detector.restoring.progress import Progress
from detector.restoring.staging import Staging
from detector.restoring.state_reading import StoredState, read_state
from detector.state import UnreadableStateError
from detector.worker.recovery.refusals import Refusals
from detector.worker.recovery.values import Found, Place, RecoveryPolicy

_MARKER_PATIENCE_SECONDS = 30.0
_MARKER_PAUSE_SECONDS = 0.1
_OFFSETS_PATIENCE_SECONDS = 2.0


class Offsets(Protocol):
    """What recovery asks of the live source."""

    def committed(self, partition: InputPartition) -> int | None:
        """The group's stable committed offset."""

    def range(self, partition: InputPartition) -> tuple[int, int]:
        """First retained offset and end of a partition."""


class StoredStates:
    """Finds what is stored of partitions.

    Args:
        history: Reads the state topic; used by nobody else meanwhile.
        offsets: The live source.
        policy: From the settings.
        refusals: Decide about state that is missing or damaged.
        monotonic: Clock for waiting.
        sleep: Waits.
    """

    def __init__(
        self,
        history: History,
        offsets: Offsets,
        policy: RecoveryPolicy,
        refusals: Refusals,
        monotonic: Callable[[], float],
        sleep: Callable[[float], None],
    ) -> None:
        self._history = history
        self._offsets = offsets
        self._policy = policy
        self._refusals = refusals
        self._monotonic = monotonic
        self._sleep = sleep

    def find(self, partition: InputPartition, context: StreamContext) -> Generator[Progress, None, Found]:
        """What is stored of a partition, with the offset that belongs to it.

        Raises:
            StateMismatchError: state that should be there is missing or damaged, and may not be rebuilt.
            KafkaError, KafkaUnavailableError: the cluster did not answer.
        """
        place = Place(partition, context, self._offsets.committed(partition), *self._offsets.range(partition))
        while True:
            stored, unusable = yield from self._load(place)
            reached = None if unusable is not None or stored.control is None else stored.control.next_offset
            place = yield from self._ask_again(place, reached)
            if reached is None or place.committed is None or place.committed <= reached:
                return Found(place, stored, unusable)
            # Somebody went on meanwhile, and so did the state.

    def was_added(self, place: Place) -> Generator[Progress, None, bool]:
        """Whether the partition did not exist yet when the group began; its records then are all new."""
        beside = StoredState(raw=_staging(place.context))
        yield from read_state(self._history, self._policy.state_topic, 0, place.context.name, beside)
        return beside.control is not None and beside.control.began_partitions <= place.partition.partition

    def _load(self, place: Place) -> Generator[Progress, None, tuple[StoredState, str | None]]:
        """The stored state, and why it is of no use, if it is not."""
        topic, committed = self._policy.state_topic, place.committed
        give_up = self._monotonic() + _MARKER_PATIENCE_SECONDS
        while True:
            stored = StoredState(raw=_staging(place.context))
            try:
                yield from read_state(self._history, topic, place.partition.partition, place.context.name, stored)
            except UnreadableStateError as error:
                return stored, str(error)
            except StateMismatchError as error:
                return stored, self._refusals.lost_state(str(error))
            reached = -1 if stored.control is None else stored.control.next_offset
            if committed is None or reached >= committed:
                return stored, None
            if self._monotonic() > give_up:
                found = "no state for it" if stored.control is None else f"state up to {reached} only"
                return stored, self._refusals.lost_state(
                    f"the group has committed offset {committed} of {place}, but topic {topic} holds {found}: it was "
                    "deleted, or belongs to another worker.group"
                )
            self._sleep(_MARKER_PAUSE_SECONDS)
            yield Progress(0, 1)

    def _ask_again(self, place: Place, reached: int | None) -> Generator[Progress, None, Place]:
        """The place with the group's offset as it is now, if the one that was read first is behind the state."""
        give_up = self._monotonic() + _OFFSETS_PATIENCE_SECONDS
        while (
            self._policy.exactly_once
            and reached is not None
            and place.committed is not None
            and reached > place.committed
            and self._monotonic() < give_up
        ):
            self._sleep(_MARKER_PAUSE_SECONDS)
            yield Progress(0, 1)
            place = replace(place, committed=self._offsets.committed(place.partition))
        return place


def _staging(context: StreamContext) -> Staging:
    return Staging(None if context.residency is None else context.residency.directory)
