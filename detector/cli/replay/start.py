"""What a replay of a topic begins with: a checkpoint, or a look-back that says what it leaves open."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from detector.cli.common.lived import LivedContexts
from detector.context import StreamContext
from detector.errors import BundleError, StateMismatchError
from detector.kafka.history import History
from detector.kafka.topics import describe_topics
from detector.lived.certainty import Certainty
from detector.lived.log import CheckpointPlace, EpochLog, load_checkpoint, read_log
from detector.lived.plan import Plan, make_plan
from detector.lived.walk import Walk
from detector.model_address import ModelPlace
from detector.pipeline import PartitionPipeline
from detector.records.values import InputPartition
from detector.replay import Begun
from detector.restoring import bring_up, read_again
from detector.settings import Settings, StreamSettings
from detector.state import Epoch, SeriesState


class Past:
    """What the epochs topic tells, for the streams of a replay.

    Args:
        settings: Name the topic.
        history: Nobody else reads with it meanwhile.
    """

    def __init__(self, settings: Settings, history: History) -> None:
        self._topic = settings.topics.epochs
        self._history = history
        found = describe_topics(settings.kafka, [self._topic]).get(self._topic)
        self._partitions = 0 if found is None else found.partitions

    def log(self, partition: InputPartition, stream: str) -> EpochLog:
        """Epochs and checkpoints of a partition; nothing where there is no such topic.

        Raises:
            StateMismatchError: the topic cannot be read as an epochs topic.
        """
        if partition.partition >= self._partitions:
            return EpochLog()
        return read_log(self._history, self._topic, partition, stream)

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


class LivedReplay:
    """The past of some partitions, to be walked through.

    Args:
        settings: Of the worker.
        models: Further bundles.
        registries: Addresses of further registries of bundles.
        cluster: Id of the cluster.
        history: Reads the input.
        past: Reads the epochs topic, with a reader of its own.
    """

    def __init__(
        self,
        settings: Settings,
        models: Sequence[ModelPlace],
        registries: Sequence[str],
        cluster: str,
        history: History,
        past: Past,
    ) -> None:
        self._look_back = settings.worker.state.max_replay_records
        self._contexts = LivedContexts(settings, models, cluster, registries)
        self._history = history
        self._past = past
        self._walks: list[tuple[InputPartition, Walk]] = []
        self.contexts: dict[str, StreamContext] = {}
        self.started: list[tuple[InputPartition, str]] = []
        self.records = 0

    def add(self, stream: StreamSettings, partition: InputPartition, first: int, stop: int, retained: int) -> None:
        """Plan the way through a stretch of a partition.

        Raises:
            BundleError: a model or the settings of a time are not at hand.
        """
        log = self._past.log(partition, stream.name)
        log = log.completed(None, stream.name, partition)
        found: dict[int, StreamContext] = {}

        def unresolved(epoch: Epoch) -> str | None:
            context = self._contexts.resolve(stream, epoch)
            if isinstance(context, str):
                return context
            found[epoch.from_offset] = context
            return None

        plan = make_plan(log, first, stop, retained, self._look_back, unresolved)
        for hole in plan.holes:
            raise BundleError(
                f"{partition.topic}/{partition.partition}, offsets {hole.first} to {hole.stop}: {hole.reason}"
            )
        self._add(partition, plan, found)

    def _add(self, partition: InputPartition, plan: Plan, found: Mapping[int, StreamContext]) -> None:
        for stage in plan.stages:
            context = found[stage.epoch.from_offset]
            identity = context.identity
            self.contexts[f"{context.name} {identity.model} {identity.fingerprint}"] = context
            if stage.entry != "carried":
                self.started.append((partition, stage.begun()))
            self.records += stage.stop - stage.first
        walk = Walk(
            partition,
            plan.stages,
            lambda start, end: (
                None if chunk is None else chunk[1]
                for chunk in (self._history.read({partition: (start, end)}) if start < end else ())
            ),
            lambda epoch: found[epoch.from_offset],
            lambda place: self._past.load(partition, place),
            keep_scores=True,
        )
        self._walks.append((partition, walk))

    def walks(self) -> Iterator[tuple[InputPartition, Walk]]:
        """Partition by partition."""
        return iter(self._walks)
