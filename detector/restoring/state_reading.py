"""Reading a stream's state of one partition off the state topic."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from detector.kafka.history import History
from detector.records.values import InputPartition
from detector.restoring.progress import Progress
from detector.restoring.staging import Staging
from detector.state import Control, SeriesState, decode_control, decode_series, parse_key


@dataclass(slots=True)
class StoredState:
    """What the state topic holds of a stream in one partition.

    Attributes:
        control: None when the stream was never there.
        raw: Encoded snapshots by series, the latest of each; on disk where they are many.
    """

    control: Control | None = None
    raw: Staging = field(default_factory=lambda: Staging(None))

    def snapshots(self) -> Iterator[tuple[str, SeriesState]]:
        """Series with their states, in the order of their names.

        Raises:
            UnreadableStateError: a version that this release does not know.
            StateMismatchError: a snapshot is damaged.
        """
        for series, data in self.raw.items():
            yield series, decode_series(data)


def read_state(history: History, topic: str, partition: int, stream: str, found: StoredState) -> Iterator[Progress]:
    """Read a partition of the state topic into ``found``.

    Yields:
        Progress, often, so that the caller can poll in between.

    Raises:
        UnreadableStateError: the control record has a version that this release does not know.
        StateMismatchError: it is damaged, or somebody else writes to the topic.
        KafkaUnavailableError: the cluster does not answer.
    """
    state = InputPartition(topic, partition)
    first = history.first_offsets([state])[state]
    end = history.end_offsets([state])[state]
    done = 0
    raw_control: bytes | None = None
    for chunk in history.read({state: (first, end)}):
        if chunk is not None:
            done += len(chunk[1])
            for record in chunk[1]:
                owner, series = parse_key(record.key or b"")
                if owner != stream:
                    continue
                if series is None:
                    raw_control = record.value
                elif record.value:
                    found.raw.put(series, record.value)
                else:
                    found.raw.discard(series)  # a tombstone
        yield Progress(done, end - first)
    found.control = None if not raw_control else decode_control(raw_control)
