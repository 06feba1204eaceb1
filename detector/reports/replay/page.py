"""The page of a replay: the whole at a glance, then incident by incident."""

from __future__ import annotations

from collections import Counter
from typing import Any, cast

from detector.alerting.policy import SEVERITIES
from detector.pages.blocks import (
    Block,
    Cell,
    Empty,
    Facts,
    Finder,
    Note,
    Picture,
    Report,
    Section,
    Table,
    Tile,
    Tiles,
    Tone,
)
from detector.pictures import alerts_per_day, as_item, timeline
from detector.pictures.words import duration, number
from detector.reports.replay.differences import difference_section
from detector.reports.replay.findings import Findings
from detector.reports.replay.incident import ORDERS, Room, incident_entry, moment, rank
from detector.reports.replay.tables import DAY_NS, NONE, drift_section, series_section, thresholds_section

MOST_LISTED = 1000
MOST_PICTURES = 100
MOST_PICTURE_BYTES = 48 << 20
_MOST_BEGINNINGS = 30


def replay_report(found: Findings) -> Report:
    """Lay out what a replay found.

    Of incidents, the `MOST_LISTED` gravest are listed, and the `MOST_PICTURES` gravest have pictures, as far as those
    fit into `MOST_PICTURE_BYTES` of data; so a page is some tens of megabytes at most. To draw one takes a moment.
    """
    names = list(dict.fromkeys(str(stream["stream"]) for stream in found.document["streams"]))
    sections = [_summary(found)]
    if found.document["first_time"] is not None or found.incidents:
        sections += _sections(found, len(names))
    title = f"Replay of {', '.join(names)}" if found.named else "Replay"
    return Report(title, _subtitle(found), sections, found.made)


def _sections(found: Findings, streams: int) -> list[Section]:
    """What follows the summary where there was something to judge."""
    sections = [_timeline(found), _incidents(found, streams)]
    if len(found.incidents) > 1:
        sections.append(series_section(found))
    if found.what_if is not None:
        sections.append(thresholds_section(found.what_if))
    if found.second is not None:
        sections.append(difference_section(found.second, found))
    if found.drift:
        sections.append(drift_section(found))
    return sections


def _subtitle(found: Findings) -> str:
    if found.document["first_time"] is None:
        return f"{found.source}: no sample was scored."
    span = duration((found.until_ns - found.since_ns) / 1e9)
    return (
        f"{found.source}: {found.document['records']:,} records of {found.document['series']:,} series, "
        f"{moment(found.since_ns, seconds=False)} to {moment(found.until_ns, seconds=False)} ({span})."
    )


def _summary(found: Findings) -> Section:
    document, incidents = found.document, found.incidents
    severities = Counter(incident.severity for incident in incidents)
    worst = next((name for name in reversed(SEVERITIES) if severities[name]), None)
    affected = len({(incident.stream, incident.series) for incident in incidents})
    series = int(document["series"])
    days = (found.until_ns - found.since_ns) / DAY_NS
    rate = document["incidents_per_day"]
    per_series = None if not days or not series else len(incidents) / days / series
    tiles = [
        Tile(
            "Incidents",
            f"{len(incidents):,}",
            ", ".join(f"{severities[name]:,} {name}" for name in reversed(SEVERITIES) if severities[name]) or "none",
            worst or ("plain" if document["first_time"] is None else "good"),
        ),
        Tile(
            "Incidents a day",
            NONE if rate is None else number(rate, 3),
            "" if per_series is None else f"{number(per_series, 2)} a day and series",
        ),
        Tile("Series with incidents", f"{affected:,}", f"of {series:,}"),
        Tile(
            "Windows scored",
            f"{document['windows_scored']:,}",
            f"{document['windows_unscored']:,} could not be: too little was observed"
            if document["windows_unscored"]
            else "all that there were",
        ),
        Tile(
            "Undetermined",
            f"{document['undetermined_incidents']:,}",
            "of the incidents",
            "warning" if document["undetermined_incidents"] else "plain",
        ),
    ]
    blocks: list[Block] = [Tiles(tiles)]
    blocks += _notes(document)
    models = [
        [
            stream["stream"],
            Cell(str(stream["version"]), mono=True),
            Cell(number(stream["threshold"]), number=True),
            Cell(str(stream["model"])[:12], mono=True),
        ]
        for stream in document["streams"]
    ]
    blocks.append(Table(["Stream", "Model", "Threshold", "Digest"], models))
    begun = [(f"{one['topic']}/{one['partition']}", f"from the {one['what']}") for one in document["started_from"]]
    if begun:
        blocks.append(Facts(begun[:_MOST_BEGINNINGS]))
    return Section("summary", "Summary", blocks, plain=True)


def _notes(document: Any) -> list[Block]:
    blocks: list[Block] = []
    if document["first_time"] is None:
        blocks.append(
            Note("No record is in that range", "", "Look at --since and --until, or at the offsets.", tone="warning")
        )
    if document["rejected"]:
        reasons = ", ".join(f"{count:,} {reason}" for reason, count in document["rejected"].items())
        blocks.append(
            Note(
                "Records that could not be read",
                f"{reasons}. The worker sends such records to the topic of dead letters.",
                "Look at section record of the configuration, or at who writes them.",
                tone="warning",
            )
        )
    dropped = [f"{document[name]:,} {name}" for name in ("late", "duplicate") if document[name]]
    if dropped:
        blocks.append(Note("Samples that were left out", f"{' and '.join(dropped)}, as the worker leaves them out."))
    return blocks


def _timeline(found: Findings) -> Section:
    blocks: list[Block] = [
        Picture(
            as_item(timeline(found.incidents, found.since_ns, found.until_ns)),
            "Each bar is an incident, with a mark at its peak. Pick one to be led to it.",
            height="l",
        ),
        Picture(as_item(alerts_per_day(found.incidents, found.since_ns, found.until_ns)), height="s"),
    ]
    if not found.incidents:
        blocks = [Empty("No incident", "Nothing in this history was beyond the threshold for long enough.")]
    return Section("timeline", "Timeline", blocks, "Every series with an incident, the gravest at the top.")


def _incidents(found: Findings, streams: int) -> Section:
    if not found.incidents:
        return Section("incidents", "Incidents", [Empty("No incident", "There is nothing to look into.")])
    gravest = sorted(found.incidents, key=lambda incident: (rank(incident), -incident.started_ns), reverse=True)
    room = Room(MOST_PICTURES, MOST_PICTURE_BYTES)
    entries = [
        incident_entry(
            incident,
            found.events[incident.incident_id],
            found.stretch(incident.incident_id),
            room,
            streams=streams,
            undetermined=incident.incident_id in found.undetermined,
            commands=found.commands(incident),
        )
        for incident in gravest[:MOST_LISTED]
    ]
    there = {incident.severity for incident in gravest[:MOST_LISTED]}
    blocks: list[Block] = []
    if len(gravest) > MOST_LISTED:
        blocks.append(
            Note(
                f"{len(gravest) - MOST_LISTED:,} more are not listed",
                f"These are the {MOST_LISTED:,} gravest; the timeline and all numbers count every one.",
                "--events or --json of detector replay tells them all.",
            )
        )
    choices = [(name, cast(Tone, name)) for name in reversed(SEVERITIES) if name in there]
    blocks.append(
        Finder("found", entries, choices, ORDERS, "series, channel, kind or id", "incident", "incidents")
    )  # fmt: skip
    lead = "Open one for what was seen, what was expected, and where the score came from."
    return Section("incidents", "Incidents", blocks, lead)
