"""What the page is told, as JSON documents: incidents in a list, one incident in full, and how it stands as a whole."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from detector.alerting.timestamps import format_time
from detector.dashboard.board import Incident, Told, View
from detector.dashboard.commands import ready_commands
from detector.dashboard.following import Link
from detector.dashboard.neighbours import neighbours
from detector.dashboard.query import SEVERITIES, Query
from detector.feedback.verdicts import Verdict

_DAY_NS = 86_400 * 10**9
_CHANNELS_IN_A_ROW = 3


def row(incident: Incident, query: Query) -> dict[str, Any]:
    """An incident in a list. Times are text in UTC; ``rank`` is its place among others, as asked for."""
    about, event = incident.summary, incident.latest.event
    return {
        "incident_id": about.incident_id,
        "stream": about.stream,
        "series": about.series,
        "kind": about.kind,
        "severity": about.severity,
        "open": about.is_open,
        "started_at": event.started_at,
        "opened_at": event.opened_at,
        "updated_at": event.updated_at,
        "ended_at": event.ended_at,
        "close_reason": about.close_reason,
        "duration_seconds": about.duration_seconds,
        "peak_ratio": about.peak_ratio,
        "ratio": event.score_over_threshold,
        "channels": [
            {"channel": detail.channel, "share": detail.share} for detail in about.channels[:_CHANNELS_IN_A_ROW]
        ],
        "verdict": _verdict(incident.verdict),
        "acknowledged": _verdict(incident.acknowledged),
        "reported_at": format_time(incident.reported_ns),
        "written_at": format_time(incident.latest.written_ns),
        "behind_seconds": (incident.latest.written_ns - about.updated_ns) / 1e9,
        "revision": incident.revision,
        "rank": list(query.rank(incident)),
    }


def listing(view: View, query: Query, life: str) -> dict[str, Any]:
    """A page of a list, with what there is to choose from."""
    found = query.select(view.incidents)
    page = found[query.offset : query.offset + query.limit]
    return {
        "revision": f"{life}-{view.revision}",
        "total": len(found),
        "known": len(view.incidents),
        "offset": query.offset,
        "incidents": [row(incident, query) for incident in page],
        "streams": sorted({incident.summary.stream for incident in view.incidents}),
    }


def in_full(incident: Incident, view: View, config: str) -> dict[str, Any]:
    """All that is known of an incident, with its neighbours and the commands that may help."""
    query = Query()
    event = incident.latest.event
    near = neighbours(incident, view.incidents)
    started_ns = incident.summary.started_ns

    def beside(other: Incident) -> dict[str, Any]:
        return {**row(other, query), "starts_after_seconds": (other.summary.started_ns - started_ns) / 1e9}

    return {
        **row(incident, query),
        "channels": [
            {
                "channel": detail.channel, "share": detail.share, "contribution": detail.contribution,
                "seen": detail.seen, "expected": detail.expected,
            }
            for detail in event.channels
        ],
        "peak_at": event.peak_at,
        "peak_score": event.peak_score,
        "score": event.score,
        "threshold": event.threshold,
        "closed_at": event.closed_at,
        "model": {"version": event.model.version, "digest": event.model.digest},
        "source": {
            "cluster": event.source.cluster, "topic": event.source.topic, "partition": event.source.partition,
            "first_offset": event.source.first_offset, "opened_offset": event.source.opened_offset,
            "last_offset": event.source.last_offset,
        },
        "events": [_told(told) for told in incident.told],
        "events_left_out": incident.left_out,
        "said": [_verdict(said) for said in incident.said],
        "neighbours": {
            "same_series": [beside(other) for other in near.same_series],
            "other_series": [beside(other) for other in near.other_series],
            "more": near.more,
        },
        "commands": [{"purpose": found.purpose, "line": found.line} for found in ready_commands(incident, config)],
    }  # fmt: skip


def status(view: View, links: Sequence[Link], now_ns: int, since_ns: int) -> dict[str, Any]:
    """How it stands as a whole: what is open, what the last day brought, and whether the board is up to date."""
    standing = [incident for incident in view.incidents if incident.summary.is_open]
    open_now = Counter(incident.summary.severity for incident in standing)
    ended = [incident.latest.written_ns for incident in view.incidents if not incident.summary.is_open]
    lately = [incident for incident in view.incidents if incident.reported_ns >= now_ns - _DAY_NS]
    return {
        "now": format_time(now_ns),
        "since": format_time(since_ns),
        "open": {severity: open_now.get(severity, 0) for severity in SEVERITIES},
        "unattended": sum(one.acknowledged is None and one.verdict is None for one in standing),
        "last_day": len(lately),
        "known": len(view.incidents),
        "left_out": view.left_out,
        "streams": sorted({incident.summary.stream for incident in view.incidents}),
        "series_with_incidents": len({(one.summary.stream, one.summary.series) for one in view.incidents}),
        "last_closed_at": format_time(max(ended)) if ended else None,
        "last_event_at": None if view.latest_written_ns is None else format_time(view.latest_written_ns),
        "bad_records": view.bad_records,
        "links": [
            {
                "topic": link.topic, "state": link.state, "since": format_time(link.since_ns), "detail": link.detail,
                "behind_records": link.behind_records, "lost_ranges": link.lost_ranges,
            }
            for link in links
        ],
    }  # fmt: skip


def _told(told: Told) -> dict[str, Any]:
    event = told.event
    return {
        "event_id": event.event_id,
        "event": event.event,
        "sequence": event.sequence,
        "severity": event.severity,
        "updated_at": event.updated_at,
        "written_at": format_time(told.written_ns),
        "ratio": event.score_over_threshold,
        "peak_ratio": event.peak_score_over_threshold,
        "close_reason": event.close_reason,
        "model": event.model.version,
        "partition": told.partition,
        "offset": told.offset,
    }


def _verdict(said: Verdict | None) -> dict[str, Any] | None:
    if said is None:
        return None
    return {"verdict": said.verdict, "author": said.author, "note": said.note, "given_at": said.given_at}
