"""One channel of a stretch: seen beside expected, what lies between them, and the same hours before."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from bokeh.models import ColumnDataSource, GlyphRenderer, Renderer
from bokeh.plotting import figure

from detector.pictures.frame import hold, hover, legend, milliseconds
from detector.pictures.lines import breaks, broken, outline, slim, thinned
from detector.pictures.stencil import Places
from detector.stretches.stretch import Course, Stretch

Float64 = npt.NDArray[np.float64]
Int64 = npt.NDArray[np.int64]
Columns = Mapping[str, npt.NDArray[Any]]

DAY_NS = 86_400 * 10**9
SHIFTS_NS: Mapping[str, int] = {"last day": DAY_NS, "last week": 7 * DAY_NS}
"""How much later another time of the series is drawn than it was, by its name."""
_ROLES = ("day", "week")
_MOST_DOTS = 240
"""With more samples than this, dots would hide the line."""


@dataclass(frozen=True, slots=True, eq=False)
class ChannelLines:
    """What the lines of a channel are drawn through.

    Attributes:
        name: Of the channel.
        columns: By name, NaN where lines break: ``time`` (milliseconds since the epoch, UTC), ``seen``, ``expected``,
            ``residual``, ``contribution`` and ``offset``.
        between: ``x`` and ``y`` of the outline of what lies between seen and expected.
        courses: ``time`` and ``seen`` at other times of the series, by name such as ``last day``.
        dots: Whether samples are few enough for a dot each.
        known: Whether there is a value that an axis could follow.
    """

    name: str
    columns: Columns
    between: Columns
    courses: Mapping[str, Columns]
    dots: bool
    known: bool

    @property
    def shape(self) -> Hashable:
        """See `detector.pictures.stencil`."""
        return "channel", tuple(self.courses), self.known


def shift_of(name: str, stretch: Stretch, course: Course) -> int:
    """Nanoseconds by which a course is drawn later than it was: by its name, or else by whole days."""
    if name in SHIFTS_NS:
        return SHIFTS_NS[name]
    apart = float(np.median(stretch.times_ns)) - float(np.median(course.times_ns))
    return round(apart / DAY_NS) * DAY_NS


def channel_lines(stretch: Stretch, index: int, earlier: Mapping[str, Course], *, expected: bool) -> ChannelLines:
    """The lines of a channel.

    Args:
        stretch: Whose.
        index: Of the channel.
        earlier: Other times of the series, by name.
        expected: Whether what was expected is drawn as well.
    """
    courses = {
        name: _course(stretch, index, name, course)
        for (name, course), _ in zip(earlier.items(), _ROLES, strict=False)
        if len(course.times_ns)
    }
    seen, other = stretch.seen[:, index], stretch.expected[:, index]
    kept = thinned([seen, other, np.abs(seen - other)])
    at = breaks(stretch.times_ns, kept)
    time, seen_there, expected_there = (
        broken(column, at) for column in (milliseconds(stretch.times_ns[kept]), seen[kept], other[kept])
    )
    columns = {
        "time": time,
        "seen": slim(seen_there),
        "expected": slim(expected_there),
        "offset": broken(stretch.offsets[kept], at),
        "contribution": slim(broken(stretch.contributions[kept, index], at)),
        "residual": slim(seen_there - expected_there),
    }
    x, y = outline(time, seen_there, expected_there)
    drawn = [seen, *([other] if expected else []), *(courses[name]["seen"] for name in courses)]
    return ChannelLines(
        name=stretch.channels[index],
        columns=columns,
        between={"x": x, "y": slim(y)},
        courses=courses,
        dots=len(kept) <= _MOST_DOTS,
        known=any(bool(np.isfinite(column).any()) for column in drawn),
    )


def draw_channel(
    panel: figure, places: Places[ChannelLines], *, expected: bool, named: bool, offsets: bool = True
) -> GlyphRenderer:
    """Draw a channel.

    Args:
        panel: Where, with an axis of times.
        places: For its lines.
        expected: Whether to draw what was expected as well.
        named: Whether to say above the panel what its lines are.
        offsets: Whether the samples came from records that the pointer is to name.

    Returns:
        What the pointer is told about: the line of what was seen.
    """
    lines = places.data
    names: list[tuple[str, list[Renderer]]] = []
    for name, role in zip(lines.courses, _ROLES, strict=False):
        names.append((name, [_draw_course(panel, places.within(_course_called(name)), name, role)]))
    source = ColumnDataSource()
    places.bind(source, "name", lambda data: f"channel:{data.name}")
    places.bind(source, "data", lambda data: data.columns)
    rows = [("", "@time{%d %b %H:%M:%S}"), ("seen", "@seen")]
    if expected:
        outlined = ColumnDataSource()
        places.bind(outlined, "data", lambda data: data.between)
        between = panel.patch(
            "x", "y", source=outlined, fill_alpha=0.28, line_color=None, tags=["role:residual"],
        )  # fmt: skip
        line = panel.line("time", "expected", source=source, line_width=1.3, tags=["role:expected"])
        names = [("expected", [line]), ("residual", [between]), *names]
        rows += [("expected", "@expected"), ("residual", "@residual"), ("contribution", "@contribution")]
    main = panel.line("time", "seen", source=source, line_width=1.5, tags=["role:seen"])
    # A sample between two that are missing has no line that could show it.
    dots = panel.scatter("time", "seen", source=source, size=3.4, line_color=None, tags=["role:seen"])
    places.bind(dots, "visible", lambda data: data.dots)
    names = [("seen", [main]), *names]
    formats = {"@time": "datetime", "@offset": "printf"}
    formats |= {f"@{name}": "printf" for name in ("seen", "expected", "residual", "contribution")}
    rows = [(name, f"{value}{{%.7g}}" if value != "@time" and f"{value}" in formats else value) for name, value in rows]
    if offsets:
        rows.append(("offset", "@offset{%.0f}"))
    hover(panel, [main], rows, formats, "vline")
    if named:
        legend(panel, names)
    if not lines.known:
        hold(panel)
    return main


def _course(stretch: Stretch, index: int, name: str, course: Course) -> Columns:
    values = course.seen[:, index]
    kept = thinned([values])
    times_ns = course.times_ns[kept] + shift_of(name, stretch, course)
    at = breaks(course.times_ns, kept)
    return {"time": broken(milliseconds(times_ns), at), "seen": slim(broken(values[kept], at))}


def _course_called(name: str) -> Callable[[ChannelLines], Columns]:
    return lambda lines: lines.courses[name]


def _draw_course(panel: figure, places: Places[Columns], name: str, role: str) -> GlyphRenderer:
    source = ColumnDataSource(name=f"course:{name}")
    places.bind(source, "data", lambda columns: columns)
    return panel.line(
        "time", "seen", source=source, line_width=1.2, line_alpha=0.75, line_dash="2 2" if role == "week" else "solid",
        tags=[f"role:{role}"],
    )  # fmt: skip
