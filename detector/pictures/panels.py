"""Panels below each other over one time: lines or cells, and what is marked in them."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Literal

from bokeh.models import FactorRange, GridPlot, Range1d
from bokeh.plotting import figure

from detector.pictures.channel import ChannelLines, draw_channel
from detector.pictures.frame import level, mark, panel, shared_crosshair, stacked, upright
from detector.pictures.origin import Cells, draw_origin
from detector.pictures.score import ScoreLines, draw_score
from detector.pictures.stencil import Places

_CHANNEL, _SCORE = 118, 118


@dataclass(frozen=True, slots=True)
class Mark:
    """Something that is marked in a panel.

    Attributes:
        kind: A span of time, a moment, or a value across all times.
        role: Whose colour it has.
        at: Milliseconds since the epoch, or a value; of a span where it begins.
        until: Where a span ends, milliseconds since the epoch.
        dash: Of a line.
        alpha: Of a span.
    """

    kind: Literal["span", "moment", "value"]
    role: str
    at: float
    until: float = 0.0
    dash: str = "solid"
    alpha: float = 0.0

    @property
    def shape(self) -> Hashable:
        """See `detector.pictures.stencil`."""
        return self.kind, self.role, self.dash, self.alpha


@dataclass(frozen=True, slots=True, eq=False)
class PanelData:
    """What a panel shows.

    Attributes:
        title: Above it.
        lines: What is drawn in it.
        marks: In it.
    """

    title: str
    lines: ChannelLines | ScoreLines | Cells
    marks: tuple[Mark, ...]


@dataclass(frozen=True, slots=True, eq=False)
class PictureData:
    """What the picture of an incident shows.

    Attributes:
        panels: From the top.
        span: First and last time that is shown, milliseconds since the epoch, UTC.
        expected: Whether what was expected is drawn beside what was seen.
    """

    panels: tuple[PanelData, ...]
    span: tuple[float, float]
    expected: bool

    @property
    def shape(self) -> Hashable:
        """See `detector.pictures.stencil`."""
        parts = tuple((part.lines.shape, tuple(mark.shape for mark in part.marks)) for part in self.panels)
        return self.expected, parts


def draw_panels(places: Places[PictureData]) -> GridPlot:
    """Draw the panels, with one set of tools for all; depends on the shape alone, but for what it binds."""
    x_range = Range1d()
    places.bind(x_range, "start", lambda data: data.span[0])
    places.bind(x_range, "end", lambda data: data.span[1])
    places.bind(x_range, "bounds", lambda data: data.span)
    panels: list[figure] = []
    count = len(places.data.panels)
    for place in range(count):
        here, last = places.within(_panel_at(place)), place == count - 1
        panels.append(_draw_panel(here, x_range, first=not place, last=last, expected=places.data.expected))
    shared_crosshair(panels)
    return stacked(panels)


def _draw_panel(places: Places[PanelData], x_range: Range1d, *, first: bool, last: bool, expected: bool) -> figure:
    lines = places.data.lines
    if isinstance(lines, ChannelLines):
        found = panel("", _CHANNEL, x_range=x_range, time=True, last=last)
        draw_channel(found, places.within(_channel), expected=expected, named=first)
    elif isinstance(lines, ScoreLines):
        found = panel("", _SCORE, x_range=x_range, y_scale=lines.scale, time=True, last=last)
        draw_score(found, places.within(_score))
    else:
        found = panel("", 0, x_range=x_range, y_range=FactorRange(), time=True, last=last)
        draw_origin(found, places.within(_cells))
    places.bind(found.title.text, "text", lambda data: data.title)
    for place, one in enumerate(places.data.marks):
        _draw_mark(found, places.within(_mark_at(place)), one)
    return found


def _draw_mark(found: figure, places: Places[Mark], one: Mark) -> None:
    if one.kind == "span":
        box = mark(found, one.role, one.alpha)
        places.bind(box, "left", lambda data: data.at)
        places.bind(box, "right", lambda data: data.until)
    else:
        line = upright(found, one.role, one.at, one.dash) if one.kind == "moment" else level(found, one.role, one.at)
        places.bind(line, "location", lambda data: data.at)


def _panel_at(place: int) -> Callable[[PictureData], PanelData]:
    return lambda data: data.panels[place]


def _mark_at(place: int) -> Callable[[PanelData], Mark]:
    return lambda data: data.marks[place]


def _channel(part: PanelData) -> ChannelLines:
    assert isinstance(part.lines, ChannelLines)  # noqa: S101 - of one shape all are
    return part.lines


def _score(part: PanelData) -> ScoreLines:
    assert isinstance(part.lines, ScoreLines)  # noqa: S101 - of one shape all are
    return part.lines


def _cells(part: PanelData) -> Cells:
    assert isinstance(part.lines, Cells)  # noqa: S101 - of one shape all are
    return part.lines
