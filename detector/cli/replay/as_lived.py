"""The past of partitions as it was lived, ready to be walked through."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

from detector.cli.common.lived import LivedContexts
from detector.errors import BundleError
from detector.kafka.history import History
from detector.lived.past import Past
from detector.lived.plan import Plan, make_plan
from detector.lived.walk import Walk
from detector.model_address import ModelPlace
from detector.pipeline.context import StreamContext
from detector.records.values import InputPartition
from detector.settings import Settings, StreamSettings
from detector.state import Epoch


class LivedReplay:
    """The past of some partitions, to be walked through.

    Args:
        settings: Of the worker.
        models: Further bundles.
        registries: Addresses of further registries of bundles.
        cluster: Id of the cluster.
        history: Reads the input.
        past: Reads the epochs topic, with a reader of its own.
        watch: Lets somebody see what the pipelines of a context score.
    """

    def __init__(
        self,
        settings: Settings,
        models: Sequence[ModelPlace],
        registries: Sequence[str],
        cluster: str,
        history: History,
        past: Past,
        watch: Callable[[StreamContext], StreamContext],
    ) -> None:
        self._look_back = settings.worker.state.max_replay_records
        self._contexts = LivedContexts(settings, models, cluster, registries)
        self._history = history
        self._past, self._watch = past, watch
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
            found[epoch.from_offset] = self._watch(context)
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
