"""Incidents over time, over every series."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from bokeh.models import CategoricalColorMapper, ColumnDataSource, FactorRange, GridPlot, TapTool
from bokeh.plotting import figure

from detector.alerting.policy import SEVERITIES
from detector.alerting.summaries import IncidentSummary
from detector.pictures.frame import MS_NS, hover, legend, panel, span_of, stacked
from detector.pictures.names import short_names
from detector.pictures.words import duration, number

MARKERS = {"info": "circle", "warning": "triangle", "critical": "diamond"}
"""Shapes tell severities apart where colours do not."""
_SIZES = {"info": 8, "warning": 9, "critical": 12}
MOST_ROWS = 150
"""Series with a row of their own; what befell others is in one row together, at the foot."""
_ROW, _NARROW_ROW, _WIDE_ENOUGH, _LEAST = 22, 13, 40, 60
_DAY_NS = 86_400 * 10**9
_HOUR_NS = 3600 * 10**9
_HOURLY_DAYS = 4
ROLES = f"role:{','.join(SEVERITIES)}"


def timeline(
    incidents: Sequence[IncidentSummary],
    since_ns: int,
    until_ns: int,
    most_rows: int = MOST_ROWS,
    known: int | None = None,
) -> figure:
    """Incidents as bars, a row for each series, those with the gravest at the top.

    What the reader picks is told by an event of the page, ``reconstream:select``, with ids of incidents.

    Args:
        incidents: In any order; none is fine.
        since_ns: Event time at the left.
        until_ns: Event time at the right; open incidents last up to it.
        most_rows: Series with a row of their own; what befell others is in one row together, at the foot.
        known: How many there are in all, where these are not all.
    """
    return _draw(incidents, _rows(incidents, most_rows), since_ns, until_ns, known=known)


def _draw(
    incidents: Sequence[IncidentSummary],
    rows: _Rows,
    since_ns: int,
    until_ns: int,
    name: str = "",
    known: int | None = None,
) -> figure:
    height = max(_LEAST, (_ROW if len(rows.names) <= _WIDE_ENOUGH else _NARROW_ROW) * len(rows.names) + 24)
    of = len({(one.stream, one.series) for one in incidents})
    some = "1 incident" if len(incidents) == 1 else f"{len(incidents):,} incidents"
    said = f"{some} of {of:,} series" if incidents else "No incident in this time"
    if known is not None and known > len(incidents) > 0:
        said = f"{len(incidents):,} of {known:,} incidents, {of:,} series"
    found = panel(
        f"{name}   {said}" if name else said,
        height,
        x_range=span_of(since_ns, max(until_ns, since_ns + 1)),
        y_range=FactorRange(*reversed(rows.names)),
        time=True,
        taps=[TapTool()],
    )
    if len(rows.names) > _WIDE_ENOUGH:
        found.yaxis.major_label_text_font_size = "9px"
    found.ygrid.grid_line_alpha = 0.6
    mapper = CategoricalColorMapper(factors=list(SEVERITIES), palette=["#888888"] * len(SEVERITIES), tags=[ROLES])
    colour = {"field": "severity", "transform": mapper}
    shown = []
    for severity in SEVERITIES:  # the gravest last, on top of the others
        source = _source([one for one in incidents if one.severity == severity], rows.of, until_ns)
        bars = found.hbar(
            y="row", left="start", right="end", height=0.62, source=source, fill_color=colour, fill_alpha=0.45,
            line_color=colour, line_alpha=0.9, nonselection_fill_alpha=0.15, nonselection_line_alpha=0.25,
        )  # fmt: skip
        peaks = found.scatter(
            "peak", "row", marker=MARKERS[severity], size=_SIZES[severity], source=source, line_color=None,
            fill_color=colour, fill_alpha=1.0, nonselection_fill_alpha=0.3,
        )  # fmt: skip
        shown.append((severity, bars, peaks))
    hover(
        found, [renderer for _, bars, peaks in shown for renderer in (bars, peaks)],
        [("", "@series"), ("severity", "@severity @kind"), ("started", "@start{%d %b %Y %H:%M:%S}"),
         ("lasted", "@lasted"), ("peak", "@ratio times the threshold"), ("blames", "@blames")],
        {"@start": "datetime"},
    )  # fmt: skip
    present = {one.severity for one in incidents}
    if present:
        legend(found, [(severity, [peaks]) for severity, _, peaks in reversed(shown) if severity in present])
    return found


def alerts_per_day(incidents: Sequence[IncidentSummary], since_ns: int, until_ns: int) -> figure:
    """How many incidents opened on each day, by severity; each hour, where the time is short.

    Args:
        incidents: In any order.
        since_ns: Event time at the left.
        until_ns: Event time at the right.
    """
    until_ns = max(until_ns, since_ns + 1)
    unit, name = (_HOUR_NS, "hour") if until_ns - since_ns < _HOURLY_DAYS * _DAY_NS else (_DAY_NS, "day")
    first, last = since_ns // unit, (until_ns - 1) // unit
    places = np.arange(first, last + 1)
    opened = Counter((one.severity, one.opened_ns // unit) for one in incidents)
    counts: dict[str, Any] = {
        severity: np.array([opened[severity, place] for place in places.tolist()]) for severity in SEVERITIES
    }
    total = np.sum(list(counts.values()), axis=0)
    columns: dict[str, Any] = {
        "time": (places + 0.5) * unit / MS_NS,
        "begin": places * unit / MS_NS,
        "total": total,
        **counts,
    }
    source = ColumnDataSource(columns, name="alerts")
    found = panel(f"Incidents that opened, by {name}", 150, x_range=span_of(first * unit, (last + 1) * unit), time=True)
    found.y_range.start = 0
    found.yaxis.ticker.min_interval = 1
    bars = found.vbar_stack(
        list(reversed(SEVERITIES)), x="time", width=0.84 * unit / MS_NS, source=source, line_color=None
    )
    for renderer, severity in zip(bars, reversed(SEVERITIES), strict=True):
        renderer.glyph.tags = renderer.nonselection_glyph.tags = renderer.muted_glyph.tags = [f"role:{severity}"]
    if not total.any():
        found.y_range.end = 1
    rows = [(severity, f"@{severity}") for severity in reversed(SEVERITIES)]
    when = "@begin{%d %b %Y %H:%M}" if unit == _HOUR_NS else "@begin{%a %d %b %Y}"
    hover(found, bars[-1:], [("", when), *rows], {"@begin": "datetime"}, "vline")
    legend(found, [(severity, [bar]) for bar, severity in zip(bars, reversed(SEVERITIES), strict=True)])
    return found


def compared(
    first: Sequence[IncidentSummary],
    second: Sequence[IncidentSummary],
    names: tuple[str, str],
    since_ns: int,
    until_ns: int,
) -> GridPlot:
    """What two models, or two thresholds, reported: one above the other over the same time.

    Args:
        first: Incidents of the first.
        second: Incidents of the second.
        names: What to call them.
        since_ns: Event time at the left.
        until_ns: Event time at the right.
    """
    rows = _rows([*first, *second])  # the same for both, so that one sees where they differ
    panels = [
        _draw(incidents, rows, since_ns, until_ns, name) for incidents, name in zip((first, second), names, strict=True)
    ]
    panels[1].x_range = panels[0].x_range
    return stacked(panels)


@dataclass(frozen=True, slots=True)
class _Rows:
    """Rows of a timeline.

    Attributes:
        names: From the top.
        of: The row of each stream and series.
    """

    names: Sequence[str]
    of: Mapping[tuple[str, str], str]


def _rows(incidents: Sequence[IncidentSummary], most: int = MOST_ROWS) -> _Rows:
    """A row for each series, the gravest first; what is too many shares the last one."""
    worst: dict[tuple[str, str], tuple[int, float]] = {}
    for one in incidents:
        rank = SEVERITIES.index(one.severity), one.peak_ratio
        key = one.stream, one.series
        worst[key] = max(worst.get(key, rank), rank)
    order = sorted(worst, key=lambda key: (-worst[key][0], -worst[key][1], key))
    several = len({stream for stream, _ in order}) > 1
    names = {key: f"{key[0]} / {key[1]}" if several else key[1] for key in order[:most]}
    short = short_names(list(names.values()))
    row_of = {key: short[name] for key, name in names.items()}
    labels = list(row_of.values())
    if rest := order[most:]:
        labels.append(f"{len(rest):,} other series")
        row_of |= dict.fromkeys(rest, labels[-1])
    return _Rows(labels, row_of)


def _source(
    incidents: Sequence[IncidentSummary], row_of: Mapping[tuple[str, str], str], until_ns: int
) -> ColumnDataSource:
    def end(one: IncidentSummary) -> int:
        return max(until_ns, one.updated_ns) if one.ended_ns is None else one.ended_ns

    return ColumnDataSource(
        {
            "incident": [one.incident_id for one in incidents],
            "row": [row_of[one.stream, one.series] for one in incidents],
            "series": [one.series for one in incidents],
            "severity": [one.severity for one in incidents],
            "kind": ["" if one.kind == "reconstruction" else one.kind for one in incidents],
            "start": np.array([one.started_ns / MS_NS for one in incidents]),
            "end": np.array([end(one) / MS_NS for one in incidents]),
            "peak": np.array([one.peak_ns / MS_NS for one in incidents]),
            "lasted": [duration(one.duration_seconds) + (", still open" if one.is_open else "") for one in incidents],
            "ratio": [number(one.peak_ratio, 3) for one in incidents],
            "blames": [one.blames() or "no channel" for one in incidents],
        },
        tags=["selects:incident"],
        name="incidents",
    )
