"""The score of a stretch with its threshold, and which channels it came from."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from bokeh.models import ColumnDataSource, FactorRange, LinearColorMapper
from bokeh.plotting import figure

from detector.pictures.frame import MS_NS, Scale, hold, hover, legend, log_range, milliseconds, panel, short_names
from detector.pictures.lines import breaks, broken, outline, thinned
from detector.stretches.stretch import Stretch

Float64 = npt.NDArray[np.float64]

HEAT = "role:heat-a,heat-b,heat-c,heat-d,heat-e,heat-f,heat-g"
WIDE = 30.0
"""A score this many times the threshold hides everything else on a linear axis."""
_ROW, _LEAST = 16, 40
_MOST_CELLS = 120
MOST_ROWS = 40
_TIMES = frozenset({"left", "right", "time"})


def score_scale(stretch: Stretch) -> Scale:
    """Logarithmic where the score lies so far above the threshold that nothing else could be seen."""
    known = stretch.score[np.isfinite(stretch.score)]
    wide = known.size and len(stretch.threshold) and float(known.max()) > WIDE * float(np.nanmin(stretch.threshold))
    return "log" if wide else "linear"


def draw_score(found: figure, stretch: Stretch, scale: Scale, *, offsets: bool = True) -> None:
    """Draw the score, the threshold in force, and where it was exceeded; ``offsets`` as in `draw_channel`."""
    score = stretch.score if scale == "linear" else np.where(stretch.score > 0, stretch.score, np.nan)
    kept = thinned([score, stretch.threshold])
    at = breaks(stretch.times_ns, kept)
    columns = {
        "time": broken(milliseconds(stretch.times_ns[kept]), at),
        "score": broken(score[kept], at),
        "threshold": broken(stretch.threshold[kept], at),
        "offset": broken(stretch.offsets[kept], at),
    }
    columns["ratio"] = columns["score"] / columns["threshold"]
    source = ColumnDataSource(columns, name="score")
    x, y = outline(columns["time"], np.maximum(columns["score"], columns["threshold"]), columns["threshold"])
    found.patch(
        "x", "y", source=ColumnDataSource({"x": x, "y": y}), fill_alpha=0.28, line_color=None, tags=["role:residual"]
    )
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
    if scale == "log":
        log_range(found, score, stretch.threshold)
    else:
        hold(found, score, stretch.threshold)


def origin(stretch: Stretch, order: Sequence[int], x_range: Any, *, last: bool) -> figure:
    """Which channels the score came from, and when: a row for each channel, a cell for each piece of time.

    Every channel's values can be read off it, those without a panel of their own too. Beyond `MOST_ROWS` channels those
    that add least are left out.

    Args:
        stretch: At least one sample.
        order: Channels, greatest first.
        x_range: That it shares with other panels.
        last: Whether it has the axis at its foot.
    """
    shown = list(order[:MOST_ROWS])
    count = len(stretch.times_ns)
    edges = np.unique(np.linspace(0, count, min(count, _MOST_CELLS) + 1).astype(np.int64))
    step = float(np.median(np.diff(stretch.times_ns))) if count > 1 else 1e9
    columns: dict[str, list[Any]] = {
        name: [] for name in ("channel", "left", "right", "contribution", "share", "seen", "expected", "time")
    }
    for begin, end in zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True):
        score = stretch.score[begin:end]
        if not np.isfinite(score).any():
            continue
        peak = begin + int(np.nanargmax(score))
        left = stretch.times_ns[begin] - step
        right = min(stretch.times_ns[end] - step if end < count else np.inf, stretch.times_ns[end - 1] + 2 * step)
        right = max(right, float(stretch.times_ns[end - 1]))
        for index in shown:
            contribution = float(stretch.contributions[peak, index])
            columns["channel"].append(stretch.channels[index])
            columns["left"].append(left / MS_NS)
            columns["right"].append(right / MS_NS)
            columns["contribution"].append(contribution)
            columns["share"].append(contribution / stretch.score[peak] if stretch.score[peak] > 0 else 0.0)
            columns["seen"].append(float(stretch.seen[peak, index]))
            columns["expected"].append(float(stretch.expected[peak, index]))
            columns["time"].append(stretch.times_ns[peak] / MS_NS)
    rows = short_names([stretch.channels[index] for index in shown])
    left_out = len(order) - len(shown)
    beyond = f"; {left_out} that add less are left out" if left_out else ""
    found = panel(
        f"What every channel adds to the score{beyond}",
        max(_LEAST, _ROW * len(shown)) + 28,
        x_range=x_range,
        y_range=FactorRange(*reversed(list(rows.values()))),
        time=True,
        last=last,
    )
    # Cells are many, and what they tell is read by people: seven digits do, but not for times.
    data: dict[str, Any] = {
        name: np.array(values, np.float64 if name in _TIMES else np.float32)
        for name, values in columns.items()
        if name != "channel"
    }
    data |= {"channel": columns["channel"], "row": [rows[name] for name in columns["channel"]]}
    # By its root, so that what lasts for hours can be seen beside a peak.
    data["shade"] = np.sqrt(np.maximum(data["contribution"], 0.0))
    source = ColumnDataSource(data, name="origin")
    top = float(np.max(data["shade"], initial=0.0)) or 1.0
    mapper = LinearColorMapper(palette=["#eeeeee", "#cc0000"], low=0.0, high=top, tags=[HEAT])
    cells = found.hbar(
        y="row", left="left", right="right", height=0.9, source=source, line_color=None,
        fill_color={"field": "shade", "transform": mapper},
    )  # fmt: skip
    found.grid.visible = False
    if len(shown) > 24:
        found.yaxis.major_label_text_font_size = "9px"
    hover(
        found, [cells],
        [("", "@channel"), ("", "@time{%d %b %H:%M:%S}"), ("adds", "@contribution{%.4g}"), ("share", "@share{0%}"),
         ("seen", "@seen{%.7g}"), ("expected", "@expected{%.7g}")],
        {"@time": "datetime"} | {f"@{name}": "printf" for name in ("contribution", "seen", "expected")},
    )  # fmt: skip
    return found
