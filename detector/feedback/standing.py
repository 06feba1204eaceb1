"""Verdicts on incidents that no score opens: how long a silence or a frozen channel is to be let pass.

A false alarm asks that what lasted so long is ordinary from now on: for silence, of every series of the stream; for a
frozen channel, of this channel of this series. It is found again in the history by series and time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from detector.alerting.events import Event
from detector.alerting.summaries import IncidentSummary, summarise
from detector.feedback.contradictions import ContradictionError
from detector.feedback.verdicts import Verdict


@dataclass(frozen=True, slots=True)
class Found:
    """A verdict, and what the history has of it.

    Attributes:
        verdict: On an incident of kind ``silence`` or ``frozen``.
        lasted: Seconds of silence, or the most samples of one value; None where the history has no such incident.
        channels: Samples of one value, by channel.
    """

    verdict: Verdict
    lasted: float | None
    channels: Mapping[str, float] = field(default_factory=dict)


def find_again(verdicts: Sequence[Verdict], events: Iterable[Event]) -> list[Found]:
    """What the history has of incidents that verdicts are about.

    Args:
        verdicts: Of kind ``silence`` or ``frozen``.
        events: That the history leads to with the present bundle.
    """
    incidents: dict[tuple[str, str], list[IncidentSummary]] = {}
    for incident in summarise(event for event in events if event.kind != "reconstruction"):
        incidents.setdefault((incident.kind, incident.series), []).append(incident)
    return [_found(verdict, incidents.get((verdict.kind, verdict.series), ())) for verdict in verdicts]


def _found(verdict: Verdict, incidents: Sequence[IncidentSummary]) -> Found:
    mine = [
        incident
        for incident in incidents
        if incident.started_ns <= verdict.ended_ns and incident.last_ns >= verdict.started_ns
    ]
    if not mine:
        return Found(verdict, None)
    channels: dict[str, float] = {}
    for incident in mine:
        for detail in incident.channels:
            channels[detail.channel] = max(channels.get(detail.channel, 0.0), detail.contribution)
    return Found(verdict, max([incident.peak_score for incident in mine] + list(channels.values())), channels)


def refuse_losses(found: Sequence[Found], opens: Callable[[Found], bool]) -> None:
    """See that no incident that was confirmed would be let pass with the false alarms.

    Args:
        found: From `find_again`.
        opens: Whether an incident would still open.

    Raises:
        ContradictionError: one would not.
    """
    for one in found:
        if one.verdict.verdict == "confirmed" and one.lasted is not None and not opens(one):
            raise ContradictionError(
                f"the confirmed incident {one.verdict.subject_id[:8]} of {one.verdict.series[:60]!r} lasted no longer "
                f"than a false alarm of kind {one.verdict.kind}: letting the one pass loses the other. Withdraw one of "
                "them with 'detector feedback mark --verdict withdrawn'"
            )
