"""Series, thresholds and drift of a replay, a section each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from detector.alerting.policy import SEVERITIES
from detector.alerting.summaries import IncidentSummary
from detector.pages.blocks import Block, Cell, Note, Pair, Picture, Section, Table
from detector.pictures import as_item, what_if_curve
from detector.pictures.words import duration, number
from detector.reports.replay.findings import Findings
from detector.reports.replay.incident import rank

DAY_NS = 86_400 * 10**9
NONE = "-"
_MOST_SERIES = 30
_MOST_CHANNELS = 12


def series_section(found: Findings) -> Section:
    """Which series are affected most."""
    by_series: dict[tuple[str, str], list[IncidentSummary]] = {}
    for incident in found.incidents:
        by_series.setdefault((incident.stream, incident.series), []).append(incident)
    order = sorted(
        by_series.items(), key=lambda item: (max(map(rank, item[1])), len(item[1])), reverse=True
    )  # fmt: skip
    days = (found.until_ns - found.since_ns) / DAY_NS
    several = len({stream for stream, _ in by_series}) > 1
    rows = [_series_row(f"{stream} / {series}" if several else series, those, days)
            for (stream, series), those in order[:_MOST_SERIES]]  # fmt: skip
    rest = order[_MOST_SERIES:]
    if rest:
        those = [incident for _, some in rest for incident in some]
        rows.append(_series_row(f"{len(rest):,} other series", those, days))
    quiet = int(found.document["series"]) - len(order)
    caption = f"{quiet:,} further series have none." if quiet > 0 else ""
    head = [
        "Series",
        *(name.capitalize() for name in reversed(SEVERITIES)),
        "A day",
        "Open for",
        "Worst peak",
    ]
    return Section(
        "series",
        "Series",
        [Table(head, rows, caption)],
        "The most affected first; the worst peak is a multiple of the threshold.",
    )


def _series_row(name: str, incidents: Sequence[IncidentSummary], days: float) -> list[str | Cell]:
    severities = Counter(incident.severity for incident in incidents)
    scored = [incident.peak_ratio for incident in incidents if incident.kind == "reconstruction"]
    return [
        name,
        *(Cell(f"{severities[one]:,}" if severities[one] else NONE, number=True) for one in reversed(SEVERITIES)),
        Cell(number(len(incidents) / days, 2) if days else NONE, number=True),
        Cell(duration(sum(incident.duration_seconds for incident in incidents)), number=True),
        Cell(number(max(scored), 3) if scored else NONE, number=True),
    ]


def thresholds_section(document: Mapping[str, Any]) -> Section:
    """What other thresholds would have opened; of `detector.comparison.thresholds.WhatIf.document`."""
    tried = document["thresholds"]
    # One row without incidents tells what all the higher ones would.
    none = [index for index, one in enumerate(tried) if not one["incidents"] and one["ratio"] > 1]
    shown = tried[: none[0] + 1] if none else tried
    rows = [
        [
            Cell(number(one["threshold"]), number=True),
            Cell("in force" if one["ratio"] == 1 else f"x {one['ratio']:.3g}", number=True),
            Cell(f"{one['incidents']:,}", number=True),
            Cell(NONE if one["incidents_per_day"] is None else number(one["incidents_per_day"], 3), number=True),
            Cell(f"{one['series']:,}", number=True),
        ]
        for one in shown
    ]
    present = frozenset(index for index, one in enumerate(shown) if one["ratio"] == 1)
    table = Table(["Threshold", "Present", "Incidents", "A day", "Series"], rows, "", present)
    return Section(
        "thresholds",
        "Other thresholds",
        [Pair([Picture(as_item(what_if_curve(document)), height="m"), table])],
        "How many incidents other thresholds would have opened in the same scores. Those of silence and of frozen "
        "channels have no threshold and are not among them. --threshold tries one.",
    )


def drift_section(found: Findings) -> Section:
    """How far the inputs were from the training data."""
    drift = found.drift or {}
    several = len({stream for stream, _ in drift}) > 1
    order = sorted(drift.items(), key=lambda item: -item[1].index / item[1].limit)
    beyond = [item for item in order if item[1].index > item[1].limit]
    rows = [
        [
            (f"{stream} / " if several else "") + (channel or "score"),
            Cell(number(one.index, 3), number=True),
            Cell(number(one.limit, 3), number=True),
            Cell("shifted", tone="warning") if one.index > one.limit else "as in training",
        ]
        for (stream, channel), one in order[:_MOST_CHANNELS]
    ]
    blocks: list[Block] = []
    caption = "Population stability index of a stretch, at its greatest"
    if len(order) > _MOST_CHANNELS:
        caption += f"; the {_MOST_CHANNELS} of {len(order):,} that are farthest for their limits"
    if beyond:
        blocks.append(
            Note(
                f"{len(beyond):,} of {len(order):,} shifted",
                "What the model reads was unlike what it learned from, so its scores say less than they did.",
                "detector retrain learns the stream anew.",
                tone="warning",
            )
        )
    blocks.append(Table(["Channel", "Farthest", "Limit", ""], rows, caption))
    return Section("drift", "Distance from the training data", blocks, short="Drift")
