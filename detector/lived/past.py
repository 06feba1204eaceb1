"""What a partition begins with in mid-stream: a checkpoint, or a look-back that says what it leaves open."""

from __future__ import annotations

from dataclasses import dataclass

from detector.errors import StateMismatchError
from detector.kafka.history import History
from detector.kafka.topics import describe_topics
from detector.lived.certainty import Certainty
from detector.lived.log import CheckpointPlace, EpochLog, LogReader, load_checkpoint
from detector.pipeline.context import StreamContext
from detector.pipeline.partition import PartitionPipeline
from detector.records.values import InputPartition
from detector.restoring.pipeline import bring_up, read_again
from detector.settings import Settings
from detector.state import SeriesState


@dataclass(frozen=True, slots=True)
class Begun:
    """What a partition begins with, where that is not simply nothing.

    Attributes:
        pipeline: As of the first record that will come.
        certainty: Which series the unknown past can have no influence on.
    """

    pipeline: PartitionPipeline
    certainty: Certainty


class Past:
    """What the epochs topic tells of streams whose past is read again.

    Args:
        settings: Name the topic.
        history: Nobody else reads with it meanwhile.
    """

    def __init__(self, settings: Settings, history: History) -> None:
        self._topic = settings.topics.epochs
        self._settings, self._history = settings, history
        self._partitions = self._described()
        self._logs: dict[tuple[InputPartition, str], LogReader] = {}

    def log(self, partition: InputPartition, stream: str) -> EpochLog:
        """Epochs and checkpoints of a partition; nothing where there is no such topic.

        Raises:
            StateMismatchError: the topic cannot be read as an epochs topic.
        """
        if partition.partition >= self._partitions:
            self._partitions = self._described()
        if partition.partition >= self._partitions:
            return EpochLog()
        key = partition, stream
        if key not in self._logs:
            self._logs[key] = LogReader(self._history, self._topic, partition, stream)
        return self._logs[key].read()

    def _described(self) -> int:
        found = describe_topics(self._settings.kafka, [self._topic]).get(self._topic)
        return 0 if found is None else found.partitions

    def checkpoint(
        self, partition: InputPartition, context: StreamContext, first: int, retained: int
    ) -> CheckpointPlace | None:
        """The nearest checkpoint at or before an offset that was made with this very model and these settings."""
        wanted = context.identity.model, context.identity.fingerprint, context.memory.tag
        try:
            places = self.log(partition, context.name).checkpoints
        except StateMismatchError:
            return None  # a look-back does without
        fitting = []
        for place in places:
            control = place.checkpoint.control
            if (
                place.next_offset <= first
                and place.begun_offset >= retained
                and (control.model, control.fingerprint, control.memory) == wanted
            ):
                fitting.append(place)
        return fitting[-1] if fitting else None

    def load(self, partition: InputPartition, place: CheckpointPlace) -> dict[str, SeriesState]:
        """The series of a checkpoint.

        Raises:
            StateMismatchError: a part of it is gone.
        """
        return load_checkpoint(self._history, self._topic, partition, place)

    def begin(self, partition: InputPartition, context: StreamContext, place: CheckpointPlace) -> Begun:
        """The state of a checkpoint, brought up to its ``next_offset``.

        Raises:
            StateMismatchError: a part of it is gone.
        """
        series = self.load(partition, place)
        pipeline = bring_up(context, partition.partition, place.checkpoint.control, series.items())
        chunks = self._history.read({partition: (place.begun_offset, place.next_offset)})
        for _ in read_again(pipeline, (None if chunk is None else chunk[1] for chunk in chunks), judge=True):
            continue
        return Begun(pipeline, Certainty(context.spec, context.policy, known=True))


def unknown(partition: InputPartition, context: StreamContext) -> Begun:
    """Empty windows of which it is not known what should be in them."""
    certainty = Certainty(context.spec, context.policy, known=False, **context.carrying)
    return Begun(PartitionPipeline(context, partition.partition), certainty)
