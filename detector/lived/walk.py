"""A walk through the stages of one partition's plan: the live worker's pipeline, switched where the worker's was."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass, replace

from detector.errors import StateMismatchError
from detector.lived.certainty import Certainty
from detector.lived.log import CheckpointPlace
from detector.lived.plan import Stage
from detector.pipeline.context import StreamContext
from detector.pipeline.outcome import Outcome
from detector.pipeline.partition import PartitionPipeline
from detector.records.values import InputPartition, Record
from detector.restoring.pipeline import bring_up, read_again
from detector.series.snapshot import SnapshotError
from detector.state import Epoch, SeriesState

Batches = Iterator[Sequence[Record] | None]
Read = Callable[[int, int], Batches]
"""Reads the partition's records from one offset to before another; None where nothing came for a moment."""


@dataclass(frozen=True, slots=True)
class _Here:
    context: StreamContext
    pipeline: PartitionPipeline
    certainty: Certainty


@dataclass(frozen=True, slots=True)
class Passage:
    """A piece of the way.

    Attributes:
        stage: In which it lies.
        context: In force.
        outcome: What its records led to.
        reached: All records before this offset have been processed, and none from it on.
        pipeline: As of ``reached``; whoever looks at it must not change it.
        certainty: Which of the outcomes are certain.
    """

    stage: Stage
    context: StreamContext
    outcome: Outcome
    reached: int
    pipeline: PartitionPipeline
    certainty: Certainty


class Walk:
    """Walks through stages that follow each other, or begin anew.

    Args:
        partition: The partition.
        stages: From `detector.lived.plan.make_plan`.
        read: Reads the input.
        context_of: What an epoch's records were processed with.
        load: Reads a checkpoint's series.
        keep_scores: Whether every score is wanted in the outcomes.
    """

    def __init__(
        self,
        partition: InputPartition,
        stages: Sequence[Stage],
        read: Read,
        context_of: Callable[[Epoch], StreamContext],
        load: Callable[[CheckpointPlace], dict[str, SeriesState]],
        keep_scores: bool = False,
    ) -> None:
        self._partition = partition
        self._stages = stages
        self._read = read
        self._context_of = context_of
        self._load = load
        self._keep_scores = keep_scores
        self._before: _Here | None = None

    def passages(self, stops: Sequence[int] = ()) -> Iterator[Passage | None]:
        """Go.

        Args:
            stops: Ascending offsets at which to end a passage, so that the state there can be looked at. Those outside
                of all stages, and those at which one begins, are passed over: what was written at the beginning of a
                stage belongs to the one before.

        Yields:
            None where nothing came for a moment.

        Raises:
            StateMismatchError: retention deleted input or checkpoint meanwhile, or a checkpoint does not fit.
            KafkaUnavailableError: the cluster does not answer.
        """
        for stage in self._stages:
            self._before = here = yield from self._enter(stage)
            waiting = [offset for offset in stops if stage.first < offset <= stage.stop]
            for records in self._read(stage.first, stage.stop):
                if records is None:
                    yield None
                    continue
                while waiting and waiting[0] <= records[-1].offset:
                    head = sum(record.offset < waiting[0] for record in records)
                    yield _pass(stage, here, records[:head], waiting.pop(0))
                    records = records[head:]
                yield _pass(stage, here, records, records[-1].offset + 1)
            for offset in waiting or [stage.stop]:
                yield _pass(stage, here, (), offset)

    # -- how a stage begins
    # ----------------------------------------------------------------------------------------------

    def _enter(self, stage: Stage) -> Generator[None, None, _Here]:
        before, context = self._before, self._context_of(stage.epoch)
        known = stage.entry in ("empty", "checkpoint")
        exempt: frozenset[str] = frozenset()
        if before is not None and stage.entry in ("carried", "rebuilt"):
            known, exempt = before.certainty.known, before.certainty.certain()
        rebuilt_whole = stage.entry == "rebuilt" and (before is None or before.context.spec.shape == context.spec.shape)
        known = known or rebuilt_whole
        # Certainty follows the scores.
        context = replace(context, keep_scores=self._keep_scores or not known)
        certainty = Certainty(
            context.spec, context.policy, known=known, exempt=exempt, **context.carrying
        )  # fmt: skip
        number = self._partition.partition
        if stage.entry == "checkpoint" and stage.checkpoint is not None:
            pipeline = yield from self._from_checkpoint(stage, stage.checkpoint, context)
        elif stage.entry == "carried" and before is not None:
            memory = stage.epoch.memory_from < stage.epoch.from_offset
            pipeline = _succeed(before.pipeline, context, number, stage.first, windows=True, memory=memory)
            pipeline.go_live()
        elif stage.entry == "rebuilt" and before is not None and not rebuilt_whole:
            pipeline = _succeed(before.pipeline, context, number, stage.first, windows=False, memory=False)
            yield from self._silently(pipeline, stage, judge=False)
        elif rebuilt_whole:
            # The worker had lost its state: it processed these records as if they were new, and told nothing. Unless it
            # had lost the windows only: what its model carries along then began where they were complete.
            pipeline = PartitionPipeline(context, number)
            lost_windows_only = stage.epoch.memory_from == stage.epoch.from_offset and certainty.carries
            yield from self._silently(pipeline, stage, judge=not lost_windows_only)
        else:
            pipeline = PartitionPipeline(context, number)
            for records in self._read(stage.read_from, stage.first):
                if records:
                    certainty.follow(pipeline.process(records))
                yield None
        if stage.epoch.version > 1 and stage.first == stage.epoch.from_offset:
            pipeline.tracker.take_over(stage.epoch.under_way)
        return _Here(context, pipeline, certainty)

    def _from_checkpoint(
        self, stage: Stage, place: CheckpointPlace, context: StreamContext
    ) -> Generator[None, None, PartitionPipeline]:
        if place.checkpoint.control.memory != context.memory.tag:
            raise StateMismatchError(
                f"the checkpoint of {self._partition.topic}/{self._partition.partition} at offset {place.next_offset} "
                "holds what another release carried along its series; use the release that wrote it, or begin behind "
                "the worker's restart with this one"
            )
        series = self._load(place)
        try:
            pipeline = bring_up(context, self._partition.partition, place.checkpoint.control, series.items())
        except SnapshotError as error:
            raise StateMismatchError(
                f"the checkpoint of {self._partition.topic}/{self._partition.partition} at offset {place.next_offset} "
                f"does not fit its model: {error}"
            ) from error
        yield from self._silently(pipeline, stage, judge=True)
        return pipeline

    def _silently(self, pipeline: PartitionPipeline, stage: Stage, *, judge: bool) -> Iterator[None]:
        for _ in read_again(pipeline, self._read(stage.read_from, stage.first), judge=judge):
            yield None


def _pass(stage: Stage, here: _Here, records: Sequence[Record], reached: int) -> Passage:
    outcome = here.pipeline.process(records) if records else Outcome()
    here.certainty.follow(outcome)
    return Passage(stage, here.context, outcome, reached, here.pipeline, here.certainty)


def _succeed(
    old: PartitionPipeline, context: StreamContext, partition: int, offset: int, *, windows: bool, memory: bool
) -> PartitionPipeline:
    """A pipeline that goes on where another one ends, as a restart of the worker with another model does."""
    new = PartitionPipeline(context, partition)
    for series in old.store:
        new.restore(series, old.state_of(series, offset), windows, memory=memory)
    new.set_clock(*old.clock())
    if windows:
        new.unsaved.take_over(old.unsaved.since)
    return new
