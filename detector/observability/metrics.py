"""Every metric of the worker, in one object that is given its registry."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from prometheus_client import CollectorRegistry, disable_created_metrics

from detector.observability.factory import MetricDescription, MetricFactory

# Dense near 1, where the decision is made. The ratio survives retraining, raw errors would not.
RATIO_BOUNDS: Final = (
    0.1, 0.25, 0.5, 0.7, 0.8, 0.85, 0.9, 0.95, 0.98, 1.0, 1.02, 1.05, 1.1, 1.2, 1.5, 2.0, 3.0, 5.0, 10.0, 30.0, 100.0,
)  # fmt: skip
SCORING_SECONDS_BOUNDS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)
# To the longest that a commit with the default deadlines can take: `WorkerSettings.longest_commit_seconds`.
COMMIT_SECONDS_BOUNDS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
RESTORE_SECONDS_BOUNDS: Final = (0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 900.0)
LAG_SECONDS_BOUNDS: Final = (0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 900.0, 3600.0, 21600.0, 86400.0)
BATCH_WINDOWS_BOUNDS: Final = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024)
COMMIT_RECORDS_BOUNDS: Final = (1, 10, 100, 500, 1000, 2500, 5000, 10_000, 20_000, 50_000, 100_000)

SERIES_STATES: Final = ("warming_up", "live", "stale")
SEVERITIES: Final = ("info", "warning", "critical")
INCIDENT_KINDS: Final = ("reconstruction", "silence", "frozen")
EVENT_KINDS: Final = ("opened", "updated", "closed")
RESET_REASONS: Final = ("gap", "forgotten")
UNSCORED_REASONS: Final = ("coverage", "unknown")
SWAP_OUTCOMES: Final = ("replaced", "unchanged", "refused", "removed")
MODEL_ROLES: Final = ("champion", "challenger")
REGISTRY_OUTCOMES: Final = ("answered", "failed")
SHADOW_VERDICTS: Final = ("neither", "both", "champion_only", "challenger_only")
COMMIT_OUTCOMES: Final = ("committed", "refused", "unknown")


class Metrics:
    """The worker's metrics.

    Keys, offsets and exception texts are never labels, since their number has no bound; a series is one only where the
    settings list it. The attributes are prometheus_client's own counters and gauges, and `BulkHistogram`;
    ``docs/metrics.md`` is generated from this class (``python -m detector.observability.document``).

    Args:
        registry: Where they are registered; a fresh one in tests.
    """

    def __init__(self, registry: CollectorRegistry) -> None:
        # Each counter and histogram would have a second series with the time of its birth, which nothing here reads.
        # The library knows this setting for the whole process only.
        disable_created_metrics()  # type: ignore[no-untyped-call]
        make = MetricFactory(registry)
        self.registry = registry

        make.section("Records in")
        self.records_consumed = make.counter(
            "records_consumed_total", "Records taken from the input, whatever became of them.", "stream"
        )
        self.records_rejected = make.counter(
            "records_rejected_total",
            "Records that cannot become a sample, by reason; other: one that a decoder of another package gave.",
            "stream",
            "reason",
        )
        self.records_ignored = make.counter(
            "records_ignored_total", "Valid records that carry no channel of the model.", "stream"
        )
        self.records_late = make.counter(
            "records_late_total", "Samples dropped because a later one of their series was there before.", "stream"
        )
        self.records_duplicate = make.counter(
            "records_duplicate_total", "Samples dropped because their series had one of the same time.", "stream"
        )
        self.dead_letters = make.counter("dead_letters_total", "Records committed to the dead-letter topic.", "stream")
        partition = ("stream", "topic", "partition")
        self.consumer_lag = make.gauge(
            "consumer_lag_records",
            "Records between what is committed and the last stable offset; only for partitions that this worker owns.",
            *partition,
        )
        self.consumer_lag_seconds = make.gauge(
            "consumer_lag_seconds",
            "For how long the last stable offset has been beyond what is committed, by the worker's clock and since it "
            "began to look; 0 when nothing waits. It needs no timestamps of records, which may be of another time.",
            *partition,
        )
        self.partition_last_record_timestamp = make.gauge(
            "partition_last_record_timestamp_seconds",
            "Wall-clock time at which the partition last gave this worker a record; absent until it gives one.",
            *partition,
        )
        self.input_partitions = make.gauge(
            "input_partitions", "Partitions of the stream's topic, whichever worker owns them.", "stream"
        )
        self.last_processed_timestamp = make.gauge(
            "last_processed_timestamp_seconds", "Wall-clock time at which records were last processed.", "stream"
        )
        self.event_time = make.gauge(
            "event_timestamp_seconds", "Event time that the stream has reached: its newest watermark.", "stream"
        )

        make.section("Series and windows")
        self.series = make.gauge(
            "series", "Series known, in memory or not, by state: warming_up, live or stale.", "stream", "state"
        )
        self.series_not_resident = make.gauge(
            "series_not_resident", "Series, of any state, that are in a local file rather than in memory.", "stream"
        )
        self.series_memory_bytes = make.gauge(
            "series_memory_bytes",
            "What series in memory take, about: their windows and what the model carries along, with room for more.",
            "stream",
        )
        self.series_file_bytes = make.gauge(
            "series_file_bytes", "Size of the local files of series that are not in memory.", "stream"
        )
        self.series_evicted = make.counter(
            "series_evicted_total", "Series moved from memory to a local file; no outcome depends on it.", "stream"
        )
        self.series_reloaded = make.counter(
            "series_reloaded_total", "Series moved back to memory since a record of theirs came.", "stream"
        )
        self.series_eviction_failures = make.counter(
            "series_eviction_failures_total",
            "Times that series stayed in memory since the local file could not be written, as on a full disk.",
            "stream",
        )
        self.series_in_several_partitions = make.gauge(
            "series_in_several_partitions",
            "Series that are in more than one of this worker's partitions, and so are watched as one series in each.",
            "stream",
        )
        self.series_forgotten = make.counter(
            "series_forgotten_total", "Series forgotten because their event time fell too far behind.", "stream"
        )
        self.samples_filled = make.counter(
            "samples_filled_total", "Missing samples bridged within short gaps; filled ones are never scored.", "stream"
        )
        self.samples_incomplete = make.counter(
            "samples_incomplete_total",
            "Samples assembled from single channels that went on with some missing.",
            "stream",
        )
        self.windows_reset = make.counter("windows_reset_total", "Windows started anew, by reason.", "stream", "reason")
        self.windows_scored = make.counter("windows_scored_total", "Windows that got a score.", "stream")
        self.windows_unscored = make.counter(
            "windows_unscored_total",
            "Windows without a score: too little of them was observed, or the score is unknown. Never counted as zero.",
            "stream",
            "reason",
        )

        make.section("Scores and incidents")
        self.score_threshold = make.gauge(
            "score_threshold", "Threshold in force; scores above it are anomalous.", "stream"
        )
        self.score_threshold_ratio = make.histogram(
            "score_threshold_ratio",
            "Score over threshold of every scored window; above 1 is anomalous.",
            RATIO_BOUNDS,
            "stream",
        )
        self.input_drift = make.gauge(
            "input_drift_psi",
            "Population stability index of the channel that is farthest from the training data for its limit, over the "
            "last drift.window_seconds of event time. The log names the channels.",
            "stream",
        )
        self.input_drift_limit = make.gauge(
            "input_drift_psi_limit",
            "Limit of that channel: beyond it, it has shifted. 1.5 times what stretches of the training data seldom "
            "exceeded against the rest of it, and 0.25 at least.",
            "stream",
        )
        self.score_drift = make.gauge(
            "score_drift_psi", "Population stability index of the scores against those of held-out data.", "stream"
        )
        self.score_drift_limit = make.gauge(
            "score_drift_psi_limit", "Limit of the scores' index, as that of the channels.", "stream"
        )
        self.events = make.counter(
            "events_total", "Events committed, by event (opened, updated, closed) and severity.",
            "stream", "event", "severity",
        )  # fmt: skip
        self.anomalies = make.counter(
            "anomalies_total",
            "Incidents opened, by kind and their severity at that moment.",
            "stream",
            "kind",
            "severity",
        )
        self.incidents_open = make.gauge(
            "incidents_open", "Incidents that are open now, by kind and present severity.",
            "stream", "kind", "severity",
        )  # fmt: skip
        self.last_incident_timestamp = make.gauge(
            "last_incident_timestamp_seconds",
            "Event time at which the latest incident opened that this worker has committed; absent until it has.",
            "stream",
        )
        self.series_threshold_ratio = make.gauge(
            "series_score_threshold_ratio",
            "Latest score over threshold of a series that streams[].metrics.series lists, while this worker has it.",
            "stream", "series",
        )  # fmt: skip
        self.series_incidents_open = make.gauge(
            "series_incidents_open",
            "Incidents, of whatever kind, that are open on a series that streams[].metrics.series lists.",
            "stream", "series",
        )  # fmt: skip
        self.scoring_duration = make.histogram(
            "scoring_duration_seconds",
            "Time that one batch of windows took to score.",
            SCORING_SECONDS_BOUNDS,
            "stream",
        )
        self.scoring_batch_windows = make.histogram(
            "scoring_batch_windows", "Windows in one batch.", BATCH_WINDOWS_BOUNDS, "stream"
        )
        self.event_time_lag = make.histogram(
            "event_time_lag_seconds", "From the event time of a sample to its score.", LAG_SECONDS_BOUNDS, "stream"
        )

        make.section("Delivery")
        self.commits = make.counter(
            "commits_total", "Commits by outcome: committed, refused (nothing is visible), unknown (all is read back).",
            "outcome",
        )  # fmt: skip
        self.commit_duration = make.histogram(
            "commit_duration_seconds", "Time that one commit took, whatever its outcome.", COMMIT_SECONDS_BOUNDS
        )
        self.commit_records = make.histogram(
            "commit_records", "Input records covered by one commit.", COMMIT_RECORDS_BOUNDS
        )
        self.last_commit_timestamp = make.gauge(
            "last_commit_timestamp_seconds",
            "Wall-clock time of the last commit that succeeded; 0 when there was none since the start.",
        )
        self.loop_timestamp = make.gauge(
            "loop_timestamp_seconds",
            "Wall-clock time at which the loop last came round to a poll that was answered; at first, of the start.",
        )
        self.poll_interval_ratio = make.gauge(
            "poll_interval_ratio", "Longest recent time between polls over the limit at which the group gives up on us."
        )
        self.polls_late = make.counter(
            "polls_late_total", "Polls that came later than half of the limit at which the group gives up on us."
        )
        self.poll_records_limit = make.gauge(
            "poll_records_limit", "Most records that the next poll asks for; follows the measured processing time."
        )

        make.section("Group and recovery")
        self.assigned_partitions = make.gauge("assigned_partitions", "Partitions that are live on this worker.")
        self.restoring_partitions = make.gauge(
            "restoring_partitions", "Partitions that this worker owns and has yet to restore."
        )
        self.restore_remaining_records = make.gauge(
            "restore_remaining_records",
            "Records that the partition being restored has yet to read in its present step: state, then input.",
        )
        self.rebalances = make.counter("rebalances_total", "Times that this worker's assignment changed.")
        self.restore_records = make.counter(
            "restore_records_total", "Records read again, silently, to restore state.", "stream"
        )
        self.restore_failures = make.counter(
            "restore_failures_total", "Restorations of a partition that failed and were begun anew.", "stream"
        )
        self.restore_duration = make.histogram(
            "restore_duration_seconds", "From the assignment of a partition until it was live.",
            RESTORE_SECONDS_BOUNDS, "stream",
        )  # fmt: skip

        make.section("A challenger in the shadow")
        self.shadow_windows = make.counter(
            "shadow_windows_total",
            "Windows that both models scored, by whose threshold they are above: neither, both, champion_only, "
            "challenger_only.",
            "stream", "verdict",
        )  # fmt: skip
        self.shadow_windows_unscored = make.counter(
            "shadow_windows_unscored_total",
            "Windows of the challenger that one of the two models gave no score.",
            "stream",
        )
        self.shadow_threshold_ratio = make.histogram(
            "shadow_score_threshold_ratio",
            "The challenger's score over its own threshold, of every window that it scored.",
            RATIO_BOUNDS,
            "stream",
        )
        self.shadow_incidents = make.counter(
            "shadow_incidents_total", "Incidents that the challenger would have opened.", "stream"
        )
        self.shadow_scoring_duration = make.histogram(
            "shadow_scoring_duration_seconds",
            "Time that one batch of windows took the challenger to score.",
            SCORING_SECONDS_BOUNDS,
            "stream",
        )
        self.shadow_memory_bytes = make.gauge(
            "shadow_memory_bytes",
            "What the challenger carries along all series that it has heard of, in memory or not, with room for more.",
            "stream",
        )
        self.shadow_failures = make.counter(
            "shadow_failures_total",
            "Times that the challenger failed on a partition, where it rests until it is replaced.",
            "stream",
        )
        self.shadow_info = make.info(
            "shadow_model",
            "The challenger of a stream; always 1, and absent where none scores.",
            ("stream",),
            ("model", "version", "runtime"),
        )

        make.section("What is running")
        self.model_swaps = make.counter(
            "model_swaps_total",
            "New bundles under a running worker, by role (champion or challenger) and outcome: replaced, unchanged, "
            "refused (it is bad, the old one goes on), removed (the alias names nothing any more, or a challenger "
            "became the stream's model and rests).",
            "stream", "role", "outcome",
        )  # fmt: skip
        self.model_refused = make.gauge(
            "model_refused",
            "1 while the bundle that the settings name for a role is refused, so that an older one goes on or, for a "
            "challenger, perhaps none; otherwise 0.",
            "stream", "role",
        )  # fmt: skip
        self.registry_checks = make.counter(
            "registry_checks_total",
            "Times that a registry was asked what an alias names, by outcome: answered or failed.",
            "stream", "outcome",
        )  # fmt: skip
        self.model_info = make.info(
            "model", "The model that scores a stream; always 1.", ("stream",), ("model", "version", "runtime")
        )
        self.memory_limit = make.gauge(
            "memory_limit_bytes", "Memory that this process may use: of its control group, or all of the machine's."
        )
        self.build_info = make.info("build", "The program; always 1.", (), ("version", "python"))
        self.descriptions: tuple[MetricDescription, ...] = tuple(make.descriptions)
        for outcome in COMMIT_OUTCOMES:
            self.commits.labels(outcome)

    def add_stream(self, stream: str, rejection_reasons: Iterable[str] = ()) -> None:
        """Expose a stream's metrics at zero, so that ``rate()`` sees their first increase too.

        Args:
            stream: Name of the stream.
            rejection_reasons: Reasons for which records can be rejected.
        """
        for counter in (
            self.records_consumed, self.records_ignored, self.records_late, self.records_duplicate, self.dead_letters,
            self.series_forgotten, self.samples_filled, self.samples_incomplete, self.windows_scored,
            self.restore_records, self.restore_failures, self.series_evicted, self.series_reloaded,
            self.series_eviction_failures,
        ):  # fmt: skip
            counter.labels(stream)
        for histogram in (
            self.score_threshold_ratio, self.scoring_duration, self.scoring_batch_windows, self.event_time_lag,
            self.restore_duration,
        ):  # fmt: skip
            histogram.initialise(stream)
        for gauge in (
            self.series_not_resident, self.series_memory_bytes, self.series_file_bytes,
            self.series_in_several_partitions,
        ):  # fmt: skip
            gauge.labels(stream)
        for state in SERIES_STATES:
            self.series.labels(stream, state)
        for counter, values in (
            (self.records_rejected, tuple(rejection_reasons)),
            (self.windows_reset, RESET_REASONS),
            (self.windows_unscored, UNSCORED_REASONS),
            (self.registry_checks, REGISTRY_OUTCOMES),
        ):
            for value in values:
                counter.labels(stream, value)
        self.model_refused.labels(stream, "champion")
        for kind in INCIDENT_KINDS:
            for severity in SEVERITIES:
                self.incidents_open.labels(stream, kind, severity)
                self.anomalies.labels(stream, kind, severity)
        for event in EVENT_KINDS:
            for severity in SEVERITIES:
                self.events.labels(stream, event, severity)
        for role in MODEL_ROLES:
            for outcome in SWAP_OUTCOMES:
                self.model_swaps.labels(stream, role, outcome)

    def add_shadow(self, stream: str) -> None:
        """Expose the metrics of a stream's challenger at zero, for streams that are to have one."""
        for verdict in SHADOW_VERDICTS:
            self.shadow_windows.labels(stream, verdict)
        self.shadow_memory_bytes.labels(stream)
        self.model_refused.labels(stream, "challenger")
        for counter in (self.shadow_windows_unscored, self.shadow_incidents, self.shadow_failures):
            counter.labels(stream)
        for histogram in (self.shadow_threshold_ratio, self.shadow_scoring_duration):
            histogram.initialise(stream)

    def set_shadow(self, stream: str, *, model: str, version: str, runtime: str) -> None:
        """Say which challenger a stream has; a later call replaces the earlier one's values."""
        self.shadow_info.labels(stream).info({"model": model, "version": version, "runtime": runtime})

    def remove_shadow(self, stream: str) -> None:
        """Say that a stream has no challenger at present. One that never had any is fine."""
        self.shadow_info.remove_by_labels({"stream": stream})

    def set_model(self, stream: str, *, model: str, version: str, runtime: str) -> None:
        """Say which model scores a stream; a later call replaces the earlier one's values.

        Args:
            stream: Name of the stream.
            model: Name or digest of the bundle.
            version: Its version.
            runtime: ``onnx`` or ``keras``.
        """
        self.model_info.labels(stream).info({"model": model, "version": version, "runtime": runtime})

    def remove_drift(self, stream: str) -> None:
        """Stop reporting how far a stream has come from the training of a model that is not in force any more."""
        for gauge in (self.input_drift, self.input_drift_limit, self.score_drift, self.score_drift_limit):
            gauge.remove(stream)

    def set_lag(self, stream: str, topic: str, partition: int, records: int, seconds: float) -> None:
        """How far, and for how long, an owned partition has been behind its last stable offset."""
        self.consumer_lag.labels(stream, topic, str(partition)).set(records)
        self.consumer_lag_seconds.labels(stream, topic, str(partition)).set(seconds)

    def remove_partition(self, stream: str, topic: str, partition: int) -> None:
        """Stop reporting a partition that was taken away; its next owner reports it. Unknown ones are fine."""
        for gauge in (self.consumer_lag, self.consumer_lag_seconds, self.partition_last_record_timestamp):
            gauge.remove(stream, topic, str(partition))

    def remove_series(self, stream: str, series: str) -> None:
        """Stop reporting a listed series that went away with its partition, or was forgotten. Unknown ones are fine."""
        for gauge in (self.series_threshold_ratio, self.series_incidents_open):
            gauge.remove(stream, series)
