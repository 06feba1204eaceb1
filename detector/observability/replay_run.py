"""How a replay ended, as a file for the textfile collector of Prometheus's node_exporter.

A replay is a job that ends: nobody can scrape it. So it leaves what it came to in a file, whole or not at all, and the
node_exporter of its machine serves that. The practices of Prometheus for batch jobs say what is in it: whether it
succeeded, when it ended, how long it took.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from prometheus_client import CollectorRegistry, Gauge, generate_latest

from detector.alerting.events import KINDS
from detector.alerting.policy import SEVERITIES
from detector.observability.factory import MetricDescription, MetricFactory

SECTION: Final = "How a replay ended"
_REPLAY: Final = "replay"


@dataclass(frozen=True, slots=True)
class ReplayCounts:
    """What a replay that ended well came to.

    Attributes:
        records: Read, look-back included.
        rejected: Records that could not be read as samples, by reason.
        scored: Windows that got a score.
        unscored: Windows without one.
        streams: Names of the streams, so that one without incidents shows zeros.
        incidents: Stream, kind and severity of each.
        undetermined: Incidents that what came before the first record could have made another one, or none.
    """

    records: int
    rejected: Mapping[str, int]
    scored: int
    unscored: int
    streams: Iterable[str]
    incidents: Iterable[tuple[str, str, str]]
    undetermined: int


@dataclass(frozen=True, slots=True)
class ReplayRun:
    """How a replay ended.

    Attributes:
        name: Of the replay; its files must differ in it.
        exit_code: 0: well.
        completed_seconds: Wall-clock time, seconds since the epoch.
        duration_seconds: From the start of the command.
        counts: Only of one that ended well.
    """

    name: str
    exit_code: int
    completed_seconds: float
    duration_seconds: float
    counts: ReplayCounts | None = None

    def exposition(self) -> bytes:
        """The metrics in Prometheus's text format."""
        made = _Gauges()
        made.success.labels(self.name).set(self.exit_code == 0)
        made.exit_code.labels(self.name).set(self.exit_code)
        made.completion.labels(self.name).set(self.completed_seconds)
        made.duration.labels(self.name).set(self.duration_seconds)
        if self.counts is not None:
            self._tell(made, self.counts)
        return generate_latest(made.registry)

    def _tell(self, made: _Gauges, counts: ReplayCounts) -> None:
        made.records.labels(self.name).set(counts.records)
        for reason, number in counts.rejected.items():
            made.rejected.labels(self.name, reason).set(number)
        made.scored.labels(self.name).set(counts.scored)
        made.unscored.labels(self.name).set(counts.unscored)
        made.undetermined.labels(self.name).set(counts.undetermined)
        found = Counter(counts.incidents)
        for stream in counts.streams:
            for kind in KINDS:
                for severity in SEVERITIES:
                    made.incidents.labels(self.name, stream, kind, severity).set(found[stream, kind, severity])


@dataclass(slots=True)
class _Gauges:
    """All metrics of the file, in a registry of their own."""

    registry: CollectorRegistry = field(default_factory=CollectorRegistry)
    success: Gauge = field(init=False)
    exit_code: Gauge = field(init=False)
    completion: Gauge = field(init=False)
    duration: Gauge = field(init=False)
    records: Gauge = field(init=False)
    rejected: Gauge = field(init=False)
    scored: Gauge = field(init=False)
    unscored: Gauge = field(init=False)
    incidents: Gauge = field(init=False)
    undetermined: Gauge = field(init=False)
    descriptions: list[MetricDescription] = field(init=False)

    def __post_init__(self) -> None:
        make = MetricFactory(self.registry)
        make.section(SECTION)
        self.success = make.gauge("replay_run_success", "Whether the replay ended well: 1 or 0.", _REPLAY)
        self.exit_code = make.gauge("replay_run_exit_code", "Exit code of the command; 0 is well.", _REPLAY)
        self.completion = make.gauge(
            "replay_run_completion_timestamp_seconds", "Wall-clock time at which the replay ended, in whatever way.",
            _REPLAY,
        )  # fmt: skip
        self.duration = make.gauge("replay_run_duration_seconds", "How long the command took.", _REPLAY)
        self.records = make.gauge(
            "replay_run_records", "Records read, look-back included; this and what follows only after a good end.",
            _REPLAY,
        )  # fmt: skip
        self.rejected = make.gauge(
            "replay_run_rejected_records",
            "Records that a worker would have sent to the dead letters, by reason; absent for reasons that none had.",
            _REPLAY, "reason",
        )  # fmt: skip
        self.scored = make.gauge("replay_run_windows_scored", "Windows that got a score.", _REPLAY)
        self.unscored = make.gauge("replay_run_windows_unscored", "Windows without a score.", _REPLAY)
        self.incidents = make.gauge(
            "replay_run_incidents", "Incidents, by kind and the severity that they came to.",
            _REPLAY, "stream", "kind", "severity",
        )  # fmt: skip
        self.undetermined = make.gauge(
            "replay_run_undetermined_incidents",
            "Incidents that what came before the first record could have made other ones, or none.",
            _REPLAY,
        )
        self.descriptions = make.descriptions


def descriptions() -> tuple[MetricDescription, ...]:
    """Of the metrics of the file, for the documentation."""
    return tuple(_Gauges().descriptions)
