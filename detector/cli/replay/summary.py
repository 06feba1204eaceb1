"""What a replay found, for machines and for people."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, TextIO

from detector.alerting.summaries import summarise
from detector.alerting.timestamps import format_time
from detector.pipeline.context import StreamContext
from detector.printable import printable
from detector.records.values import InputPartition
from detector.replay import ReplayResult

_DAY_NS = 86_400 * 1_000_000_000
_SHOWN = 30


def as_document(
    result: ReplayResult,
    contexts: Mapping[str, StreamContext],
    started: Sequence[tuple[InputPartition, str]] = (),
) -> dict[str, Any]:
    """The summary as plain values; the fields are documented in ``docs/commands.md``."""
    incidents = summarise(result.events)
    first, last = result.first_time_ns, result.last_time_ns
    days = (last - first) / _DAY_NS if first is not None and last is not None and last > first else None
    return {
        "records": result.records,
        "series": len(result.series),
        "channels": max((len(context.policy.channels) for context in contexts.values()), default=0),
        "windows_scored": result.scored,
        "windows_unscored": result.unscored,
        "rejected": dict(sorted(result.rejected.items())),
        "late": result.late,
        "duplicate": result.duplicate,
        "first_time": None if first is None else format_time(first),
        "last_time": None if last is None else format_time(last),
        "seconds": round(result.seconds, 3),
        "streams": [
            {
                "stream": context.name,
                "model": context.identity.model,
                "version": context.identity.model_version,
                "threshold": context.policy.threshold,
            }
            for context in contexts.values()
        ],
        "started_from": [
            {"topic": partition.topic, "partition": partition.partition, "what": what} for partition, what in started
        ],
        "events": len(result.events),
        "undetermined_incidents": len(result.undetermined),
        "incidents_per_day": None if not days else round(len(incidents) / days, 3),
        "incidents": [
            {
                "incident_id": incident.incident_id,
                "undetermined": incident.incident_id in result.undetermined,
                "kind": incident.kind,
                "stream": incident.stream,
                "series": incident.series,
                "severity": incident.severity,
                "started_at": format_time(incident.started_ns),
                "opened_at": format_time(incident.opened_ns),
                "ended_at": None if incident.ended_ns is None else format_time(incident.ended_ns),
                "duration_seconds": incident.duration_seconds,
                "peak_score_over_threshold": incident.peak_ratio,
                "channels": [[channel.channel, channel.share] for channel in incident.channels],
                "partition": incident.partition,
                "offsets": [incident.first_offset, incident.last_offset],
            }
            for incident in incidents
        ],
    }


def print_summary(document: Mapping[str, Any], stream: TextIO) -> None:
    """The summary for people, on ``stream``."""
    from detector.cli.common.tables import incident_table, result_console

    console = result_console(stream)
    incidents = document["incidents"]
    if incidents:
        shown = incidents[:_SHOWN]
        columns = {
            "started": [incident["started_at"][:16].replace("T", " ") for incident in shown],
            # Names come from the records: control characters in them must not steer the terminal.
            "series": [printable(incident["series"]) for incident in shown],
            "severity": [incident["severity"] + (" ?" if incident["undetermined"] else "") for incident in shown],
            "lasted": ["open" if one["ended_at"] is None else span_text(one["duration_seconds"]) for one in shown],
            "score": [f"{incident['peak_score_over_threshold']:.1f} x" for incident in shown],
        }
        console.print(incident_table(shown, columns, console.width))
        if len(incidents) > _SHOWN:
            console.print(f"… and {len(incidents) - _SHOWN} more; --json or --events tells them all")
        console.print()
    by_severity = Counter(incident["severity"] for incident in incidents)
    parts = ", ".join(f"{by_severity[name]} {name}" for name in ("critical", "warning", "info") if by_severity[name])
    rate = document["incidents_per_day"]
    console.print(
        f"[bold]{len(incidents)} {'incident' if len(incidents) == 1 else 'incidents'}[/]"
        + (f" ({parts})" if parts else "")
        + (f", {rate:g} a day" if rate is not None else "")
    )
    speed = document["records"] / document["seconds"] if document["seconds"] else 0
    console.print(
        f"{document['records']:,} records of {document['series']:,} series, {document['windows_scored']:,} "
        "windows scored, "
        f"in {document['seconds']:.1f} s ({speed:,.0f} records/s)"
    )
    if document["records"] and document["records"] == sum(document["rejected"].values()):
        console.print("every record is invalid; look at the stream's record settings, and at the reasons below")
    elif document["first_time"] is None:
        console.print("no record is in that range; look at --since and --until (event times), or the offsets")
    if document["first_time"]:
        console.print(f"event time {document['first_time']} to {document['last_time']}")
    for begun in document["started_from"][:_SHOWN] if document["first_time"] else ():
        console.print(f"{begun['topic']}/{begun['partition']} started from: {begun['what']}")
    if doubtful := document["undetermined_incidents"]:
        console.print(
            f"?: {doubtful} that a worker may tell otherwise, since it knows what came before the first record that "
            "was read here"
        )
    unusual = {"late": document["late"], "duplicate": document["duplicate"], **document["rejected"]}
    if any(unusual.values()):
        console.print("left out: " + ", ".join(f"{count:,} {reason}" for reason, count in unusual.items() if count))


def span_text(seconds: float) -> str:
    """A length of time for people, such as ``50 min``."""
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"
