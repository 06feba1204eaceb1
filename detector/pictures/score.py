"""The score of a stretch with its threshold."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from bokeh.models import ColumnDataSource, Range1d
from bokeh.plotting import figure

from detector.pictures.channel import Columns
from detector.pictures.frame import LogAxis, Scale, hold, hover, legend, log_axis, milliseconds, put_ticks
from detector.pictures.lines import breaks, broken, outline, slim, thinned
from detector.pictures.stencil import Places
from detector.stretches.stretch import Stretch

Float64 = npt.NDArray[np.float64]

WIDE = 30.0
"""A score this many times the threshold hides everything else on a linear axis."""


@dataclass(frozen=True, slots=True, eq=False)
class ScoreLines:
    """What the score and its threshold are drawn through.

    Attributes:
        columns: By name, NaN where lines break: ``time`` (milliseconds since the epoch, UTC), ``score``,
            ``threshold``, ``ratio`` and ``offset``.
        above: ``x`` and ``y`` of the outline of what lies above the threshold.
        axis: On the left, where it is logarithmic; None where it is linear.
        known: Whether there is a value that a linear axis could follow.
    """

    columns: Columns
    above: Columns
    axis: LogAxis | None
    known: bool

    @property
    def scale(self) -> Scale:
        """Of the axis on the left."""
        return "linear" if self.axis is None else "log"

    @property
    def shape(self) -> Hashable:
        """See `detector.pictures.stencil`."""
        return "score", self.scale, self.known


def score_lines(stretch: Stretch) -> ScoreLines:
    """The lines; logarithmic where the score lies so far above the threshold that nothing else could be seen."""
    logarithmic = _is_wide(stretch)
    score = np.where(stretch.score > 0, stretch.score, np.nan) if logarithmic else stretch.score
    kept = thinned([score, stretch.threshold])
    at = breaks(stretch.times_ns, kept)
    time, there, threshold = (
        broken(column, at) for column in (milliseconds(stretch.times_ns[kept]), score[kept], stretch.threshold[kept])
    )
    columns = {
        "time": time,
        "score": slim(there),
        "threshold": slim(threshold),
        "offset": broken(stretch.offsets[kept], at),
        "ratio": slim(there / threshold),
    }
    x, y = outline(time, np.maximum(there, threshold), threshold)
    return ScoreLines(
        columns=columns,
        above={"x": x, "y": slim(y)},
        axis=log_axis(score, stretch.threshold) if logarithmic else None,
        known=bool(np.isfinite(score).any() or np.isfinite(stretch.threshold).any()),
    )


def draw_score(found: figure, places: Places[ScoreLines], *, offsets: bool = True) -> None:
    """Draw the score, the threshold in force, and where it was exceeded; ``offsets`` as in `draw_channel`."""
    source, above = ColumnDataSource(name="score"), ColumnDataSource()
    places.bind(source, "data", lambda lines: lines.columns)
    places.bind(above, "data", lambda lines: lines.above)
    found.patch("x", "y", source=above, fill_alpha=0.28, line_color=None, tags=["role:residual"])
    main = found.line("time", "score", source=source, line_width=1.5, tags=["role:score"])
    limit = found.line("time", "threshold", source=source, line_width=1.2, line_dash="dashed", tags=["role:threshold"])
    rows = [
        ("", "@time{%d %b %H:%M:%S}"),
        ("score", "@score{%.7g}"),
        ("threshold", "@threshold{%.7g}"),
        ("score / threshold", "@ratio{%.3g}"),
    ]
    if offsets:
        rows.append(("offset", "@offset{%.0f}"))
    formats = {f"@{name}": "printf" for name in ("score", "threshold", "ratio", "offset")}
    hover(found, [main], rows, {"@time": "datetime", **formats}, "vline")
    legend(found, [("score", [main]), ("threshold", [limit])])
    if places.data.axis is not None:
        found.y_range = Range1d()
        ticker = put_ticks(found.yaxis[0], ())
        axis = places.within(_axis)
        axis.bind(found.y_range, "start", lambda fitted: fitted.low)
        axis.bind(found.y_range, "end", lambda fitted: fitted.high)
        axis.bind(ticker, "ticks", lambda fitted: list(fitted.ticks))
    elif not places.data.known:
        hold(found)


def _axis(lines: ScoreLines) -> LogAxis:
    assert lines.axis is not None  # noqa: S101 - of this shape all have one
    return lines.axis


def _is_wide(stretch: Stretch) -> bool:
    known = stretch.score[np.isfinite(stretch.score)]
    if not known.size or not np.isfinite(stretch.threshold).any():
        return False
    return float(known.max()) > WIDE * float(np.nanmin(stretch.threshold))
