"""An incident as a picture: the channels it blames, seen against expected, and the score with its threshold."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from bokeh.models import LayoutDOM, Range1d
from bokeh.plotting import figure

from detector.alerting.events import Event
from detector.alerting.timestamps import parse_time
from detector.pictures.channel import channel_lines
from detector.pictures.frame import MS_NS, panel, with_room
from detector.pictures.item import as_item
from detector.pictures.names import shortened
from detector.pictures.origin import cells
from detector.pictures.panels import Mark, PanelData, PictureData, draw_panels
from detector.pictures.score import score_lines
from detector.pictures.stencil import Places, Stencils
from detector.pictures.words import duration, number
from detector.stretches.stretch import Course, Stretch

_LONGEST_NAME = 30  # beside it there must be room for numbers, on a phone too
MOST_PANELS = 5
"""Channels that get a panel of their own; all are in the picture of what each of them adds."""
LEAST_SHARE = 0.01
"""A channel that adds less to the score has no panel of its own unless it is asked for."""
_STENCILS = Stencils(draw_panels)


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
    return draw_panels(Places(_data(event, stretch, earlier or {}, channels)))


def incident_item(event: Event, stretch: Stretch, earlier: Mapping[str, Course] | None = None) -> dict[str, Any]:
    """The same picture as an item that a page draws, by way of an earlier picture of its shape where there is one."""
    if not len(stretch.times_ns):
        return as_item(_nothing())
    data = _data(event, stretch, earlier or {}, ())
    return _STENCILS.item(data, data.shape)


def _data(event: Event, stretch: Stretch, earlier: Mapping[str, Course], wanted: Sequence[str]) -> PictureData:
    tell = {"reconstruction": _reconstruction, "silence": _silence, "frozen": _frozen}[event.kind]
    return tell(event, stretch, earlier, wanted)


def _reconstruction(
    event: Event, stretch: Stretch, earlier: Mapping[str, Course], wanted: Sequence[str]
) -> PictureData:
    order = by_blame(event, stretch)
    shown = _chosen(stretch, wanted) or _worth_a_panel(event, stretch, order)
    blamed = {detail.channel: detail for detail in event.channels}
    marks = _marks(event, stretch)
    panels: list[PanelData] = []
    for index in shown:
        name = stretch.channels[index]
        detail = blamed.get(name)
        title = shortened(name, _LONGEST_NAME)
        if detail is not None:
            title += f"   {detail.share:.0%}   seen {number(detail.seen)}, expected {number(detail.expected)}"
        panels.append(PanelData(title, channel_lines(stretch, index, earlier, expected=True), marks))
    score = score_lines(stretch)
    logarithmic = ", logarithmic" if score.scale == "log" else ""
    title = f"Score{logarithmic}   at most {number(event.peak_score_over_threshold, 3)} times the threshold"
    panels.append(PanelData(title, score, marks))
    if len(stretch.channels) > 1 and bool(np.isfinite(stretch.score).any()):
        found = cells(stretch, order)
        panels.append(PanelData(found.title, found, (_peak(event),)))
    return PictureData(tuple(panels), with_room(int(stretch.times_ns[0]), int(stretch.times_ns[-1])), expected=True)


def _frozen(event: Event, stretch: Stretch, earlier: Mapping[str, Course], wanted: Sequence[str]) -> PictureData:
    kept = {detail.channel: detail for detail in event.channels}
    shown = _chosen(stretch, wanted) or _chosen(stretch, list(kept))[:MOST_PANELS]
    if not shown:
        return _silence(event, stretch, earlier, wanted)
    panels: list[PanelData] = []
    for index in shown:
        name = stretch.channels[index]
        detail = kept.get(name)
        title, marks = shortened(name, _LONGEST_NAME), _marks(event, stretch)
        if detail is not None:
            title += f"   keeps {number(detail.seen, 7)} for {detail.contribution:,.0f} samples"
            if detail is event.channels[0]:
                title += f", {number(event.threshold)} are usual at most"
        if detail is not None and detail.seen is not None:
            marks = (Mark("value", "peak", detail.seen, dash="dashed"), *marks)
        panels.append(PanelData(title, channel_lines(stretch, index, earlier, expected=False), marks))
    return PictureData(tuple(panels), with_room(int(stretch.times_ns[0]), int(stretch.times_ns[-1])), expected=False)


def _silence(event: Event, stretch: Stretch, earlier: Mapping[str, Course], wanted: Sequence[str]) -> PictureData:
    """Of the channels those that moved most before the pause, since silence blames none."""
    shown = _chosen(stretch, wanted) or _by_movement(stretch)[:3]
    began, ended = parse_time(event.started_at), _end(event, stretch)
    marks = (
        Mark("span", "incident", began / MS_NS, ended / MS_NS, alpha=0.35),
        Mark("moment", "threshold", (began + event.threshold * 1e9) / MS_NS, dash="dashed"),
    )
    panels: list[PanelData] = []
    for index in shown:
        title = shortened(stretch.channels[index], _LONGEST_NAME)
        if not panels:
            title += f"   silent for {duration(event.peak_score)}, {duration(event.threshold)} are usual at most"
        panels.append(PanelData(title, channel_lines(stretch, index, earlier, expected=False), marks))
    last = max(int(stretch.times_ns[-1]), ended)
    return PictureData(tuple(panels), with_room(int(stretch.times_ns[0]), last), expected=False)


def _marks(event: Event, stretch: Stretch) -> tuple[Mark, ...]:
    """How long it lasted, and where it was gravest."""
    span = Mark("span", "incident", parse_time(event.started_at) / MS_NS, _end(event, stretch) / MS_NS, alpha=0.22)
    return (span, _peak(event)) if event.kind == "reconstruction" else (span,)


def _peak(event: Event) -> Mark:
    return Mark("moment", "peak", parse_time(event.peak_at) / MS_NS, dash="dotted")


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


def _nothing() -> figure:
    found = panel("No sample of this incident is at hand", 60, x_range=Range1d(0, 1), y_range=Range1d(0, 1))
    found.axis.visible = False
    found.grid.visible = False
    found.toolbar_location = None
    found.line([], [])
    return found
