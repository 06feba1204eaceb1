"""Keeps what happened around the incidents of a replay, while it goes on.

Memory is bounded, whatever the replay reads. Of each series the last samples are at hand, so that an incident can begin
with what was before it: `BEFORE` of them and a few more, fewer where so many series would take more than `RING_BYTES`,
and none for series beyond that. A sample takes 32 bytes and 20 for each channel. Of incidents, the `MOST_CLIPS` that
matter most are kept, severity first, within `CLIP_BYTES`; a long one is thinned, see `detector.stretches.clip`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from detector.alerting.events import Event
from detector.alerting.timestamps import parse_time
from detector.pipeline.context import StreamContext
from detector.pipeline.observers import watched
from detector.records.values import InputPartition
from detector.replay import Taken
from detector.scoring.scores import Scores
from detector.series.values import Reset, WindowBatch
from detector.stretches.clip import AFTER, BEFORE, MOST_SAMPLES, Clip
from detector.stretches.rings import Rings
from detector.stretches.samples import Samples, as_stretch, by_series, sample_type, samples_of
from detector.stretches.stretch import Stretch

MOST_CLIPS = 200
RING_BYTES = 128 << 20
CLIP_BYTES = 256 << 20
# An incident opens some samples behind its start.
_RUN = 16
# What waits for its events: a chunk of a replay is smaller, and what is read silently has none.
_MOST_WAITING = 1 << 15
_Key = tuple[InputPartition, str]


@dataclass(frozen=True, slots=True)
class Origin:
    """Where samples come from; attributes as in `Stretch`."""

    stream: str
    channels: tuple[str, ...]
    model: str


@dataclass(slots=True)
class _Waiting:
    """What a partition has come to since the last time that its events were known."""

    batches: list[tuple[Origin, Sequence[str], Samples]] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)
    count: int = 0


@dataclass(slots=True)
class _Kept:
    """A clip, and where its samples come from."""

    clip: Clip
    origin: Origin


class Recorder:
    """Remembers samples around incidents: watches contexts, and is a sink of their replay.

    Args:
        before: Samples before the start of an incident that are wanted.
        after: Samples behind its end that are wanted.
        most: At most so many incidents.
        ring_bytes: Memory for the last samples of all series.
        clip_bytes: Memory for the samples of incidents.
    """

    def __init__(
        self,
        before: int = BEFORE,
        after: int = AFTER,
        most: int = MOST_CLIPS,
        ring_bytes: int = RING_BYTES,
        clip_bytes: int = CLIP_BYTES,
    ) -> None:
        self._before, self._after, self._most, self._clip_bytes = before, after, most, clip_bytes
        self._rings: Rings[_Key] = Rings(before + _RUN, ring_bytes)
        self._origins: dict[_Key, Origin] = {}
        self._waiting: dict[InputPartition, _Waiting] = {}
        self._kept: dict[str, _Kept] = {}
        self._under_way: dict[_Key, list[Clip]] = {}
        self._dropped: set[str] = set()

    def watch(self, context: StreamContext) -> StreamContext:
        """The context, whose pipelines are watched from now on."""
        return watched(context, _Watcher(self, context))

    def note(self, partition: InputPartition, events: Iterable[Event]) -> None:
        """Take events of a partition that another source has, before `take` is called for the same records."""
        self._waiting.setdefault(partition, _Waiting()).events.extend(events)

    def take(self, taken: Taken) -> None:
        """See `detector.replay.ReplaySink`."""
        self.note(taken.partition, (event for _, event in taken.events))
        self._settle(taken.partition)

    def stretch(self, incident_id: str, begun: Mapping[InputPartition, str]) -> Stretch | None:
        """What happened around an incident; None where it mattered less than others, or no sample of it is known.

        Args:
            incident_id: Of the incident.
            begun: For people: what was known before the first record that was read, by partition.
        """
        kept = self._kept.get(incident_id)
        if kept is None or not len(kept.clip):
            return None
        event = kept.clip.event
        partition = InputPartition(event.source.topic, event.source.partition)
        return as_stretch(
            kept.clip.samples(),
            stream=kept.origin.stream,
            series=event.series,
            channels=kept.origin.channels,
            model=kept.origin.model,
            begun=begun.get(partition, "the beginning"),
            left_out=kept.clip.left_out,
        )

    def observe(self, partition: InputPartition, origin: Origin, series: Sequence[str], samples: Samples) -> None:
        """Take what a pipeline has scored."""
        waiting = self._waiting.setdefault(partition, _Waiting())
        if waiting.count + len(samples) > _MOST_WAITING:
            self._settle(partition)
            waiting = self._waiting.setdefault(partition, _Waiting())
        waiting.batches.append((origin, series, samples))
        waiting.count += len(samples)

    def _settle(self, partition: InputPartition) -> None:
        waiting = self._waiting.pop(partition, None)
        if waiting is None:
            return
        events: dict[str, list[Event]] = {event.series: [] for event in waiting.events}
        for event in waiting.events:
            events[event.series].append(event)
        pieces: dict[str, list[tuple[Origin, Samples]]] = {series: [] for series in events}
        for origin, names, samples in waiting.batches:
            for series, found in by_series(names, samples).items():
                pieces.setdefault(series, []).append((origin, found))
        for series, parts in pieces.items():
            self._advance((partition, series), parts, events.get(series, ()))
        if events:
            self._drop_the_least()

    def _advance(self, key: _Key, pieces: Sequence[tuple[Origin, Samples]], events: Sequence[Event]) -> None:
        """Take samples of a series, and what happened among them or since."""
        if pieces:
            self._origins[key] = pieces[-1][0]
        origin = self._origins.get(key)
        if origin is None:  # no sample of the series is known
            return
        # Under another model with other channels the series begins anew, as far as pictures go.
        parts = [samples for found, samples in pieces if found.channels == origin.channels]
        if not parts:
            samples = np.empty(0, sample_type(len(origin.channels)))
        else:
            samples = parts[0] if len(parts) == 1 else np.concatenate(parts)
        clips = self._under_way.get(key, [])
        if not clips and not events:
            # As it is with nearly every series nearly always.
            self._rings.extend(key, samples)
            return
        samples = samples.copy()  # what is kept of it must not hold on to those of all series
        for clip in clips:
            if self._kept[clip.event.incident_id].origin.channels == origin.channels:
                clip.add(samples)
        before = self._rings.last(key, samples.dtype)
        for event in events:
            if (kept := self._kept.get(event.incident_id)) is not None:
                kept.clip.note(event)
            elif event.incident_id not in self._dropped:
                clip = Clip(event, self._after, MOST_SAMPLES, self._before)
                clip.add(_since(np.concatenate([before, samples]), parse_time(event.started_at), self._before))
                self._kept[event.incident_id] = _Kept(clip, origin)
                clips.append(clip)
        self._rings.extend(key, samples)
        for clip in clips:
            clip.settle()
        self._under_way[key] = [clip for clip in clips if not clip.complete]
        if not self._under_way[key]:
            del self._under_way[key]

    def _drop_the_least(self) -> None:
        """Give up the incidents that matter least, where there are too many."""
        used = sum(kept.clip.nbytes for kept in self._kept.values())
        while len(self._kept) > self._most or (used > self._clip_bytes and len(self._kept) > 1):
            name = min(self._kept, key=lambda name: self._kept[name].clip.rank)
            dropped = self._kept.pop(name)
            used -= dropped.clip.nbytes
            self._dropped.add(name)
            event = dropped.clip.event
            key = InputPartition(event.source.topic, event.source.partition), event.series
            if key in self._under_way:
                self._under_way[key] = [clip for clip in self._under_way[key] if clip is not dropped.clip]


class _Watcher:
    """Tells a recorder what a context's pipelines score."""

    def __init__(self, recorder: Recorder, context: StreamContext) -> None:
        self._recorder, self._topic = recorder, context.identity.topic
        self._threshold = context.policy.threshold
        self._origin = Origin(context.name, context.policy.channels, context.identity.model_version)

    def observe(
        self, partition: int, batch: WindowBatch | None, scores: Scores | None, resets: Sequence[Reset]
    ) -> None:
        """See `detector.pipeline.context.Observer`."""
        del resets
        if batch is not None and scores is not None:
            samples = samples_of(batch, scores, self._threshold)
            self._recorder.observe(InputPartition(self._topic, partition), self._origin, batch.series, samples)


def _since(samples: Samples, started_ns: int, before: int) -> Samples:
    """The samples from so many before a time on."""
    return samples[max(0, int(np.count_nonzero(samples["time_ns"] < started_ns)) - before) :]
