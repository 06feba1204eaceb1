"""Two models over the same history: where they differ before one takes the place of the other.

The challenger runs in a pipeline of its own beside the replayed one, so its windows may have another shape, and what it
would have reported is what it will report. Incidents are compared by series and overlap in time, not by id.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from detector.alerting.events import Event
from detector.alerting.summaries import IncidentFold, IncidentSummary
from detector.alerting.timestamps import parse_time
from detector.pipeline.context import StreamContext
from detector.pipeline.outcome import Outcome
from detector.pipeline.partition import PartitionPipeline
from detector.records.values import InputPartition, Record
from detector.replay import Chunk, EventTimeRange, ReplaySink, Taken
from detector.shadow import ShadowTally

_NS = 1e-9
_LEAST_RATIO = 1e-12


@dataclass(frozen=True, slots=True)
class Pair:
    """An incident of one model, and the first one of the other that overlaps it.

    Attributes:
        champion: Of the model that was replayed.
        challenger: Of the other one.
    """

    champion: IncidentSummary
    challenger: IncidentSummary

    @property
    def lead_seconds(self) -> float:
        """How much earlier the challenger opened, in event time; negative when it was later."""
        return (self.champion.opened_ns - self.challenger.opened_ns) * _NS


@dataclass(frozen=True, slots=True)
class Matched:
    """Incidents of two models side by side.

    Attributes:
        pairs: One for each incident of the champion that the challenger has too.
        champion_only: That the challenger would not have opened.
        challenger_only: That only the challenger would have opened.
    """

    pairs: Sequence[Pair]
    champion_only: Sequence[IncidentSummary]
    challenger_only: Sequence[IncidentSummary]

    @property
    def median_lead_seconds(self) -> float | None:
        """Of the pairs; None when there is none."""
        return statistics.median(pair.lead_seconds for pair in self.pairs) if self.pairs else None


def match(champion: Iterable[IncidentSummary], challenger: Iterable[IncidentSummary]) -> Matched:
    """Put the incidents of two models side by side: same kind, series and partition, and overlapping in event time.

    An incident of one model may overlap several of the other; it is a pair with the one that opened first.
    """
    others: dict[tuple[str, int, str, str], list[IncidentSummary]] = {}
    for incident in challenger:
        others.setdefault(_place(incident), []).append(incident)
    pairs: list[Pair] = []
    alone: list[IncidentSummary] = []
    met: set[str] = set()
    for incident in champion:
        beside = [other for other in others.get(_place(incident), ()) if _overlap(incident, other)]
        met.update(other.incident_id for other in beside)
        if beside:
            pairs.append(Pair(incident, min(beside, key=lambda other: other.opened_ns)))
        else:
            alone.append(incident)
    lonely = [other for found in others.values() for other in found if other.incident_id not in met]
    return Matched(pairs, alone, sorted(lonely, key=lambda other: (other.started_ns, other.series)))


def _place(incident: IncidentSummary) -> tuple[str, int, str, str]:
    return incident.stream, incident.partition, incident.series, incident.kind


def _overlap(one: IncidentSummary, other: IncidentSummary) -> bool:
    return one.started_ns <= other.last_ns and other.started_ns <= one.last_ns


@dataclass(slots=True)
class Correlation:
    """Pearson's correlation of two score ratios on a logarithmic scale, from sums alone.

    Scores have a long tail; without the logarithm one large anomaly would decide.
    """

    count: int = 0
    sums: npt.NDArray[np.float64] = field(default_factory=lambda: np.zeros(5))

    def add(self, one: npt.NDArray[np.float64], other: npt.NDArray[np.float64]) -> None:
        """Take float64[n] score / threshold of both; where one is NaN, both are left out."""
        known = ~(np.isnan(one) | np.isnan(other))
        x, y = (np.log(np.maximum(ratio[known], _LEAST_RATIO)) for ratio in (one, other))
        self.count += len(x)
        self.sums += [x.sum(), y.sum(), x @ x, y @ y, x @ y]

    @property
    def value(self) -> float | None:
        """Between -1 and 1; None where there is too little to tell, or one of them never changes."""
        if self.count < 2:
            return None
        x, y, xx, yy, xy = (self.sums / self.count).tolist()
        spread = math.sqrt(max(0.0, xx - x * x) * max(0.0, yy - y * y))
        return None if spread < 1e-12 else min(1.0, max(-1.0, (xy - x * y) / spread))


class ShadowReplay:
    """Runs a challenger beside a replay: wraps its chunks, and is one of its sinks.

    Args:
        contexts: The challenger as the stream's model, by input topic; scores are kept.
        counted: Which outcomes count.
        adapt: Makes of the replay's records those that the challenger reads.
        sinks: Get what the challenger finds, after the replay's own have what the model found in the same records.
    """

    def __init__(
        self,
        contexts: Mapping[str, StreamContext],
        counted: EventTimeRange,
        adapt: Callable[[Sequence[Record]], Sequence[Record]] = lambda records: records,
        sinks: Sequence[ReplaySink] = (),
    ) -> None:
        self.contexts = contexts
        self.tally = ShadowTally()
        self.correlation = Correlation()
        self.unmatched = 0
        self._counted = counted
        self._adapt, self._sinks = adapt, sinks
        self._pipelines: dict[InputPartition, PartitionPipeline] = {}
        self._outcome = Outcome()
        self._champion, self._challenger = IncidentFold(), IncidentFold()

    def watch(self, chunks: Iterable[Chunk | None]) -> Iterator[Chunk | None]:
        """The same chunks, each once the challenger has seen it."""
        for chunk in chunks:
            if chunk is not None:
                self._process(*chunk)
            yield chunk

    def _process(self, partition: InputPartition, records: Sequence[Record]) -> None:
        pipeline = self._pipelines.get(partition)
        if pipeline is None:
            pipeline = PartitionPipeline(self.contexts[partition.topic], partition.partition)
            self._pipelines[partition] = pipeline
        self._outcome = pipeline.process(self._adapt(records))

    def take(self, taken: Taken) -> None:
        """See `detector.replay.ReplaySink`."""
        for _, event in taken.events:
            self._champion.add(event)
        events = [
            (series, event)
            for series, event in self._outcome.events
            if self._counted.holds(taken.partition, parse_time(event.updated_at), event.source.last_offset)
        ]
        for _, event in events:
            self._challenger.add(event)
        own = self.contexts[taken.partition.topic].policy.threshold
        for sink in self._sinks:
            sink.take(Taken(taken.partition, own, events, (), self._outcome.scores))
        found = {
            key: score / own
            for rows in self._outcome.scores
            for key, score in zip(
                zip(rows.series, rows.time_ns.tolist(), strict=True), rows.score.tolist(), strict=True
            )
        }
        for rows in taken.scores:
            keys = zip(rows.series, rows.time_ns.tolist(), strict=True)
            both = [(index, found[key]) for index, key in enumerate(keys) if key in found]
            self.unmatched += len(rows.series) - len(both)
            champion = rows.score[[index for index, _ in both]] / taken.threshold
            challenger = np.array([ratio for _, ratio in both], np.float64)
            self.tally.compare(champion, challenger)
            self.correlation.add(champion, challenger)
        self.tally.ratios.clear()

    def matched(self) -> Matched:
        """The incidents of both, side by side."""
        return match(self._champion.summaries(), self._challenger.summaries())

    def challenger_events(self) -> Sequence[Event]:
        """The latest event of each incident of the challenger."""
        return self._challenger.latest()

    def challenger_summaries(self) -> Sequence[IncidentSummary]:
        """What the challenger would have reported, by start."""
        return self._challenger.summaries()

    def challenger_incidents(self) -> int:
        """How many incidents the challenger would have opened."""
        return len(self._challenger)
