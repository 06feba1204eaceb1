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
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    console = Console(file=stream, highlight=False, soft_wrap=True)
    incidents = document["incidents"]
    if incidents:
        table = Table(box=None, pad_edge=False, padding=(0, 2))
        for column in ("started", "series", "severity", "lasted", "score / threshold", "channels"):
            table.add_column(column, overflow="fold")
        for incident in incidents[:_SHOWN]:
            style = {"critical": "red", "warning": "yellow"}.get(incident["severity"], "blue")
            doubt = " ?" if incident["undetermined"] else ""
            lasted = "open" if incident["ended_at"] is None else _span(incident["duration_seconds"])
            blamed = ", ".join(
                f"{channel} {share:.0%}" if incident["kind"] == "reconstruction" else channel
                for channel, share in incident["channels"][:3]
            )
            if incident["kind"] != "reconstruction":
                blamed = " ".join(filter(None, (incident["kind"], blamed)))
            # Names come from the records: brackets in them are no markup, and control characters steer no terminal.
            series, blamed = escape(printable(incident["series"])), escape(printable(blamed))
            table.add_row(
                incident["started_at"][:16].replace("T", " "), series,
                f"[{style}]{incident['severity']}[/]{doubt}", lasted,
                f"{incident['peak_score_over_threshold']:.1f}", blamed,
            )  # fmt: skip
        console.print(table)
        if len(incidents) > _SHOWN:
            console.print(f"… and {len(incidents) - _SHOWN} more; --json or --events tells them all")
        console.print()
    by_severity = Counter(incident["severity"] for incident in incidents)
    parts = ", ".join(f"{by_severity[name]} {name}" for name in ("critical", "warning", "info") if by_severity[name])
    rate = document["incidents_per_day"]
    console.print(
        f"[bold]{len(incidents)} incidents[/]"
        + (f" ({parts})" if parts else "")
        + (f", {rate:g} a day" if rate is not None else "")
    )
    speed = document["records"] / document["seconds"] if document["seconds"] else 0
    console.print(
        f"{document['records']:,} records of {document['series']:,} series, {document['windows_scored']:,} "
        "windows scored, "
        f"in {document['seconds']:.1f} s ({speed:,.0f} records/s)"
    )
    if document["first_time"] is None:
        console.print("no record is in that range; look at --since and --until (event times), or the offsets")
    if document["first_time"]:
        console.print(f"event time {document['first_time']} to {document['last_time']}")
    for begun in document["started_from"][:_SHOWN]:
        console.print(f"{begun['topic']}/{begun['partition']} started from: {begun['what']}")
    if document["undetermined_incidents"]:
        console.print(
            f"{document['undetermined_incidents']} incidents undetermined (?): what was under way before the first "
            "record is not known"
        )
    unusual = {"late": document["late"], "duplicate": document["duplicate"], **document["rejected"]}
    if any(unusual.values()):
        console.print("left out: " + ", ".join(f"{count:,} {reason}" for reason, count in unusual.items() if count))


def _span(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"
