"""What the epochs topic tells of one partition of a stream: its epochs, and where its checkpoints are."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from msgspec import structs

from detector.errors import StateMismatchError
from detector.kafka.history import History
from detector.records.values import InputPartition
from detector.state import (
    Checkpoint,
    Control,
    Epoch,
    SeriesState,
    decode_checkpoint,
    decode_epoch,
    decode_part,
    decode_series,
    parse_epoch_key,
)


@dataclass(frozen=True, slots=True)
class CheckpointPlace:
    """A complete checkpoint, and where its parts are.

    Attributes:
        checkpoint: What it says of itself.
        parts_from: Offset on the epochs topic at which its first part may be found.
        parts_to: Offset on the epochs topic behind its last part.
    """

    checkpoint: Checkpoint
    parts_from: int
    parts_to: int

    @property
    def begun_offset(self) -> int:
        """Input offset from which records are read again."""
        return self.checkpoint.begun_offset

    @property
    def next_offset(self) -> int:
        """Input offset from which on outcomes are certain."""
        return self.checkpoint.control.next_offset


@dataclass(frozen=True, slots=True)
class EpochLog:
    """The past of a partition, as far as it is written down.

    Attributes:
        epochs: By ascending ``from_offset``, each once.
        checkpoints: By ascending ``next_offset``.
    """

    epochs: tuple[Epoch, ...] = ()
    checkpoints: tuple[CheckpointPlace, ...] = ()

    def completed(self, control: Control | None, stream: str, partition: InputPartition) -> EpochLog:
        """With what control records tell of epochs that retention has deleted.

        An epoch that lasts longer than the topic keeps records is still named by the state's control record and by
        every checkpoint; its settings are not.
        """
        controls = [place.checkpoint.control for place in self.checkpoints]
        if control is not None:
            controls.append(control)
        epochs = {found.epoch_from: _nameless(found, stream, partition) for found in controls}
        epochs |= {epoch.from_offset: epoch for epoch in self.epochs}
        return replace(self, epochs=tuple(epochs[offset] for offset in sorted(epochs)))


def _nameless(control: Control, stream: str, partition: InputPartition) -> Epoch:
    return Epoch(
        version=1,
        stream=stream,
        topic=partition.topic,
        partition=partition.partition,
        from_offset=control.epoch_from,
        model=control.model,
        model_version="",
        fingerprint=control.fingerprint,
    )


@dataclass(slots=True)
class _Reading:
    epochs: dict[int, Epoch] = field(default_factory=dict)
    checkpoints: dict[int, CheckpointPlace] = field(default_factory=dict)
    first_parts: dict[int, int] = field(default_factory=dict)


class LogReader:
    """Reads what the epochs topic tells of a partition, and each time again only what has come since.

    Snapshots of checkpoints are passed over, whatever their size.

    Args:
        history: Nobody else reads with it meanwhile.
        topic: The epochs topic.
        partition: Of the input.
        stream: Name of the stream.
    """

    def __init__(self, history: History, topic: str, partition: InputPartition, stream: str) -> None:
        self._history, self._topic, self._partition, self._stream = history, topic, partition, stream
        self._found = _Reading()
        self._next = 0

    def read(self) -> EpochLog:
        """What it tells now.

        Raises:
            StateMismatchError: a record is damaged, of a newer version, or somebody else's.
            KafkaUnavailableError: the topic does not exist, or the cluster does not answer.
        """
        partition, found = self._partition, self._found
        where = InputPartition(self._topic, partition.partition)
        if where not in self._history.partitions(self._topic):
            raise StateMismatchError(
                f"topic {self._topic} has no partition {partition.partition}, which {partition.topic} has; it is not "
                "the epochs topic of this stream: check topics.epochs"
            )
        first, end = self._history.first_offsets([where])[where], self._history.end_offsets([where])[where]
        if end < self._next:  # the topic was made anew
            self._found = found = _Reading()
            self._next = 0
        for chunk in self._history.read({where: (max(first, self._next), end)}):
            for record in () if chunk is None else chunk[1]:
                _note(found, record.key or b"", record.value, record.offset, self._stream, partition)
        self._next = end
        return EpochLog(
            tuple(sorted(found.epochs.values(), key=lambda epoch: epoch.from_offset)),
            tuple(
                sorted(
                    (place for place in found.checkpoints.values() if place.parts_from >= first),
                    key=lambda place: place.next_offset,
                )
            ),
        )


def read_log(history: History, topic: str, partition: InputPartition, stream: str) -> EpochLog:
    """What the epochs topic tells of a partition; see `LogReader`, whose arguments and errors they are."""
    return LogReader(history, topic, partition, stream).read()


def _note(found: _Reading, key: bytes, value: bytes, offset: int, stream: str, partition: InputPartition) -> None:
    parsed = parse_epoch_key(key)
    if parsed is not None and (parsed.stream, parsed.partition) != (stream, partition.partition):
        return
    if parsed is None or parsed.kind == "e":
        epoch = decode_epoch(value)
        if (epoch.stream, epoch.topic, epoch.partition) == (stream, partition.topic, partition.partition):
            # A commit whose outcome was unknown, or one that was delivered twice, writes it again: the last one counts.
            found.epochs[epoch.from_offset] = _after(found.epochs.get(epoch.from_offset), epoch)
    elif parsed.kind == "p":
        found.first_parts.setdefault(parsed.offset, offset)
    else:
        checkpoint = decode_checkpoint(value)
        # Parts follow their checkpoint's first one; those of a checkpoint that was given up have no such record.
        parts_from = found.first_parts.pop(parsed.offset, offset)
        if checkpoint.topic == partition.topic:
            found.checkpoints[parsed.offset] = CheckpointPlace(checkpoint, parts_from, offset)


def _after(before: Epoch | None, epoch: Epoch) -> Epoch:
    """An epoch that began before the one in ``before`` had a record: it carried on what that one had begun with."""
    if before is None or epoch.windows != "carried":
        return epoch
    return structs.replace(epoch, windows=before.windows, windows_from=before.windows_from)


def load_checkpoint(
    history: History, topic: str, partition: InputPartition, place: CheckpointPlace
) -> dict[str, SeriesState]:
    """The series of a checkpoint; of a series that is in several parts the last one counts.

    Raises:
        StateMismatchError: a part is damaged or missing.
        KafkaUnavailableError: the cluster does not answer.
    """
    where = InputPartition(topic, partition.partition)
    series: dict[str, SeriesState] = {}
    parts = 0
    for chunk in history.read({where: (place.parts_from, place.parts_to)}):
        for record in () if chunk is None else chunk[1]:
            parsed = parse_epoch_key(record.key or b"")
            if parsed is None or parsed.kind != "p":
                continue
            if (parsed.stream, parsed.partition, parsed.offset) != (
                place.checkpoint.stream, partition.partition, place.begun_offset,
            ):  # fmt: skip
                continue
            parts += 1
            for name, data in decode_part(record.value).series:
                series[name] = decode_series(data)
    if parts < place.checkpoint.parts:
        raise StateMismatchError(
            f"the checkpoint of {partition.topic}/{partition.partition} at offset {place.next_offset} has {parts} of "
            f"{place.checkpoint.parts} parts on topic {topic}: the others were deleted"
        )
    return series
