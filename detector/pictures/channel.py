"""One channel of a stretch: seen beside expected, what lies between them, and the same hours before."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
from bokeh.models import ColumnDataSource, GlyphRenderer, Renderer
from bokeh.plotting import figure

from detector.pictures.frame import hold, hover, legend, milliseconds
from detector.pictures.lines import breaks, broken, outline, thinned
from detector.stretches.stretch import Course, Stretch

Float64 = npt.NDArray[np.float64]
Int64 = npt.NDArray[np.int64]

DAY_NS = 86_400 * 10**9
SHIFTS_NS: Mapping[str, int] = {"last day": DAY_NS, "last week": 7 * DAY_NS}
"""How much later another time of the series is drawn than it was, by its name."""
_ROLES = ("day", "week")
_MOST_DOTS = 240
"""With more samples than this, dots would hide the line."""


def shift_of(name: str, stretch: Stretch, course: Course) -> int:
    """Nanoseconds by which a course is drawn later than it was: by its name, or else by whole days."""
    if name in SHIFTS_NS:
        return SHIFTS_NS[name]
    apart = float(np.median(stretch.times_ns)) - float(np.median(course.times_ns))
    return round(apart / DAY_NS) * DAY_NS


def draw_channel(
    panel: figure,
    stretch: Stretch,
    index: int,
    earlier: Mapping[str, Course],
    *,
    expected: bool,
    named: bool,
    offsets: bool = True,
) -> GlyphRenderer:
    """Draw a channel.

    Args:
        panel: Where, with an axis of times.
        stretch: Whose.
        index: Of the channel.
        earlier: Other times of the series, by name.
        expected: Whether to draw what was expected as well.
        named: Whether to say above the panel what its lines are.
        offsets: Whether the samples came from records that the pointer is to name.

    Returns:
        What the pointer is told about: the line of what was seen.
    """
    names: list[tuple[str, list[Renderer]]] = []
    for (name, course), role in zip(earlier.items(), _ROLES, strict=False):
        if len(course.times_ns):
            names.append((name, [_draw_course(panel, stretch, index, name, course, role)]))
    seen, other = stretch.seen[:, index], stretch.expected[:, index]
    kept = thinned([seen, other, np.abs(seen - other)])
    at = breaks(stretch.times_ns, kept)
    time = broken(milliseconds(stretch.times_ns[kept]), at)
    columns = {
        "time": time,
        "seen": broken(seen[kept], at),
        "expected": broken(other[kept], at),
        "offset": broken(stretch.offsets[kept], at),
        "contribution": broken(stretch.contributions[kept, index], at),
    }
    columns["residual"] = columns["seen"] - columns["expected"]
    source = ColumnDataSource(columns, name=f"channel:{stretch.channels[index]}")
    rows = [("", "@time{%d %b %H:%M:%S}"), ("seen", "@seen")]
    if expected:
        x, y = outline(time, columns["seen"], columns["expected"])
        between = panel.patch(
            "x", "y", source=ColumnDataSource({"x": x, "y": y}), fill_alpha=0.28, line_color=None,
            tags=["role:residual"],
        )  # fmt: skip
        line = panel.line("time", "expected", source=source, line_width=1.3, tags=["role:expected"])
        names = [("expected", [line]), ("residual", [between]), *names]
        rows += [("expected", "@expected"), ("residual", "@residual"), ("contribution", "@contribution")]
    main = panel.line("time", "seen", source=source, line_width=1.5, tags=["role:seen"])
    if len(kept) <= _MOST_DOTS:
        # A sample between two that are missing has no line that could show it.
        panel.scatter("time", "seen", source=source, size=3.4, line_color=None, tags=["role:seen"])
    names = [("seen", [main]), *names]
    formats = {"@time": "datetime", "@offset": "printf"}
    formats |= {f"@{name}": "printf" for name in ("seen", "expected", "residual", "contribution")}
    rows = [(name, f"{value}{{%.7g}}" if value[1:] in columns and value != "@time" else value) for name, value in rows]
    if offsets:
        rows.append(("offset", "@offset{%.0f}"))
    hover(panel, [main], rows, formats, "vline")
    if named:
        legend(panel, names)
    hold(panel, seen, *([other] if expected else []), *(course.seen[:, index] for course in earlier.values()))
    return main


def _draw_course(panel: figure, stretch: Stretch, index: int, name: str, course: Course, role: str) -> GlyphRenderer:
    values = course.seen[:, index]
    kept = thinned([values])
    times_ns = course.times_ns[kept] + shift_of(name, stretch, course)
    at = breaks(course.times_ns, kept)
    source = ColumnDataSource(
        {"time": broken(milliseconds(times_ns), at), "seen": broken(values[kept], at)}, name=f"course:{name}"
    )
    return panel.line(
        "time", "seen", source=source, line_width=1.2, line_alpha=0.75, line_dash="2 2" if role == "week" else "solid",
        tags=[f"role:{role}"],
    )  # fmt: skip
