"""What all pictures have in common: fonts, axes in UTC, tools, and colours by role rather than by name.

Colours belong to the page: a model that is tagged ``role:seen`` is drawn in ``--fig-seen`` of the page's style, light
or dark (``detector/pages/static/theme.js``).

Names of channels and series come from outside. Where Bokeh takes text for mathematics between dollar signs, and would
load a program for it from a network, they are handed on as plain text.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from bokeh.layouts import gridplot
from bokeh.models import (
    BasicTickFormatter,
    BoxAnnotation,
    BoxZoomTool,
    CrosshairTool,
    DatetimeTickFormatter,
    FixedTicker,
    GlyphRenderer,
    GridPlot,
    HoverTool,
    InlineStyleSheet,
    Legend,
    LegendItem,
    NoOverlap,
    PanTool,
    PlainText,
    Range1d,
    Renderer,
    ResetTool,
    SaveTool,
    Span,
    Title,
    Tool,
    WheelZoomTool,
)
from bokeh.plotting import figure

Float64 = npt.NDArray[np.float64]
Int64 = npt.NDArray[np.int64]
Scale = Literal["linear", "log"]

MS_NS = 1_000_000
AXIS_HEIGHT = 24
"""Of an axis at the foot of a panel, in pixels."""
_SMALL = "11px"
_LEGEND_ROW = 22
_FEW_DECADES = 2.2
_LEFT = 58
_FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Noto Sans', 'Liberation Sans', Arial, sans-serif"
_DATE = "%a %d %b %Y"

TOOLTIP_STYLE = """
.bk-Tooltip {
  --tooltip-color: var(--surface, #fff); --tooltip-text: var(--ink, #171b21);
  --tooltip-border: var(--line-strong, #c9ced7);
  border-radius: 6px; box-shadow: 0 4px 14px rgb(0 0 0 / 18%); font-variant-numeric: tabular-nums;
}
"""


def milliseconds(times_ns: Int64) -> Float64:
    """float64[n]; the unit of Bokeh's time axes, from int64[n] nanoseconds since the epoch."""
    ms: Float64 = times_ns / MS_NS
    return ms


def panel(
    title: str,
    height: int,
    *,
    x_range: Any = None,
    y_range: Any = None,
    x_scale: Scale = "linear",
    y_scale: Scale = "linear",
    time: bool = False,
    last: bool = True,
    taps: Sequence[Tool] = (),
) -> figure:
    """An empty picture, as wide as there is room.

    Args:
        title: Above it.
        height: In pixels, the axis at its foot not included.
        x_range: That it shares with other panels.
        y_range: Instead of one that follows the data.
        x_scale: Of the axis at its foot.
        y_scale: Of the axis on its left.
        time: Whether the axis at its foot is one of times.
        last: Whether it has the axis at its foot; other panels below it may.
        taps: Further tools.
    """
    zoom = BoxZoomTool(dimensions="width")
    tools: list[Tool] = [
        zoom, PanTool(dimensions="width"), WheelZoomTool(dimensions="width"), ResetTool(), SaveTool(), *taps,
    ]  # fmt: skip
    ranges = {name: value for name, value in (("x_range", x_range), ("y_range", y_range)) if value is not None}
    found = figure(
        height=height + (AXIS_HEIGHT if last else 0),
        sizing_mode="stretch_width",
        x_axis_type="datetime" if time else x_scale,
        y_axis_type=y_scale if y_range is None else "auto",
        tools=tools,
        toolbar_location="above",
        background_fill_color=None,
        border_fill_color=None,
        min_border_left=_LEFT,
        min_border_right=8,
        min_border_top=2,
        min_border_bottom=7,  # room for the lower half of a label at the foot of the left axis
        title=Title(text=PlainText(text=title), text_font_size="12px", text_font_style="bold", offset=-_LEFT + 12),
        stylesheets=[InlineStyleSheet(css=TOOLTIP_STYLE)],
        lod_threshold=None,
        **ranges,
    )
    found.toolbar.logo = None
    found.toolbar.active_drag = zoom
    found.title.text_font = _FONT
    for axis in (*found.xaxis, *found.yaxis):
        axis.major_label_text_font = axis.axis_label_text_font = _FONT
        axis.major_label_text_font_size = axis.axis_label_text_font_size = _SMALL
        axis.axis_label_text_font_style = "normal"
        axis.minor_tick_line_color = None
        axis.major_tick_in, axis.major_tick_out = 0, 4
    found.xaxis.visible = last
    if time:
        found.xaxis.ticker.desired_num_ticks = 5  # as many as there is room for on a phone
        found.xaxis.major_label_policy = NoOverlap(min_distance=6)
        found.xaxis.formatter = DatetimeTickFormatter(
            milliseconds="%H:%M:%S.%3N", seconds="%H:%M:%S", minsec="%H:%M:%S", minutes="%H:%M", hourmin="%H:%M",
            hours="%H:%M", days="%d %b", months="%b %Y", years="%Y",
            context=DatetimeTickFormatter(
                seconds=_DATE, minsec=_DATE, minutes=_DATE, hourmin=_DATE, hours=_DATE, days="%Y", months="", years="",
                milliseconds=_DATE, microseconds=_DATE,
            ),
            context_which="start", hide_repeats=True, context_location="below",
        )  # fmt: skip
    if y_scale == "linear" and y_range is None:
        found.yaxis.ticker.desired_num_ticks = max(2, min(6, height // 30))
        found.yaxis.formatter = BasicTickFormatter(precision="auto", power_limit_high=6, power_limit_low=-4)
    return found


def stacked(panels: Sequence[figure]) -> GridPlot:
    """Panels below each other, with one set of tools for all."""
    grid = gridplot(
        [[one] for one in panels],
        sizing_mode="stretch_width",
        toolbar_location="above",
        toolbar_options={"logo": None},
        merge_tools=True,
    )
    grid.toolbar.stylesheets = [InlineStyleSheet(css=":host { --divider-color: var(--line, #ddd); }")]
    zoom = next((tool for tool in grid.toolbar.tools if "BoxZoom" in str(getattr(tool, "tools", tool))), None)
    if zoom is not None:
        grid.toolbar.active_drag = zoom
    return grid


def shared_crosshair(panels: Sequence[figure]) -> None:
    """One upright line through all panels at the pointer."""
    line = Span(dimension="height", line_dash="dotted", line_width=1, tags=["role:text"])
    for one in panels:
        one.add_tools(CrosshairTool(overlay=(Span(dimension="width", visible=False), line), visible=False))


def hover(
    panel_: figure,
    renderers: Sequence[GlyphRenderer],
    rows: Sequence[tuple[str, str]],
    formats: dict[str, str] | None = None,
    mode: Literal["mouse", "vline", "hline"] = "mouse",
) -> None:
    """Tell what is at the pointer.

    Args:
        panel_: Where.
        renderers: Of what.
        rows: Names, and what stands for the value, such as ``@seen``.
        formats: By field: how it is written. Without one, numbers have seven digits.
        mode: What counts as being at the pointer.
    """
    panel_.add_tools(
        HoverTool(
            renderers=list(renderers), tooltips=list(rows), formatters=dict(formats or {}), mode=mode,
            point_policy="snap_to_data", line_policy="nearest", attachment="horizontal", visible=False,
        )
    )  # fmt: skip


def mark(panel_: figure, role: str, alpha: float) -> BoxAnnotation:
    """Shade a span of time behind what is drawn; ``left`` and ``right`` are the caller's to set."""
    box = BoxAnnotation(fill_alpha=alpha, line_color=None, level="underlay", tags=[f"role:{role}"])
    panel_.add_layout(box)
    return box


def upright(panel_: figure, role: str, place: float, dash: str = "solid", width: float = 1.2) -> Span:
    """An upright line at a value of the axis at the foot."""
    line = Span(location=place, dimension="height", line_dash=dash, line_width=width, tags=[f"role:{role}"])
    panel_.add_layout(line)
    return line


def level(panel_: figure, role: str, height: float) -> Span:
    """A line across at a value of the axis on the left."""
    line = Span(location=height, dimension="width", line_dash="dashed", line_width=1.2, tags=[f"role:{role}"])
    panel_.add_layout(line)
    return line


def legend(panel_: figure, items: Sequence[tuple[str, Sequence[Renderer]]], columns: int = 3) -> None:
    """Names of what is drawn, above it, where they hide nothing."""
    panel_.height += _LEGEND_ROW * -(-len(items) // columns)
    panel_.add_layout(
        Legend(
            items=[LegendItem(label=name, renderers=list(renderers)) for name, renderers in items],
            orientation="horizontal", ncols=columns, location="left", border_line_color=None,
            background_fill_alpha=0, label_text_font=_FONT, label_text_font_size=_SMALL, label_height=14,
            glyph_height=14, glyph_width=18, padding=2, margin=2, spacing=10, label_standoff=4,
        ),
        "above",
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class LogAxis:
    """A logarithmic axis on the left.

    Attributes:
        low: Its lower end, above 0.
        high: Its upper end.
        ticks: Where people look for them: at 1, 2 and 5 of each decade, or at 1 of many.
    """

    low: float
    high: float
    ticks: Sequence[float]


def log_axis(*columns: Float64, room: float = 1.25) -> LogAxis:
    """Fit an axis to columns, whose values are above 0 or NaN."""
    values = np.concatenate([column[np.isfinite(column) & (column > 0)] for column in columns])
    low, high = (float(values.min()) / room, float(values.max()) * room) if values.size else (0.1 / room, room)
    return LogAxis(low, high, log_ticks(low, high))


def log_ticks(low: float, high: float) -> list[float]:
    """Ticks from somewhat below the one to somewhat above the other."""
    decades = range(math.floor(math.log10(low)) - 1, math.ceil(math.log10(high)) + 2)
    many = math.log10(high / low) > _FEW_DECADES
    return [float(f"{first}e{decade}") for decade in decades for first in ((1,) if many else (1, 2, 5))]


def put_ticks(axis: Any, ticks: Sequence[float]) -> FixedTicker:
    """Put ticks on an axis, at these values and nowhere else."""
    axis.ticker = FixedTicker(ticks=list(ticks))
    axis.formatter = BasicTickFormatter(precision="auto", power_limit_high=6, power_limit_low=-4)
    return axis.ticker


def log_range(panel_: figure, *columns: Float64, room: float = 1.25) -> None:
    """Fit a logarithmic axis on the left to columns, whose values are above 0 or NaN."""
    fitted = log_axis(*columns, room=room)
    panel_.y_range = Range1d(fitted.low, fitted.high)
    put_ticks(panel_.yaxis[0], fitted.ticks)


def hold(panel_: figure) -> None:
    """Give the axis on the left a range where there is nothing that it could follow: Bokeh complains of that."""
    panel_.y_range = Range1d(0.0, 1.0)


def span_of(start_ns: int, end_ns: int, margin: float = 0.01) -> Range1d:
    """A range of times with a little room on both sides; the reader can go no further out than that."""
    start, end = with_room(start_ns, end_ns, margin)
    return Range1d(start, end, bounds=(start, end))


def with_room(start_ns: int, end_ns: int, margin: float = 0.01) -> tuple[float, float]:
    """Milliseconds since the epoch: a span of times with a little room on both sides."""
    room = max((end_ns - start_ns) * margin, 1e9)
    return (start_ns - room) / MS_NS, (end_ns + room) / MS_NS
