"""An incident as a picture: the channels it blames, seen against expected, and the score with its threshold."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from bokeh.models import GridPlot, LayoutDOM, Range1d
from bokeh.plotting import figure

from detector.alerting.events import Event
from detector.alerting.timestamps import parse_time
from detector.pictures.channel import draw_channel
from detector.pictures.frame import (
    MS_NS,
    level,
    mark,
    panel,
    shared_crosshair,
    span_of,
    stacked,
    upright,
)
from detector.pictures.score import draw_score, origin, score_scale
from detector.pictures.words import duration, number
from detector.stretches.stretch import Course, Stretch

MOST_PANELS = 5
"""Channels that get a panel of their own; all are in the picture of what each of them adds."""
LEAST_SHARE = 0.01
"""A channel that adds less to the score has no panel of its own unless it is asked for."""
_CHANNEL, _SCORE = 118, 118


def incident_picture(
    event: Event,
    stretch: Stretch,
    earlier: Mapping[str, Course] | None = None,
    *,
    channels: Sequence[str] = (),
) -> LayoutDOM:
    """Draw an incident.

    A reconstruction incident shows each channel that it blames, the greatest share first, then the score, then what
    every channel adds to it. An incident of frozen channels shows those channels and the value that they keep; one of
    silence the last samples and the pause.

    Args:
        event: The latest of the incident.
        stretch: Samples around it; none is fine.
        earlier: The same series at other times, by name such as ``last day``.
        channels: That get a panel, instead of those that are blamed most.
    """
    if not len(stretch.times_ns):
        return _nothing()
    earlier = earlier or {}
    draw = {"reconstruction": _reconstruction, "silence": _silence, "frozen": _frozen}[event.kind]
    return draw(event, stretch, earlier, channels)


def _reconstruction(event: Event, stretch: Stretch, earlier: Mapping[str, Course], wanted: Sequence[str]) -> GridPlot:
    order = by_blame(event, stretch)
    shown = _chosen(stretch, wanted) or _worth_a_panel(event, stretch, order)
    blamed = {detail.channel: detail for detail in event.channels}
    panels: list[figure] = []
    x_range = span_of(int(stretch.times_ns[0]), int(stretch.times_ns[-1]))
    for index in shown:
        name = stretch.channels[index]
        detail = blamed.get(name)
        title = name
        if detail is not None:
            title += f"   {detail.share:.0%}   seen {number(detail.seen)}, expected {number(detail.expected)}"
        found = panel(title, _CHANNEL, x_range=x_range, time=True, last=False)
        draw_channel(found, stretch, index, earlier, expected=True, named=not panels)
        panels.append(found)
    scale = score_scale(stretch)
    logarithmic = ", logarithmic" if scale == "log" else ""
    overview = len(stretch.channels) > 1 and bool(np.isfinite(stretch.score).any())
    title = f"Score{logarithmic}   at most {number(event.peak_score_over_threshold, 3)} times the threshold"
    score = panel(title, _SCORE, x_range=x_range, y_scale=scale, time=True, last=not overview)
    draw_score(score, stretch, scale)
    panels.append(score)
    for found in panels:
        _mark_incident(found, event, stretch)
    if overview:
        panels.append(origin(stretch, order, x_range, last=True))
        upright(panels[-1], "peak", parse_time(event.peak_at) / MS_NS, "dotted")
    shared_crosshair(panels)
    return stacked(panels)


def _frozen(event: Event, stretch: Stretch, earlier: Mapping[str, Course], wanted: Sequence[str]) -> GridPlot:
    kept = {detail.channel: detail for detail in event.channels}
    shown = _chosen(stretch, wanted) or _chosen(stretch, list(kept))[:MOST_PANELS]
    panels: list[figure] = []
    x_range = span_of(int(stretch.times_ns[0]), int(stretch.times_ns[-1]))
    for index in shown:
        name = stretch.channels[index]
        detail = kept.get(name)
        title = name
        if detail is not None:
            title += f"   keeps {number(detail.seen, 7)} for {detail.contribution:,.0f} samples"
            if detail is event.channels[0]:
                title += f", {number(event.threshold)} are usual at most"
        found = panel(title, _CHANNEL, x_range=x_range, time=True, last=index == shown[-1])
        draw_channel(found, stretch, index, earlier, expected=False, named=not panels)
        if detail is not None and detail.seen is not None:
            level(found, "peak", detail.seen)
        _mark_incident(found, event, stretch)
        panels.append(found)
    if not panels:
        return _silence(event, stretch, earlier, wanted)
    shared_crosshair(panels)
    return stacked(panels)


def _silence(event: Event, stretch: Stretch, earlier: Mapping[str, Course], wanted: Sequence[str]) -> GridPlot:
    """Of the channels those that moved most before the pause, since silence blames none."""
    order = _by_movement(stretch)
    shown = _chosen(stretch, wanted) or order[:3]
    began, ended = parse_time(event.started_at), _end(event, stretch)
    first, last = int(stretch.times_ns[0]), max(int(stretch.times_ns[-1]), ended)
    x_range = span_of(first, last)
    panels: list[figure] = []
    for index in shown:
        title = stretch.channels[index]
        if not panels:
            title += f"   silent for {duration(event.peak_score)}, {duration(event.threshold)} are usual at most"
        found = panel(title, _CHANNEL, x_range=x_range, time=True, last=index == shown[-1])
        draw_channel(found, stretch, index, earlier, expected=False, named=not panels)
        mark(found, "incident", began, ended, 0.35)
        upright(found, "threshold", (began + event.threshold * 1e9) / MS_NS, "dashed")
        panels.append(found)
    shared_crosshair(panels)
    return stacked(panels)


def by_blame(event: Event, stretch: Stretch) -> list[int]:
    """Channels by what they add at the peak, greatest first: as the event says, then as the stretch does."""
    named = _chosen(stretch, [detail.channel for detail in event.channels])
    peak = int(np.argmin(np.abs(stretch.times_ns - parse_time(event.peak_at))))
    rest = np.argsort(-np.nan_to_num(stretch.contributions[peak]), kind="stable").tolist()
    return named + [index for index in rest if index not in named]


def _worth_a_panel(event: Event, stretch: Stretch, order: Sequence[int]) -> list[int]:
    """Those blamed most, without those that add next to nothing; the greatest in any case."""
    shares = {detail.channel: detail.share for detail in event.channels}
    first = list(order[:MOST_PANELS])
    return first[:1] + [index for index in first[1:] if shares.get(stretch.channels[index], 1.0) >= LEAST_SHARE]


def _by_movement(stretch: Stretch) -> list[int]:
    """Channels by how often they change, most often first."""
    moves = [np.count_nonzero(np.diff(column[np.isfinite(column)])) for column in np.asarray(stretch.seen).T]
    order: list[int] = np.argsort(-np.array(moves), kind="stable").tolist()
    return order


def _chosen(stretch: Stretch, names: Sequence[str]) -> list[int]:
    """Indices of those of the names that the stretch has."""
    return [stretch.channels.index(name) for name in names if name in stretch.channels]


def _end(event: Event, stretch: Stretch) -> int:
    """End of the incident; of an open one the end of what is known."""
    if event.ended_at is not None:
        return parse_time(event.ended_at)
    return max(int(stretch.times_ns[-1]), parse_time(event.updated_at))


def _mark_incident(found: figure, event: Event, stretch: Stretch) -> None:
    mark(found, "incident", parse_time(event.started_at), _end(event, stretch), 0.22)
    if event.kind == "reconstruction":
        upright(found, "peak", parse_time(event.peak_at) / MS_NS, "dotted")


def _nothing() -> figure:
    found = panel("No sample of this incident is at hand", 60, x_range=Range1d(0, 1), y_range=Range1d(0, 1))
    found.axis.visible = False
    found.grid.visible = False
    found.toolbar_location = None
    found.line([], [])
    return found
