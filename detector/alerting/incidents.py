"""Incidents of one partition: scores in, events out.

Events depend on the sequence of each series' samples and on nothing else: not on other series, on batches, on when
snapshots are taken, nor on whether quiet samples of quiet series are handed in at all.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from detector.alerting.events import ChannelDetail, CloseReason, Event
from detector.alerting.evidence import Evidence, Opened, bounded, top_channels
from detector.alerting.identity import Identity, incident_id
from detector.alerting.lifecycle import NEVER_NS, Lifecycle, Step
from detector.alerting.policy import SEVERITIES, IncidentPolicy, Severity
from detector.alerting.snapshot import TrackState, decode_track, encode_track
from detector.alerting.summaries import IncidentSummary
from detector.alerting.telling import KIND, Teller

_RESET_REASONS: dict[str, CloseReason] = {"gap": "gap", "forgotten": "forgotten"}


@dataclass(frozen=True, slots=True)
class ScoredSample:
    """One scored window of one series.

    Attributes:
        series: Name of the series.
        time_ns: Event time of the window's last sample.
        offset: Record that completed the window.
        start_offset: Oldest record in the window.
        score: NaN where too little was observed.
        contributions: float32[channels]; add up to ``score``.
        seen: float64[channels]; the last sample in the channels' own units, NaN where missing.
        expected: float64[channels]; what the score compares it with, in the same units.
    """

    series: str
    time_ns: int
    offset: int
    start_offset: int
    score: float
    contributions: npt.NDArray[np.float32]
    seen: npt.NDArray[np.float64]
    expected: npt.NDArray[np.float64]


class IncidentTracker:
    """Opens, updates and closes the incidents of one partition of a stream.

    Args:
        policy: When an incident opens and closes.
        identity: Of the partition; goes into ids and events.
    """

    def __init__(self, policy: IncidentPolicy, identity: Identity) -> None:
        self._policy = policy
        self._identity = identity
        self._tell = Teller(policy, identity)
        # Only series with a run or an incident under way; all others cost nothing.
        self._tracks: dict[str, TrackState] = {}
        # Series -> end of its cool-down. Not dropped when that has passed, since only a sample could tell.
        self._cooling: dict[str, int] = {}

    def needs_attention(self, series: str) -> bool:
        """Whether an incident is open or a run above the threshold under way, so that quiet scores matter as well."""
        return series in self._tracks

    def advance(self, sample: ScoredSample) -> list[Event]:
        """Take the next scored sample of a series.

        Quiet samples (``score <= policy.quiet_score``) of series that do not need attention may be left out. A NaN
        score neither opens nor quiets anything.

        Returns:
            At most one event.
        """
        if math.isnan(sample.score):
            return []
        series, policy = sample.series, self._policy
        track = self._tracks.get(series)
        if track is None:
            if sample.score <= policy.threshold:
                return []
            track = TrackState(Lifecycle(cool_down_until_ns=self._cooling.get(series, NEVER_NS)))
            self._tracks[series] = track
        step = track.lifecycle.advance(sample.score, sample.time_ns, policy)
        if step is Step.ABANDONED:
            del self._tracks[series]
            return []
        evidence = self._note_peak(track, sample)
        if step is Step.CANDIDATE:
            return []
        if step is Step.OPENED:
            return [self._open(track, evidence, sample)]
        opened = track.opened
        assert opened is not None  # noqa: S101 - the lifecycle is open; for the type checker
        opened.score, opened.updated_ns, opened.offset = bounded(sample.score), sample.time_ns, sample.offset
        if sample.score > policy.quiet_score:
            opened.loud_ns = sample.time_ns
        if step is Step.CLOSED:
            return [self._close(series, track, evidence, opened, sample.time_ns, sample.offset, "quiet")]
        severity = policy.severity(evidence.peak_ratio)
        rises = SEVERITIES.index(severity) > SEVERITIES.index(opened.severity)
        if not rises and sample.time_ns - opened.emitted_ns < policy.update_every_ns:
            return []
        if rises:
            opened.severity = severity
        opened.sequence += 1
        opened.emitted_ns = sample.time_ns
        return [self._tell("updated", series, evidence, opened, sample.time_ns, sample.offset)]

    def reset(self, series: str, time_ns: int, offset: int, reason: str) -> list[Event]:
        """The window of a series began anew: close its open incident, or drop the run that is under way.

        Args:
            series: Name of the series.
            time_ns: Event time at which this became known.
            offset: Record that made it known, which may be another series'.
            reason: ``gap`` or ``forgotten``; a forgotten series loses its cool-down as well.

        Returns:
            At most one event.

        Raises:
            ValueError: another reason.
        """
        close_reason = _RESET_REASONS.get(reason)
        if close_reason is None:
            raise ValueError(f"{reason!r} is no reason for a reset; use one of {', '.join(_RESET_REASONS)}")
        events: list[Event] = []
        track = self._tracks.pop(series, None)
        if track is not None and track.opened is not None and track.evidence is not None:
            track.lifecycle.close(time_ns, self._policy)
            events.append(self._close(series, track, track.evidence, track.opened, time_ns, offset, close_reason))
        if close_reason == "forgotten":
            self._cooling.pop(series, None)
        return events

    def snapshot(self, series: str) -> bytes | None:
        """Everything needed to go on with a series exactly; None when there is nothing to keep."""
        track = self._tracks.get(series)
        if track is None:
            until_ns = self._cooling.get(series)
            if until_ns is None:
                return None
            track = TrackState(Lifecycle(cool_down_until_ns=until_ns))
        return encode_track(track)

    def restore(self, series: str, data: bytes) -> None:
        """Take over a snapshot in place of whatever is known of the series.

        An incident that is open keeps its id and its peak, even when policy or model have changed since.

        Raises:
            SnapshotError: of another version or damaged; nothing has changed then.
        """
        track = decode_track(data)
        self._tracks.pop(series, None)
        self._cooling.pop(series, None)
        if track.lifecycle.under_way:
            self._tracks[series] = track
        if not track.lifecycle.is_open and track.lifecycle.cool_down_until_ns != NEVER_NS:
            self._cooling[series] = track.lifecycle.cool_down_until_ns

    def under_way(self) -> dict[str, bytes]:
        """Snapshots of all series with a run or an incident under way; others have at most a cool-down."""
        return {series: encode_track(track) for series, track in sorted(self._tracks.items())}

    def take_over(self, under_way: Mapping[str, bytes]) -> None:
        """Put runs and incidents in place of those that are under way; cool-downs of other series stay.

        Raises:
            SnapshotError: one is of another version or damaged.
        """
        self._tracks.clear()
        for series, data in under_way.items():
            self.restore(series, data)

    def open_count(self) -> int:
        """How many incidents are open now."""
        return sum(track.opened is not None for track in self._tracks.values())

    def is_open(self, series: str) -> bool:
        """Whether an incident is open on the series."""
        track = self._tracks.get(series)
        return track is not None and track.opened is not None

    def open_severities(self) -> list[Severity]:
        """The present severity of each open incident."""
        return [track.opened.severity for track in self._tracks.values() if track.opened is not None]

    def open_incidents(self) -> list[IncidentSummary]:
        """The open incidents as of their latest samples, in the order in which they opened."""
        now = [
            self._tell("updated", series, track.evidence, track.opened, track.opened.updated_ns, track.opened.offset)
            for series, track in self._tracks.items()
            if track.evidence is not None and track.opened is not None
        ]
        return [IncidentSummary.of(event) for event in sorted(now, key=lambda event: event.source.opened_offset)]

    def _note_peak(self, track: TrackState, sample: ScoredSample) -> Evidence:
        score = bounded(sample.score)
        ratio = bounded(score / self._policy.threshold)
        evidence = track.evidence
        if evidence is None:
            evidence = track.evidence = Evidence(
                sample.time_ns, sample.start_offset, sample.time_ns, score, ratio, self._blame(sample)
            )
        elif ratio > evidence.peak_ratio:
            evidence.peak_ns, evidence.peak_score, evidence.peak_ratio = sample.time_ns, score, ratio
            evidence.channels = self._blame(sample)
        return evidence

    def _blame(self, sample: ScoredSample) -> tuple[ChannelDetail, ...]:
        return top_channels(self._policy, bounded(sample.score), sample.contributions, sample.seen, sample.expected)

    def _open(self, track: TrackState, evidence: Evidence, sample: ScoredSample) -> Event:
        self._cooling.pop(sample.series, None)
        track.opened = opened = Opened(
            incident_id=incident_id(self._identity, sample.series, KIND, sample.offset),
            opened_ns=sample.time_ns,
            opened_offset=sample.offset,
            sequence=0,
            severity=self._policy.severity(evidence.peak_ratio),
            emitted_ns=sample.time_ns,
            updated_ns=sample.time_ns,
            loud_ns=sample.time_ns,
            score=bounded(sample.score),
            offset=sample.offset,
        )
        return self._tell("opened", sample.series, evidence, opened, sample.time_ns, sample.offset)

    def _close(
        self,
        series: str,
        track: TrackState,
        evidence: Evidence,
        opened: Opened,
        time_ns: int,
        offset: int,
        reason: CloseReason,
    ) -> Event:
        self._tracks.pop(series, None)
        if self._policy.cool_down_ns:
            self._cooling[series] = track.lifecycle.cool_down_until_ns
        opened.sequence += 1
        return self._tell("closed", series, evidence, opened, time_ns, offset, reason)
