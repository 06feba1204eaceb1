"""Incidents that no score opens: a series that stopped, or channels of it that froze.

They share a form: opened once by something that did not happen for too long, repeated as an update while it still does
not, with a severity that rises with its length, and closed when it happens. What is remembered of one changes only with
its events, so that it is complete in the snapshot that goes with each of them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import msgspec

from detector.alerting.events import ChannelDetail, CloseReason, Event, EventName, Kind, ModelDetail, SourceDetail
from detector.alerting.framing import Framing
from detector.alerting.identity import Identity, event_id, incident_id
from detector.alerting.policy import Severity
from detector.alerting.timestamps import format_time
from detector.series.snapshot import SnapshotError

STANDING_VERSION = 2
StandingKind = Literal["silence", "frozen"]
_NS_PER_SECOND = 1e9
_EARLIEST_NS, _LATEST_NS = -(1 << 63), (1 << 63) - 1


@dataclass(frozen=True, slots=True)
class StandingPolicy:
    """What happens while such an incident lasts.

    Attributes:
        critical_ratio: It is critical from this multiple of what is too long on; before that, a warning.
        update_every_ns: Event time after which it is repeated as an update.

    Raises:
        ValueError: a number makes no sense; the message names it.
    """

    critical_ratio: float = 10.0
    update_every_ns: int = 3_600_000_000_000

    def __post_init__(self) -> None:
        if not self.critical_ratio >= 1:
            raise ValueError(f"critical_ratio is {self.critical_ratio}, it must be at least 1")
        if self.update_every_ns < 1:
            raise ValueError(f"update_every_ns is {self.update_every_ns}, it must be at least 1")


USUAL = StandingPolicy()
NO_UPDATES = StandingPolicy(math.inf, _LATEST_NS)
"""For incidents that nobody watches any more; they only close."""


class Standing(msgspec.Struct, array_like=True):
    """An open incident of such a kind.

    Attributes:
        incident_id: Fixed when it opened.
        started_ns: Since when nothing has moved.
        first_offset: Record with which that began, as far as it is known.
        opened_ns: Event time at which it had been for too long.
        opened_offset: Record that made that known.
        sequence: Of the latest event.
        score: How long, as of the latest event: seconds of silence, or samples of one value.
        threshold: More than that is too long.
        severity: As of the latest event; it never falls.
        told_ns: Event time of the latest event.
        channels: Those that are or were frozen.
    """

    incident_id: str
    started_ns: int
    first_offset: int
    opened_ns: int
    opened_offset: int
    sequence: int
    score: float
    threshold: float
    severity: Severity
    told_ns: int
    channels: tuple[ChannelDetail, ...] = ()


class StandingState(msgspec.Struct, array_like=True):
    """What is kept of a series.

    Attributes:
        silence: While one is open.
        frozen: While one is open.
        lagging: The series has not been near its partition's event time yet, so it cannot fall silent.
    """

    silence: Standing | None = None
    frozen: Standing | None = None
    lagging: bool = False


_framing = Framing(StandingState, STANDING_VERSION, "a snapshot of standing incidents")


def encode_standing(state: StandingState) -> bytes:
    """Bytes of a state."""
    return _framing.encode(state)


def decode_standing(data: bytes) -> StandingState:
    """Read a state.

    Raises:
        SnapshotError: of another version, or damaged; the message says which.
    """
    state = _framing.decode(data)
    if not all(_makes_sense(standing) for standing in (state.silence, state.frozen) if standing is not None):
        raise SnapshotError("a snapshot of standing incidents holds numbers that make no sense")
    return state


def _makes_sense(standing: Standing) -> bool:
    times = (standing.started_ns, standing.opened_ns, standing.told_ns)
    return (
        all(_EARLIEST_NS <= time_ns <= _LATEST_NS for time_ns in times)
        and 0 < standing.score < math.inf
        and 0 < standing.threshold < math.inf
    )


class StandingTeller:
    """Opens incidents of one kind, says when they are due for an update, and builds their events.

    Args:
        kind: Of the incidents.
        identity: Of the partition.
        policy: While they last.
    """

    def __init__(self, kind: StandingKind, identity: Identity, policy: StandingPolicy) -> None:
        self._kind: Kind = kind
        self._policy = policy
        self._identity = identity
        self._model = ModelDetail(digest=identity.model, version=identity.model_version)

    def open(
        self,
        series: str,
        *,
        started_ns: int,
        first_offset: int,
        time_ns: int,
        offset: int,
        score: float,
        threshold: float,
        channels: tuple[ChannelDetail, ...] = (),
    ) -> Standing:
        """A new incident; the arguments are attributes of `Standing`."""
        name = incident_id(self._identity, series, self._kind, offset)
        return Standing(
            name, started_ns, first_offset, time_ns, offset, 0, score, threshold, "warning", time_ns, channels
        )

    def is_due(self, standing: Standing, ratio: float, time_ns: int) -> bool:
        """Whether an update is due at an event time at which score / threshold has come to ``ratio``."""
        rises = ratio >= self._policy.critical_ratio and standing.severity != "critical"
        return rises or time_ns - standing.told_ns >= self._policy.update_every_ns

    def tell(
        self,
        event: EventName,
        series: str,
        standing: Standing,
        time_ns: int,
        offset: int,
        *,
        ended_ns: int | None = None,
        reason: CloseReason | None = None,
    ) -> Event:
        """The event, numbered ``standing.sequence``; its severity and time are noted.

        Args:
            event: The step.
            series: Name of the series.
            standing: As of now.
            time_ns: Event time of what caused the event.
            offset: Record that caused it.
            ended_ns: For ``closed``: until when it lasted.
            reason: For ``closed``.
        """
        identity = self._identity
        until_ns = time_ns if ended_ns is None else ended_ns
        ratio = standing.score / standing.threshold
        if ratio >= self._policy.critical_ratio:
            standing.severity = "critical"
        standing.told_ns = time_ns
        return Event(
            event_id=event_id(standing.incident_id, event, standing.sequence),
            incident_id=standing.incident_id,
            event=event,
            sequence=standing.sequence,
            kind=self._kind,
            stream=identity.stream,
            series=series,
            severity=standing.severity,
            started_at=format_time(standing.started_ns),
            opened_at=format_time(standing.opened_ns),
            updated_at=format_time(time_ns),
            peak_at=format_time(until_ns),
            ended_at=None if ended_ns is None else format_time(ended_ns),
            closed_at=None if ended_ns is None else format_time(time_ns),
            close_reason=reason,
            duration_seconds=max(until_ns - standing.started_ns, 0) / _NS_PER_SECOND,
            score=standing.score,
            peak_score=standing.score,
            threshold=standing.threshold,
            score_over_threshold=ratio,
            peak_score_over_threshold=ratio,
            channels=standing.channels,
            model=self._model,
            source=SourceDetail(
                cluster=identity.cluster,
                topic=identity.topic,
                partition=identity.partition,
                first_offset=standing.first_offset,
                opened_offset=standing.opened_offset,
                last_offset=offset,
            ),
        )
