"""How far a partition has come: the group's offset, and the state that belongs to it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from detector.errors import StateMismatchError
from detector.kafka.history import History
from detector.kafka.positions import Positions
from detector.records.values import InputPartition
from detector.restoring.staging import Staging
from detector.restoring.state_reading import StoredState, read_state

# A transaction's markers reach its partitions one after the other, and a live worker goes on meanwhile.
_SETTLE_SECONDS = 5.0
_SETTLE_PAUSE_SECONDS = 0.2


@dataclass(frozen=True, slots=True)
class Reached:
    """How far a partition has come.

    Attributes:
        committed: The group's offset, or None.
        stored: What the state topic holds.
        problem: Why that cannot be read, if it cannot.
    """

    committed: int | None
    stored: StoredState
    problem: str | None = None


@dataclass(frozen=True, slots=True)
class ReachedReader:
    """Reads offset and state of the same moment, although a worker may be running.

    Args:
        history: Of the state topic.
        state_topic: Its name.
        positions: Of the group.
        group: Its name.
        directory: For state that is too large for memory.
        progress: Called now and then.
        monotonic: Clock for waiting.
        sleep: Waits.
    """

    history: History
    state_topic: str
    positions: Positions
    group: str
    directory: Path
    progress: Callable[[int], None]
    monotonic: Callable[[], float]
    sleep: Callable[[float], None]

    def read(self, partition: InputPartition, stream: str) -> Reached:
        """How far a partition of a stream has come; what does not fit each other after five seconds stays so.

        Raises:
            KafkaUnavailableError: the cluster does not answer.
        """
        give_up = self.monotonic() + _SETTLE_SECONDS
        while True:
            before = self._committed(partition)
            stored, problem = StoredState(raw=Staging(self.directory)), None
            try:
                for _ in read_state(self.history, self.state_topic, partition.partition, stream, stored):
                    self.progress(0)
            except StateMismatchError as error:
                problem = str(error)
            after = self._committed(partition)
            at = None if stored.control is None else stored.control.next_offset
            if at == after or (at is not None and before is not None and after is not None and before <= at <= after):
                return Reached(at, stored, problem)
            if before == after and (problem is not None or self.monotonic() > give_up):
                return Reached(after, stored, problem)
            self.sleep(_SETTLE_PAUSE_SECONDS)

    def _committed(self, partition: InputPartition) -> int | None:
        return self.positions.committed(self.group, [partition])[partition]
