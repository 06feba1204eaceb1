"""What a model must not learn from: known incidents, what people say was missed, and what it will be judged by."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from detector.alerting.summaries import IncidentSummary
from detector.feedback.verdicts import Verdict
from detector.training_data import SeriesData

FOREVER_NS = 2**63 - 1


@dataclass(frozen=True, slots=True)
class Fault:
    """A stretch of a series in which something was wrong.

    Attributes:
        started_ns: Event time, nanoseconds since the epoch.
        ended_ns: Last time that belongs to it; `FOREVER_NS` while it lasts.
        shows: Whether a model could find it: of a series that was silent there are no samples.
    """

    started_ns: int
    ended_ns: int
    shows: bool = True


Faults = Mapping[str, Sequence[Fault]]


@dataclass(frozen=True, slots=True)
class Known:
    """All that is known of a stream's faults.

    Attributes:
        faults: By series, in order of time, none of which overlap.
        incidents: Incidents among them.
        missed: Faults that people named and no incident had found.
        false_alarms: Incidents that people called false alarms; they are ordinary data.
    """

    faults: Faults
    incidents: int
    missed: int
    false_alarms: int


def known_faults(stream: str, incidents: Iterable[IncidentSummary], verdicts: Iterable[Verdict]) -> Known:
    """Bring incidents and what people said of them together.

    Args:
        stream: Its name.
        incidents: Of any stream.
        verdicts: The latest on each subject, of any stream.
    """
    said = {verdict.subject_id: verdict for verdict in verdicts if verdict.stream == stream}
    faults: dict[str, list[Fault]] = {}
    counted = false_alarms = 0
    for incident in incidents:
        if incident.stream != stream:
            continue
        verdict = said.get(incident.incident_id)
        if verdict is not None and verdict.verdict == "false_alarm":
            false_alarms += 1
            continue
        counted += 1
        ended = FOREVER_NS if incident.ended_ns is None else incident.ended_ns
        faults.setdefault(incident.series, []).append(Fault(incident.started_ns, ended, incident.kind != "silence"))
    missed = [verdict for verdict in said.values() if verdict.verdict == "missed"]
    for verdict in missed:
        faults.setdefault(verdict.series, []).append(Fault(verdict.started_ns, verdict.ended_ns))
    return Known({name: _merged(found) for name, found in sorted(faults.items())}, counted, len(missed), false_alarms)


def _merged(faults: Sequence[Fault]) -> list[Fault]:
    """In order of time; what overlaps is one fault, such as a channel that froze far from where it should be."""
    merged: list[Fault] = []
    for fault in sorted(faults, key=lambda found: found.started_ns):
        if merged and fault.started_ns <= merged[-1].ended_ns:
            last = merged[-1]
            merged[-1] = Fault(last.started_ns, max(last.ended_ns, fault.ended_ns), last.shows or fault.shows)
        else:
            merged.append(fault)
    return merged


def without(data: SeriesData, faults: Faults, margin_ns: int) -> tuple[SeriesData, int]:
    """Leave faulty rows out; what is left of a series is cut there, as at a gap.

    Args:
        data: By series int64[rows] times and float64[rows, channels] values.
        faults: By series.
        margin_ns: Time left out before and after each fault as well: what led to it and what followed.

    Returns:
        The rest, and how many rows were left out.
    """
    rest: SeriesData = {}
    dropped = 0
    for name, (times_ns, values) in data.items():
        kept = np.ones(len(times_ns), np.bool_)
        for fault in faults.get(name, ()):
            last = min(fault.ended_ns, FOREVER_NS - margin_ns) + margin_ns
            kept &= (times_ns < fault.started_ns - margin_ns) | (times_ns > last)
        dropped += int((~kept).sum())
        rest[name] = (times_ns[kept], values[kept])
    return rest, dropped


def hold_out(data: SeriesData, share: float) -> tuple[SeriesData, dict[str, int]]:
    """Keep the end of each series back, to judge by it what has been learned from the rest.

    Args:
        data: By series, none of them empty.
        share: Of each series' rows.

    Returns:
        What may be learned from, scales and thresholds included, without series of which nothing is left; and by series
        the time from which on nothing was.
    """
    from_ns = {name: int(times[int((1 - share) * len(times))]) for name, (times, _) in data.items()}
    early = {name: times < from_ns[name] for name, (times, _) in data.items()}
    rest = {name: (data[name][0][rows], data[name][1][rows]) for name, rows in early.items() if rows.any()}
    return rest, from_ns
