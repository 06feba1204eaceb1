"""What the worker tells the metrics, in the worker's own words."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Sequence

import structlog

from detector.alerting.events import KINDS
from detector.alerting.policy import SEVERITIES
from detector.alerting.timestamps import parse_time
from detector.observability.metrics import Metrics
from detector.observability.metrics.labels import SERIES_STATES
from detector.pipeline.outcome import Outcome
from detector.pipeline.partition import PartitionPipeline
from detector.records.reasons import OTHER, REASONS
from detector.records.values import InputPartition
from detector.shadow import ShadowTally

_log = structlog.get_logger(__name__)
_NS = 1e-9
# A long interval stays visible for one to two of these, so that no scrape misses it.
_LONGEST_POLL_PERIOD_SECONDS = 60.0
# From here on people should know: the group gives up at 1.
_LATE_POLL_RATIO = 0.5


class Instruments:
    """Translates the loop's doings into metrics.

    Args:
        metrics: Where they go.
        poll_limit_seconds: After it the group gives up on the worker.
        monotonic: Clock for intervals.
        now: Wall clock, seconds since the epoch.
    """

    def __init__(
        self,
        metrics: Metrics,
        poll_limit_seconds: float,
        monotonic: Callable[[], float] = time.monotonic,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._metrics = metrics
        self._poll_limit_seconds = poll_limit_seconds
        self._monotonic = monotonic
        self._now = now
        self._last_poll = self._period_began = monotonic()
        self._longest_now = self._longest_before = 0.0
        self._late = False
        self._listed: dict[str, set[str]] = {}
        metrics.delivery.loop_timestamp.set(now())

    def polled(self) -> None:
        """A poll returned."""
        self._metrics.delivery.loop_timestamp.set(self._now())
        now = self._monotonic()
        interval, self._last_poll = now - self._last_poll, now
        if now - self._period_began > _LONGEST_POLL_PERIOD_SECONDS:
            self._longest_before, self._longest_now, self._period_began = self._longest_now, 0.0, now
        self._longest_now = max(self._longest_now, interval)
        longest = max(self._longest_before, self._longest_now)
        self._metrics.delivery.poll_interval_ratio.set(longest / self._poll_limit_seconds)
        if interval > _LATE_POLL_RATIO * self._poll_limit_seconds:
            self._metrics.delivery.polls_late.inc()
            if not self._late:  # once an episode, which ends when all of a period's polls were in time
                _log.warning(
                    "a poll came late; the group gives up on a worker at worker.max_poll_interval_seconds. Raise it, "
                    "or look at scoring_duration_seconds and commit_duration_seconds for what takes so long",
                    seconds=round(interval, 1),
                    limit_seconds=self._poll_limit_seconds,
                )
        self._late = longest > _LATE_POLL_RATIO * self._poll_limit_seconds

    def poll_limit(self, records: int) -> None:
        """The next poll asks for so many records at most."""
        self._metrics.delivery.poll_records_limit.set(records)

    def processed(self, stream: str, partition: InputPartition, outcome: Outcome) -> None:
        """A batch of one partition went through the pipeline."""
        metrics, now = self._metrics, self._now()
        metrics.records.consumed.labels(stream).inc(outcome.records)
        metrics.records.last_processed_timestamp.labels(stream).set(now)
        self._heard(stream, partition)
        if outcome.ignored:
            metrics.records.ignored.labels(stream).inc(outcome.ignored)
        for reason, count in outcome.rejected.items():
            metrics.records.rejected.labels(stream, reason if reason in REASONS else OTHER).inc(count)
        for reason, count in outcome.resets.items():
            metrics.series.windows_reset.labels(stream, reason).inc(count)
        for counter, count in (
            (metrics.records.late, outcome.late),
            (metrics.records.duplicate, outcome.duplicate),
            (metrics.series.samples_filled, outcome.filled),
            (metrics.series.samples_incomplete, outcome.incomplete),
            (metrics.series.forgotten, outcome.resets.get("forgotten", 0)),
            (metrics.series.evicted, outcome.evictions.evicted),
            (metrics.series.reloaded, outcome.evictions.reloaded),
            (metrics.series.eviction_failures, outcome.evictions.failures),
        ):
            if count:
                counter.labels(stream).inc(count)
        metrics.series.windows_scored.labels(stream).inc(outcome.scored)
        if outcome.unscored:
            metrics.series.windows_unscored.labels(stream, "coverage").inc(outcome.unscored)
        for ratios in outcome.ratios:
            metrics.scores.threshold_ratio.observe_many(ratios, stream)
        for series, ratio in outcome.latest.items():
            self._listed.setdefault(stream, set()).add(series)
            metrics.scores.series_threshold_ratio.labels(stream, series).set(ratio)
        self._shadowed(stream, outcome.shadow)

    def _shadowed(self, stream: str, tally: ShadowTally) -> None:
        metrics = self._metrics
        for verdict, count in tally.verdicts.items():
            metrics.shadow.windows.labels(stream, verdict).inc(count)
        if tally.unscored:
            metrics.shadow.windows_unscored.labels(stream).inc(tally.unscored)
        for ratios in tally.ratios:
            metrics.shadow.threshold_ratio.observe_many(ratios, stream)
        if tally.opened:
            metrics.shadow.incidents.labels(stream).inc(tally.opened)
        for reason in tally.failures:
            metrics.shadow.failures.labels(stream).inc()
            _log.error(
                "the challenger failed on a partition and rests until it is replaced", stream=stream, reason=reason
            )

    def emitted(self, stream: str, outcome: Outcome) -> None:
        """The outcome's events and dead letters are committed."""
        for _, event in outcome.events:
            self._metrics.scores.events.labels(stream, event.event, event.severity).inc()
            if event.event == "opened":
                self._metrics.scores.anomalies.labels(stream, event.kind, event.severity).inc()
                self._metrics.scores.last_incident_timestamp.labels(stream).set(parse_time(event.opened_at) * _NS)
        if outcome.dead_letters:
            self._metrics.records.dead_letters.labels(stream).inc(len(outcome.dead_letters))

    def committed(self, result: str, records: int, seconds: float) -> None:
        """A commit ended."""
        self._metrics.delivery.commits.labels(result).inc()
        self._metrics.delivery.commit_duration.observe(seconds)
        if result == "committed":
            self._metrics.delivery.commit_records.observe(records)
            self._metrics.delivery.last_commit_timestamp.set(self._now())

    def assigned(self, live: int, restoring: int) -> None:
        """So many partitions are live here, and so many are on their way."""
        self._metrics.group.assigned_partitions.set(live)
        self._metrics.group.restoring_partitions.set(restoring)

    def restoring(self, records_left: int) -> None:
        """The partition that is being restored has so many records to read in its present step."""
        self._metrics.group.restore_remaining_records.set(records_left)

    def rebalanced(self) -> None:
        """The assignment changed."""
        self._metrics.group.rebalances.inc()

    def dropped(self, stream: str, partition: InputPartition) -> None:
        """A partition went away."""
        self._metrics.records.remove_partition(stream, partition.topic, partition.partition)

    def restore_failed(self, stream: str) -> None:
        """A restoration failed and is begun anew."""
        self._metrics.group.restore_failures.labels(stream).inc()

    def went_live(self, stream: str, partition: InputPartition, series: int) -> None:
        """A partition is being processed from now on, with so many series that are known of it.

        One that has fallen silent is noticed by its next owner as well; one that never had a series may rest.
        """
        if series:
            self._heard(stream, partition)

    def _heard(self, stream: str, partition: InputPartition) -> None:
        labels = stream, partition.topic, str(partition.partition)
        self._metrics.records.partition_last_record_timestamp.labels(*labels).set(self._now())

    def restored(self, stream: str, records: int, seconds: float) -> None:
        """A partition is live again."""
        self._metrics.group.restore_remaining_records.set(0)
        self._metrics.group.restore_records.labels(stream).inc(records)
        self._metrics.group.restore_duration.observe(seconds, stream)

    def lag(self, stream: str, partition: InputPartition, records: int, seconds: float) -> None:
        """How far, and for how long, a partition has been behind its last stable offset."""
        self._metrics.records.set_lag(stream, partition.topic, partition.partition, records, seconds)

    def spread(self, stream: str, series: int) -> None:
        """So many series are in several of the partitions that are live here."""
        self._metrics.series.in_several_partitions.labels(stream).set(series)

    def observe(self, stream: str, pipelines: Sequence[PartitionPipeline]) -> None:
        """Take stock of a stream's series and incidents over all partitions that are live here."""
        metrics = self._metrics
        states: dict[str, int] = dict.fromkeys(SERIES_STATES, 0)
        for pipeline in pipelines:
            for name, number in pipeline.store.states().items():
                states[name] += number
        for state, count in states.items():
            metrics.series.by_state.labels(stream, state).set(count)
        metrics.series.not_resident.labels(stream).set(sum(pipeline.store.evicted for pipeline in pipelines))
        metrics.series.memory_bytes.labels(stream).set(sum(pipeline.store.memory_bytes() for pipeline in pipelines))
        if shadows := [found for pipeline in pipelines if (found := pipeline.shadow_bytes) is not None]:
            metrics.shadow.memory_bytes.labels(stream).set(sum(shadows))
        metrics.series.file_bytes.labels(stream).set(sum(pipeline.store.file_bytes() for pipeline in pipelines))
        incidents = [pipeline.open_incidents() for pipeline in pipelines]
        for kind in KINDS:
            for severity in SEVERITIES:
                count = sum(found[kind, severity] for found in incidents)
                metrics.scores.incidents_open.labels(stream, kind, severity).set(count)
        self._observe_listed(stream, pipelines)
        watermarks = [p.store.watermark_ns for p in pipelines if p.store.watermark_ns is not None]
        if watermarks:
            metrics.records.event_time.labels(stream).set(max(watermarks) * _NS)

    def rests(self, stream: str) -> None:
        """No partition of a stream is here, nor on its way: how far it had drifted is for others to tell."""
        self._metrics.scores.remove_drift(stream)

    def _observe_listed(self, stream: str, pipelines: Sequence[PartitionPipeline]) -> None:
        present: Counter[str] = Counter()
        for pipeline in pipelines:
            present.update(pipeline.listed())
        for series, count in present.items():
            self._metrics.scores.series_incidents_open.labels(stream, series).set(count)
        for series in self._listed.get(stream, set()) - present.keys():
            self._metrics.scores.remove_series(stream, series)
        self._listed[stream] = set(present)
