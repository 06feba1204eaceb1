"""From a control record and snapshots back to a pipeline, for a restart, for replay and for audit alike."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator, Sequence

from detector.pipeline.context import StreamContext
from detector.pipeline.partition import PartitionPipeline
from detector.records.values import Record
from detector.restoring.progress import Progress
from detector.series.snapshot import OtherShapeError
from detector.state import Control, SeriesState

_SERIES_PER_STEP = 256


def bring_up_in_steps(
    context: StreamContext,
    partition: int,
    control: Control,
    snapshots: Iterable[tuple[str, SeriesState]],
    *,
    windows: bool = True,
    memory_from: int | None = None,
) -> Generator[Progress, None, PartitionPipeline]:
    """A pipeline as the snapshots have it; `read_again` then makes it complete.

    Args:
        context: Of the stream.
        partition: Number of the partition.
        control: Says where the partition stands.
        snapshots: Series with their states, each series once.
        windows: False leaves the windows to be rebuilt from the records, for a bundle of another shape.
        memory_from: First record from which the model in use has carried on what it knows of each series; without it,
            as the control record says. What older snapshots hold of that does not count.

    Yields:
        Progress, now and then: many series take longer than a caller may be away for.

    Raises:
        SnapshotError: a snapshot does not fit this stream, or is of another version.
    """
    pipeline = PartitionPipeline(context, partition)
    carried_on = control.memory_from if memory_from is None else memory_from
    fits = control.shape == context.spec.shape or (control.model, control.fingerprint) == (
        context.identity.model, context.identity.fingerprint,
    )  # fmt: skip
    for count, (series, state) in enumerate(snapshots, 1):
        try:
            # A series whose snapshot was taken where the model began has not had a window since.
            counts = state.next_offset > carried_on
            pipeline.restore(series, state, windows, memory=counts, read_again_from=control.replay_from)
        except OtherShapeError:
            if not fits:
                raise
            # A model before this one wrote it, and this one has not written the series anew: it had no window when the
            # partition was last committed, or it has one from records that are read again.
            pipeline.restore(series, state, windows=False)
        if count % _SERIES_PER_STEP == 0:
            yield Progress(count, count)
    pipeline.set_clock(control.watermark_ns, control.clock)
    return pipeline


def bring_up(
    context: StreamContext, partition: int, control: Control, snapshots: Iterable[tuple[str, SeriesState]]
) -> PartitionPipeline:
    """`bring_up_in_steps`, in one go.

    Raises:
        SnapshotError: as there.
    """
    steps = bring_up_in_steps(context, partition, control, snapshots)
    while True:
        try:
            next(steps)
        except StopIteration as end:
            pipeline: PartitionPipeline = end.value
            return pipeline


def read_again(
    pipeline: PartitionPipeline,
    batches: Iterable[Sequence[Record] | None],
    *,
    judge: bool,
    judged_from: int = 0,
    memory_from: int = 0,
) -> Iterator[int | None]:
    """Put the records from ``control.replay_from`` to ``control.next_offset`` into the pipeline; nothing comes out.

    What they led to was committed when they were processed first. Afterwards the pipeline is live.

    Args:
        pipeline: From `bring_up`.
        batches: Of these records, in offset order; None where there is nothing for the moment.
        judge: Whether scores and incidents follow the records too, as they must with the model that judged them first.
            If not, only windows follow.
        judged_from: Only windows follow records before this offset, and what the model carries along.
        memory_from: Before this one only windows do. It is at most ``judged_from``.

    Yields:
        Number of records of each batch, or None.
    """
    for records in batches:
        if records is None:
            yield None
            continue
        unread = sum(record.offset < memory_from for record in records) if judge else len(records)
        unjudged = max(unread, sum(record.offset < judged_from for record in records))
        if unread:
            pipeline.rebuild(records[:unread])
        if unread < unjudged:
            pipeline.rebuild(records[unread:unjudged], remember=True)
        if unjudged < len(records):
            pipeline.process(records[unjudged:])
        yield len(records)
    pipeline.go_live()
