"""What happened around an incident, recomputed from the input topic as the worker computed it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

import numpy as np

from detector.alerting.events import Event
from detector.alerting.timestamps import parse_time
from detector.errors import StateMismatchError
from detector.kafka.history import History
from detector.lived.past import Past
from detector.lived.walk import Walk
from detector.pipeline.context import StreamContext
from detector.pipeline.partition import PartitionPipeline
from detector.records.values import InputPartition, Record
from detector.state import Epoch
from detector.stretches.agreement import agreement
from detector.stretches.clip import AFTER, BEFORE, MOST_SAMPLES, Clip
from detector.stretches.glimpse import glimpse
from detector.stretches.samples import Samples, as_stretch, sample_type
from detector.stretches.single import Around, Gatherer, SingleScorer, Unscored
from detector.stretches.stretch import Course, Stretch
from detector.stretches.way import Lived, Reach, Standin, Way, find_way

MOST_RECORDS = 500_000
"""Records of a partition that are read at most for one stretch, so that it takes seconds; half of them before it."""
_NS = 1_000_000_000
# Record timestamps may differ from event times by this much.
_MARGIN_NS = 600 * _NS
_STEP_WITHOUT_PERIOD_NS = 60 * _NS


class StretchReading:
    """Reads one topic again.

    Args:
        history: Of the input; nobody else reads with it meanwhile.
        past: Epochs and checkpoints, with a reader of its own.
        look_back: Records to read where nothing better is known.
        lived: What the records of an epoch were processed with, or what is missing, for people.
        standin: For an event whose epoch does not tell.
    """

    def __init__(
        self,
        history: History,
        past: Past,
        look_back: int,
        lived: Lived,
        standin: Callable[[Event], Standin],
    ) -> None:
        self._history, self._past, self._look_back = history, past, look_back
        self._lived, self._standin = lived, standin

    def stretch(self, event: Event) -> Stretch:
        """What happened around the incident of an event.

        Only its series is scored. Of an incident that has not closed it goes on to the end of the topic.

        Raises:
            StateMismatchError: the records are gone, or are not those of the event.
            KafkaUnavailableError: there is no such topic, or the cluster does not answer.
        """
        partition = InputPartition(event.source.topic, event.source.partition)
        retained, end = self._bounds(partition, event)
        standin = self._standin(event)
        step_ns = _step_ns(standin.context)
        wanted_ns = parse_time(event.started_at) - BEFORE * step_ns
        first = min(event.source.first_offset, self._at(partition, wanted_ns - _MARGIN_NS, end))
        first = max(retained, first, event.source.opened_offset - MOST_RECORDS // 2)
        stop = min(end, event.source.opened_offset + MOST_RECORDS // 2)
        reach = Reach(first, stop, retained, self._look_back)
        way = find_way(event, reach, self._past, self._lived, standin)
        clip = Clip(event, AFTER, MOST_SAMPLES, BEFORE)
        around = Around(clip, BEFORE)
        last = self._walk(partition, way, event, clip, around)
        cut = "" if clip.complete or stop == end else f"it goes on behind offset {stop}, which is not read"
        around.begin()
        if not len(clip):
            raise StateMismatchError(
                f"series {event.series!r} has no sample around {event.started_at} in {partition.topic}/"
                f"{partition.partition}, offsets {first} to {stop}; was the topic made anew since?"
            )
        samples = clip.samples()
        context = last or standin.context
        return as_stretch(
            samples,
            stream=event.stream,
            series=event.series,
            channels=context.policy.channels,
            model=context.identity.model_version,
            begun="; ".join(filter(None, [way.begun, way.note, cut])),
            left_out=clip.left_out,
            agreement=agreement(event, samples, way.same_model, from_look_back=way.from_look_back),
        )

    def earlier(self, event: Event, shift_seconds: float, span_ns: tuple[int, int] | None = None) -> Course:
        """What the series was like some time before the incident; empty where the topic holds nothing of then.

        Args:
            event: Of the incident.
            shift_seconds: How much earlier, by record timestamps.
            span_ns: First and last event time of the stretch that it is to be compared with, if it is known; else as
                far as the incident reaches, and some samples more.

        Raises:
            KafkaUnavailableError: there is no such topic, or the cluster does not answer.
        """
        context = self._standin(event).context
        shift_ns = round(shift_seconds * _NS)
        low_ns, high_ns = self._around(event, _step_ns(context)) if span_ns is None else span_ns
        samples = self._seen(event, context, low_ns - shift_ns, high_ns - shift_ns)
        return Course(samples["time_ns"].copy(), samples["seen"].copy())

    def glimpse(self, event: Event) -> Stretch | None:
        """What was seen around the incident of an event, without asking a model; None where the topic has nothing.

        It takes a fraction of what `stretch` takes. Of the scores it tells what the event does.

        Raises:
            StateMismatchError: there is no such partition.
            KafkaUnavailableError: there is no such topic, or the cluster does not answer.
        """
        context = self._standin(event).context
        low_ns, high_ns = self._around(event, _step_ns(context))
        samples = self._seen(event, context, low_ns, high_ns)
        if context.spec.period_ns is None and len(samples) > 1:
            # How far apart samples of this series are is known now.
            step_ns = int(np.median(np.diff(samples["time_ns"])))
            wider_ns = self._around(event, step_ns)
            if wider_ns[0] < low_ns or wider_ns[1] > high_ns:
                samples = self._seen(event, context, *wider_ns)
        if not len(samples) or samples["time_ns"][-1] < parse_time(event.started_at):
            return None  # or there was more before it than is read
        return glimpse(event, samples, context.policy.channels, context.identity.model_version)

    def _around(self, event: Event, step_ns: int) -> tuple[int, int]:
        """First and last event time that are wanted, where samples are so far apart."""
        until_ns = parse_time(event.closed_at or event.updated_at)
        return parse_time(event.started_at) - BEFORE * step_ns, until_ns + AFTER * step_ns

    def _seen(self, event: Event, context: StreamContext, low_ns: int, high_ns: int) -> Samples:
        """The samples of the event's series from one event time to another, without scores."""
        partition = InputPartition(event.source.topic, event.source.partition)
        retained, end = self._bounds(partition)
        behind_ns = self._behind_ns(partition, event) if context.reader.time_is_in_a_field else 0
        first = max(retained, self._at(partition, low_ns - _MARGIN_NS, end))
        stop = min(end, self._at(partition, high_ns + behind_ns + _MARGIN_NS, end))
        if stop - first > MOST_RECORDS:  # what is nearest to the incident
            middle = min(event.source.opened_offset, stop - MOST_RECORDS // 2)
            first = max(first, middle - MOST_RECORDS // 2)
            stop = first + MOST_RECORDS
        parts: list[Samples] = []
        pipeline = PartitionPipeline(
            replace(
                context,
                scorer=Unscored(),
                # Rows are wanted, and a window of one is a row.
                spec=replace(context.spec, length=1, stride=1),
                observer=Gatherer(event.series, context.policy.threshold, parts.append),
                silence=None,
                freezes=None,
                residency=None,
                shadow=None,
                keep_scores=False,
            ),
            partition.partition,
        )
        for chunk in self._history.read({partition: (first, stop)}):
            if chunk is not None:
                pipeline.process(chunk[1])
        if not parts:
            return np.empty(0, sample_type(len(context.policy.channels)))
        samples = np.concatenate(parts)
        return samples[(samples["time_ns"] >= low_ns) & (samples["time_ns"] <= high_ns)]

    def _bounds(self, partition: InputPartition, event: Event | None = None) -> tuple[int, int]:
        """Oldest offset that is retained, and end; with an event, whose records must be there.

        Raises:
            StateMismatchError: they are not.
            KafkaUnavailableError: there is no such topic.
        """
        where = f"{partition.topic}/{partition.partition}"
        if partition not in self._history.partitions(partition.topic):
            raise StateMismatchError(f"there is no partition {where} any more: the topic was made anew")
        retained = self._history.first_offsets([partition])[partition]
        end = self._history.end_offsets([partition])[partition]
        if event is None:
            return retained, end
        opened = event.source.opened_offset
        if opened < retained:
            raise StateMismatchError(
                f"retention has deleted the records of this incident: it opened at offset {opened} of {where}, and "
                f"{f'the oldest record left is at {retained}' if retained < end else 'nothing is left'}; raise the "
                "topic's retention to look back further"
            )
        if event.source.last_offset >= end:
            raise StateMismatchError(
                f"{where} ends at offset {end}, and the event is of offset {event.source.last_offset}: the topic was "
                "made anew, or the event is from another cluster"
            )
        return retained, end

    def _behind_ns(self, partition: InputPartition, event: Event) -> int:
        """By how much records are stamped later than their event time, by the one that opened the incident.

        History that is loaded late, and what a device kept while it was cut off, is stamped when it was published.
        """
        opened = event.source.opened_offset
        for chunk in self._history.read({partition: (opened, opened + 1)}):
            for record in () if chunk is None else chunk[1]:
                return max(0, record.timestamp * 1_000_000 - parse_time(event.opened_at))
        return 0

    def _at(self, partition: InputPartition, time_ns: int, end: int) -> int:
        """First offset whose record is stamped at or after a time."""
        found = self._history.offsets_at([partition], max(0, time_ns // 1_000_000))[partition]
        return end if found is None else found

    def _walk(
        self, partition: InputPartition, way: Way, event: Event, clip: Clip, around: Around
    ) -> StreamContext | None:
        """Fill the clip; what was in force at the event."""
        contexts: dict[int, StreamContext] = {}

        def context_of(epoch: Epoch) -> StreamContext:
            if epoch.from_offset not in contexts:
                context = way.context_of(epoch)
                contexts[epoch.from_offset] = replace(
                    context,
                    scorer=SingleScorer(context.scorer, event.series),
                    observer=Gatherer(event.series, context.policy.threshold, around.take),
                    drift=None,
                    shadow=None,
                )
            return contexts[epoch.from_offset]

        def read(start: int, stop: int) -> Iterator[Sequence[Record] | None]:
            for chunk in self._history.read({partition: (start, stop)}) if start < stop else ():
                yield None if chunk is None else chunk[1]

        walk = Walk(partition, way.stages, read, context_of, lambda place: self._past.load(partition, place))
        context = None
        for passage in walk.passages():
            if passage is None:
                continue
            if context is None or passage.reached <= event.source.last_offset + 1:
                context = passage.context
            if clip.complete:
                break
        return context


def _step_ns(context: StreamContext) -> int:
    """How far samples are apart, as far as the stream's settings tell."""
    return context.spec.period_ns or _STEP_WITHOUT_PERIOD_NS
