"""What the worker tells the metrics, in the worker's own words."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Sequence

import numpy as np
import structlog

from detector.alerting.timestamps import parse_time
from detector.observability.metrics import INCIDENT_KINDS, SEVERITIES, Metrics
from detector.pipeline.context import WindowScorer
from detector.pipeline.outcome import Outcome
from detector.pipeline.partition import PartitionPipeline
from detector.records.reasons import OTHER, REASONS
from detector.records.values import InputPartition
from detector.scoring.drift import Drift, FollowsDrift
from detector.scoring.scores import Scores
from detector.series.carried import States, StateType
from detector.series.values import WindowBatch
from detector.shadow import ShadowTally

_log = structlog.get_logger(__name__)
_NS = 1e-9
# A long interval stays visible for one to two of these, so that no scrape misses it.
_LONGEST_POLL_PERIOD_SECONDS = 60.0
# From here on people should know: the group gives up at 1.
_LATE_POLL_RATIO = 0.5
_CHANNELS_TOLD = 10


class TimedScorer:
    """A scorer that reports how long batches take, and how old their samples are."""

    def __init__(
        self,
        scorer: WindowScorer,
        metrics: Metrics,
        stream: str,
        monotonic: Callable[[], float] = time.monotonic,
        now: Callable[[], float] = time.time,
        drift: FollowsDrift | None = None,
    ) -> None:
        self._scorer = scorer
        self._drift = drift
        self._metrics = metrics
        self._stream = stream
        self._monotonic = monotonic
        self._now = now

    @property
    def state_dtype(self) -> StateType | None:
        """See `Scorer.state_dtype`."""
        return self._scorer.state_dtype

    def score(self, batch: WindowBatch, states: States | None) -> Scores:
        """See `Scorer.score`."""
        started = self._monotonic()
        scores = self._scorer.score(batch, states)
        self._metrics.scoring_duration.observe(self._monotonic() - started, self._stream)
        self._metrics.scoring_batch_windows.observe(len(batch.series), self._stream)
        self._metrics.event_time_lag.observe_many(np.maximum(self._now() - batch.time_ns * _NS, 0.0), self._stream)
        if self._drift is not None and (found := self._drift.follow(batch, scores)) is not None:
            self._tell_drift(found)
        return scores

    def _tell_drift(self, found: Drift) -> None:
        if (worst := found.worst) is not None:
            self._metrics.input_drift.labels(self._stream).set(worst.index)
            self._metrics.input_drift_limit.labels(self._stream).set(worst.limit)
        if found.score is not None:
            self._metrics.score_drift.labels(self._stream).set(found.score.index)
            self._metrics.score_drift_limit.labels(self._stream).set(found.score.limit)
        if shifted := found.shifted:
            told = list(shifted.items())[:_CHANNELS_TOLD]
            _log.warning(
                "inputs are not what the model was trained on: their population stability index is beyond what it was "
                "between stretches of the training data. If a sensor or a unit changed, see to it; if this is the new "
                "ordinary, train anew (detector retrain)",
                stream=self._stream,
                indices={name: round(one.index, 2) for name, one in told},
                limits={name: round(one.limit, 2) for name, one in told},
                more=max(0, len(shifted) - _CHANNELS_TOLD),
            )


class TimedShadowScorer:
    """A challenger's scorer that reports how long batches take."""

    def __init__(
        self, scorer: WindowScorer, metrics: Metrics, stream: str, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._scorer = scorer
        self._metrics = metrics
        self._stream = stream
        self._monotonic = monotonic

    @property
    def state_dtype(self) -> StateType | None:
        """See `Scorer.state_dtype`."""
        return self._scorer.state_dtype

    def score(self, batch: WindowBatch, states: States | None) -> Scores:
        """See `Scorer.score`."""
        started = self._monotonic()
        scores = self._scorer.score(batch, states)
        self._metrics.shadow_scoring_duration.observe(self._monotonic() - started, self._stream)
        return scores


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
        metrics.loop_timestamp.set(now())

    def polled(self) -> None:
        """A poll returned."""
        self._metrics.loop_timestamp.set(self._now())
        now = self._monotonic()
        interval, self._last_poll = now - self._last_poll, now
        if now - self._period_began > _LONGEST_POLL_PERIOD_SECONDS:
            self._longest_before, self._longest_now, self._period_began = self._longest_now, 0.0, now
        self._longest_now = max(self._longest_now, interval)
        longest = max(self._longest_before, self._longest_now)
        self._metrics.poll_interval_ratio.set(longest / self._poll_limit_seconds)
        if interval > _LATE_POLL_RATIO * self._poll_limit_seconds:
            self._metrics.polls_late.inc()
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
        self._metrics.poll_records_limit.set(records)

    def processed(self, stream: str, partition: InputPartition, outcome: Outcome) -> None:
        """A batch of one partition went through the pipeline."""
        metrics, now = self._metrics, self._now()
        metrics.records_consumed.labels(stream).inc(outcome.records)
        metrics.last_processed_timestamp.labels(stream).set(now)
        metrics.partition_last_record_timestamp.labels(stream, partition.topic, str(partition.partition)).set(now)
        if outcome.ignored:
            metrics.records_ignored.labels(stream).inc(outcome.ignored)
        for reason, count in outcome.rejected.items():
            metrics.records_rejected.labels(stream, reason if reason in REASONS else OTHER).inc(count)
        for reason, count in outcome.resets.items():
            metrics.windows_reset.labels(stream, reason).inc(count)
        for counter, count in (
            (metrics.records_late, outcome.late),
            (metrics.records_duplicate, outcome.duplicate),
            (metrics.samples_filled, outcome.filled),
            (metrics.samples_incomplete, outcome.incomplete),
            (metrics.series_forgotten, outcome.resets.get("forgotten", 0)),
            (metrics.series_evicted, outcome.evictions.evicted),
            (metrics.series_reloaded, outcome.evictions.reloaded),
            (metrics.series_eviction_failures, outcome.evictions.failures),
        ):
            if count:
                counter.labels(stream).inc(count)
        metrics.windows_scored.labels(stream).inc(outcome.scored)
        if outcome.unscored:
            metrics.windows_unscored.labels(stream, "coverage").inc(outcome.unscored)
        for ratios in outcome.ratios:
            metrics.score_threshold_ratio.observe_many(ratios, stream)
        for series, ratio in outcome.latest.items():
            self._listed.setdefault(stream, set()).add(series)
            metrics.series_threshold_ratio.labels(stream, series).set(ratio)
        self._shadowed(stream, outcome.shadow)

    def _shadowed(self, stream: str, tally: ShadowTally) -> None:
        metrics = self._metrics
        for verdict, count in tally.verdicts.items():
            metrics.shadow_windows.labels(stream, verdict).inc(count)
        if tally.unscored:
            metrics.shadow_windows_unscored.labels(stream).inc(tally.unscored)
        for ratios in tally.ratios:
            metrics.shadow_threshold_ratio.observe_many(ratios, stream)
        if tally.opened:
            metrics.shadow_incidents.labels(stream).inc(tally.opened)
        for reason in tally.failures:
            metrics.shadow_failures.labels(stream).inc()
            _log.error(
                "the challenger failed on a partition and rests until it is replaced", stream=stream, reason=reason
            )

    def emitted(self, stream: str, outcome: Outcome) -> None:
        """The outcome's events and dead letters are committed."""
        for _, event in outcome.events:
            self._metrics.events.labels(stream, event.event, event.severity).inc()
            if event.event == "opened":
                self._metrics.anomalies.labels(stream, event.kind, event.severity).inc()
                self._metrics.last_incident_timestamp.labels(stream).set(parse_time(event.opened_at) * _NS)
        if outcome.dead_letters:
            self._metrics.dead_letters.labels(stream).inc(len(outcome.dead_letters))

    def committed(self, result: str, records: int, seconds: float) -> None:
        """A commit ended."""
        self._metrics.commits.labels(result).inc()
        self._metrics.commit_duration.observe(seconds)
        if result == "committed":
            self._metrics.commit_records.observe(records)
            self._metrics.last_commit_timestamp.set(self._now())

    def assigned(self, live: int, restoring: int) -> None:
        """So many partitions are live here, and so many are on their way."""
        self._metrics.assigned_partitions.set(live)
        self._metrics.restoring_partitions.set(restoring)

    def restoring(self, records_left: int) -> None:
        """The partition that is being restored has so many records to read in its present step."""
        self._metrics.restore_remaining_records.set(records_left)

    def rebalanced(self) -> None:
        """The assignment changed."""
        self._metrics.rebalances.inc()

    def dropped(self, stream: str, partition: InputPartition) -> None:
        """A partition went away."""
        self._metrics.remove_partition(stream, partition.topic, partition.partition)

    def restore_failed(self, stream: str) -> None:
        """A restoration failed and is begun anew."""
        self._metrics.restore_failures.labels(stream).inc()

    def restored(self, stream: str, records: int, seconds: float) -> None:
        """A partition is live again."""
        self._metrics.restore_remaining_records.set(0)
        self._metrics.restore_records.labels(stream).inc(records)
        self._metrics.restore_duration.observe(seconds, stream)

    def lag(self, stream: str, partition: InputPartition, records: int, seconds: float) -> None:
        """How far, and for how long, a partition has been behind its last stable offset."""
        self._metrics.set_lag(stream, partition.topic, partition.partition, records, seconds)

    def spread(self, stream: str, series: int) -> None:
        """So many series are in several of the partitions that are live here."""
        self._metrics.series_in_several_partitions.labels(stream).set(series)

    def observe(self, stream: str, pipelines: Sequence[PartitionPipeline]) -> None:
        """Take stock of a stream's series and incidents over all partitions that are live here."""
        metrics = self._metrics
        states: dict[str, int] = {"warming_up": 0, "live": 0, "stale": 0}
        for pipeline in pipelines:
            for name, number in pipeline.store.states().items():
                states[name] += number
        for state, count in states.items():
            metrics.series.labels(stream, state).set(count)
        metrics.series_not_resident.labels(stream).set(sum(pipeline.store.evicted for pipeline in pipelines))
        metrics.series_memory_bytes.labels(stream).set(sum(pipeline.store.memory_bytes() for pipeline in pipelines))
        if shadows := [found for pipeline in pipelines if (found := pipeline.shadow_bytes) is not None]:
            metrics.shadow_memory_bytes.labels(stream).set(sum(shadows))
        metrics.series_file_bytes.labels(stream).set(sum(pipeline.store.file_bytes() for pipeline in pipelines))
        incidents = [pipeline.open_incidents() for pipeline in pipelines]
        for kind in INCIDENT_KINDS:
            for severity in SEVERITIES:
                count = sum(found[kind, severity] for found in incidents)
                metrics.incidents_open.labels(stream, kind, severity).set(count)
        self._observe_listed(stream, pipelines)
        watermarks = [p.store.watermark_ns for p in pipelines if p.store.watermark_ns is not None]
        if watermarks:
            metrics.event_time.labels(stream).set(max(watermarks) * _NS)

    def _observe_listed(self, stream: str, pipelines: Sequence[PartitionPipeline]) -> None:
        present: Counter[str] = Counter()
        for pipeline in pipelines:
            present.update(pipeline.listed())
        for series, count in present.items():
            self._metrics.series_incidents_open.labels(stream, series).set(count)
        for series in self._listed.get(stream, set()) - present.keys():
            self._metrics.remove_series(stream, series)
        self._listed[stream] = set(present)
