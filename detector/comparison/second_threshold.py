"""What another threshold would have reported in the same replay, incident by incident.

Where `detector.comparison.thresholds` counts, this tells: it runs the very logic that opens incidents live, over the
same scores.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from detector.alerting.events import Event
from detector.alerting.incidents import IncidentTracker
from detector.alerting.policy import IncidentPolicy
from detector.alerting.samples import scored_sample
from detector.alerting.timestamps import parse_time
from detector.pipeline.context import StreamContext
from detector.pipeline.observers import watched
from detector.records.values import InputPartition
from detector.replay import EventTimeRange, Taken
from detector.scoring.scores import Scores
from detector.series.values import Reset, WindowBatch


class SecondThreshold:
    """Tracks incidents at another threshold: watches contexts, and is a sink of their replay.

    Args:
        threshold: By stream.
        tell: Gets the events that count, chunk by chunk, before later sinks get the replay's.
    """

    def __init__(
        self, threshold: Callable[[str], float], tell: Callable[[InputPartition, Sequence[Event]], None]
    ) -> None:
        self._threshold, self._tell = threshold, tell
        self._events: dict[InputPartition, list[Event]] = {}
        self.counted = EventTimeRange()

    def watch(self, context: StreamContext) -> StreamContext:
        """The context, whose pipelines are watched from now on; whoever watched it before still does."""
        tracking = _Tracking(context, context.policy.at_threshold(self._threshold(context.name)), self._events)
        return watched(context, tracking)

    def take(self, taken: Taken) -> None:
        """See `detector.replay.ReplaySink`."""
        events = self._events.pop(taken.partition, [])
        self._tell(
            taken.partition,
            [
                event
                for event in events
                if self.counted.holds(taken.partition, parse_time(event.updated_at), event.source.last_offset)
            ],
        )


class _Tracking:
    """The incidents of one context at the other threshold."""

    def __init__(
        self, context: StreamContext, policy: IncidentPolicy, events: dict[InputPartition, list[Event]]
    ) -> None:
        # Ids differ from those of the replay: the same record may open an incident at both thresholds.
        fingerprint = f"{context.identity.fingerprint} at {policy.threshold!r}"
        self._identity = replace(context.identity, fingerprint=fingerprint)
        self._policy, self._events = policy, events
        self._trackers: dict[int, IncidentTracker] = {}

    def observe(
        self, partition: int, batch: WindowBatch | None, scores: Scores | None, resets: Sequence[Reset]
    ) -> None:
        """See `detector.pipeline.context.Observer`."""
        tracker = self._trackers.get(partition)
        if tracker is None:
            tracker = IncidentTracker(self._policy, replace(self._identity, partition=partition))
            self._trackers[partition] = tracker
        found: list[Event] = []
        done = 0
        for reset in resets:
            if batch is not None and scores is not None:
                found += self._advance(tracker, batch, scores, done, reset.after_window)
                done = reset.after_window
            found += tracker.reset(reset.series, reset.time_ns, reset.offset, reset.reason)
        if batch is not None and scores is not None:
            found += self._advance(tracker, batch, scores, done, len(batch.series))
        if found:
            self._events.setdefault(InputPartition(self._identity.topic, partition), []).extend(found)

    def _advance(
        self, tracker: IncidentTracker, batch: WindowBatch, scores: Scores, start: int, stop: int
    ) -> list[Event]:
        found: list[Event] = []
        for index in range(start, stop):
            series, score = batch.series[index], float(scores.score[index])
            if not (score > self._policy.quiet_score or tracker.needs_attention(series)):
                continue
            found += tracker.advance(scored_sample(batch, scores, index))
        return found
