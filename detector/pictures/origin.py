"""Which channels a score came from, and when: a row for each channel, a cell for each piece of time."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from bokeh.models import ColumnDataSource, LinearColorMapper
from bokeh.plotting import figure

from detector.pictures.frame import AXIS_HEIGHT, MS_NS, hover
from detector.pictures.names import short_names
from detector.pictures.stencil import Places
from detector.stretches.stretch import Stretch

HEAT = "role:heat-a,heat-b,heat-c,heat-d,heat-e,heat-f,heat-g"
_ROW, _LEAST, _HEAD = 16, 40, 28
_MOST_CELLS = 120
MOST_ROWS = 40
"""Channels beyond these, which add least, are left out."""
_MANY_ROWS = 24


@dataclass(frozen=True, slots=True, eq=False)
class Cells:
    """What the picture of origins is drawn from.

    Attributes:
        title: Above it.
        rows: What the channels are called, from the top.
        columns: Of the cells: ``channel``, ``row``, ``left`` and ``right`` (milliseconds since the epoch, UTC),
            ``time`` of the highest score in between, and of then ``contribution``, ``share``, ``seen``, ``expected``,
            and ``shade``.
        top: Greatest shade, above 0.
    """

    title: str
    rows: Sequence[str]
    columns: Mapping[str, Any]
    top: float

    @property
    def height(self) -> int:
        """In pixels, with the axis at its foot."""
        return max(_LEAST, _ROW * len(self.rows)) + _HEAD + AXIS_HEIGHT

    @property
    def shape(self) -> Hashable:
        """See `detector.pictures.stencil`."""
        return "cells", len(self.rows) > _MANY_ROWS


def cells(stretch: Stretch, order: Sequence[int]) -> Cells:
    """The cells of a stretch.

    Every channel's values can be read off them, those without a panel of their own too. Beyond `MOST_ROWS` channels
    those that add least are left out.

    Args:
        stretch: At least one sample.
        order: Channels, greatest first.
    """
    shown = np.array(order[:MOST_ROWS], np.intp)
    count = len(stretch.times_ns)
    edges = np.unique(np.linspace(0, count, min(count, _MOST_CELLS) + 1).astype(np.int64)).tolist()
    step = float(np.median(np.diff(stretch.times_ns))) if count > 1 else 1e9
    pieces = [piece for piece in pairwise(edges) if np.isfinite(stretch.score[slice(*piece)]).any()]
    peaks = np.array([begin + int(np.nanargmax(stretch.score[begin:end])) for begin, end in pieces], np.intp)
    left = np.array([stretch.times_ns[begin] - step for begin, _ in pieces])
    right = np.array([_right(stretch, end, step) for _, end in pieces])
    contribution = stretch.contributions[np.ix_(peaks, shown)]
    score = stretch.score[peaks][:, None]
    share = np.divide(contribution, score, out=np.zeros(contribution.shape), where=score > 0)
    names = [stretch.channels[index] for index in shown]
    short = short_names(names)
    # Cells are many, and what they tell is read by people: seven digits do, but not for times.
    columns: dict[str, Any] = {name: np.repeat(values / MS_NS, len(shown)) for name, values in
                               (("left", left), ("right", right), ("time", stretch.times_ns[peaks]))}  # fmt: skip
    columns |= {
        name: values.astype(np.float32).ravel()
        for name, values in (
            ("contribution", contribution),
            ("share", share),
            ("seen", stretch.seen[np.ix_(peaks, shown)]),
            ("expected", stretch.expected[np.ix_(peaks, shown)]),
            # By its root, so that what lasts for hours can be seen beside a peak.
            ("shade", np.sqrt(np.maximum(contribution, 0.0))),
        )
    }
    columns |= {"channel": names * len(pieces), "row": [short[name] for name in names] * len(pieces)}
    left_out = len(order) - len(shown)
    beyond = f"; {left_out} that add less are left out" if left_out else ""
    top = float(np.nanmax(columns["shade"], initial=0.0)) or 1.0
    return Cells(f"What every channel adds to the score{beyond}", list(short.values()), columns, top)


def draw_origin(found: figure, places: Places[Cells]) -> None:
    """Draw the cells.

    Args:
        found: A panel with an axis of times, and rows on its left.
        places: For them.
    """
    places.bind(found, "height", lambda data: data.height)
    places.bind(found.y_range, "factors", lambda data: list(reversed(data.rows)))
    source = ColumnDataSource(name="origin")
    places.bind(source, "data", lambda data: data.columns)
    mapper = LinearColorMapper(palette=["#eeeeee", "#cc0000"], low=0.0, tags=[HEAT])
    places.bind(mapper, "high", lambda data: data.top)
    shades = found.hbar(
        y="row", left="left", right="right", height=0.9, source=source, line_color=None,
        fill_color={"field": "shade", "transform": mapper},
    )  # fmt: skip
    found.grid.visible = False
    if len(places.data.rows) > _MANY_ROWS:
        found.yaxis.major_label_text_font_size = "9px"
    hover(
        found, [shades],
        [("", "@channel"), ("", "@time{%d %b %H:%M:%S}"), ("adds", "@contribution{%.4g}"), ("share", "@share{0%}"),
         ("seen", "@seen{%.7g}"), ("expected", "@expected{%.7g}")],
        {"@time": "datetime"} | {f"@{name}": "printf" for name in ("contribution", "seen", "expected")},
    )  # fmt: skip


def _right(stretch: Stretch, end: int, step: float) -> float:
    """Where a cell ends that holds the samples up to, not including, this one."""
    last = float(stretch.times_ns[end - 1])
    begins = float(stretch.times_ns[end]) - step if end < len(stretch.times_ns) else np.inf
    return max(min(begins, last + 2 * step), last)
