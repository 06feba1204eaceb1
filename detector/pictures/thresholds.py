"""What a threshold does: scores around it, and alerts with others."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
from bokeh.models import ColumnDataSource, Range1d
from bokeh.plotting import figure

from detector.pictures.frame import hover, log_range, log_ticks, panel, put_ticks, upright
from detector.pictures.words import number

Float64 = npt.NDArray[np.float64]

_BINS = 80
_HEIGHT = 200


def score_histogram(scores: Float64, threshold: float, *, title: str = "Scores") -> figure:
    """How often each score came, and the threshold; on logarithmic axes, so that what is rare can be seen as well.

    Args:
        scores: float64[n], NaN where unknown.
        threshold: Scores above it are anomalous.
        title: Above it.
    """
    known = scores[np.isfinite(scores)]
    above = int((known > threshold).sum())
    least = max(float(known[known > 0].min()) if (known > 0).any() else threshold / 10, threshold / 1e4)
    most = max(float(known.max()) if known.size else threshold, threshold)
    edges = np.geomspace(least * 0.98, most * 1.02, _BINS + 1)
    counts, _ = np.histogram(np.clip(known, edges[0], edges[-1]), edges)
    found = panel(
        f"{title}   {above:,} of {known.size:,} above {number(threshold)}", _HEIGHT, x_scale="log", y_scale="log"
    )
    shown = counts > 0
    source = ColumnDataSource(
        {"left": edges[:-1][shown], "right": edges[1:][shown], "count": counts[shown].astype(np.float64)},
        name="scores",
    )
    usual, anomalous = (
        found.quad(
            left="left", right="right", top="count", bottom=0.5, source=_part(source, rows), line_color=None,
            fill_alpha=0.85, tags=[f"role:{role}"],
        )
        for role, rows in (("bar", edges[:-1][shown] < threshold), ("residual", edges[:-1][shown] >= threshold))
    )  # fmt: skip
    found.x_range = Range1d(edges[0], edges[-1])
    put_ticks(found.xaxis[0], log_ticks(edges[0], edges[-1]))
    log_range(found, np.array([0.5, max(2.0, float(counts.max(initial=0)))]), room=1.0)
    found.y_range.end *= 1.5
    upright(found, "threshold", threshold, "dashed")
    found.xaxis.axis_label, found.yaxis.axis_label = "score", "samples"
    formats = {"@left": "printf", "@right": "printf", "@count": "printf"}
    hover(found, [usual, anomalous], [("score", "@left{%.4g} to @right{%.4g}"), ("samples", "@count{%.0f}")], formats)
    return found


def what_if_curve(document: Mapping[str, Any]) -> figure:
    """Alerts a day with other thresholds than the present one.

    Args:
        document: Of `detector.comparison.thresholds.WhatIf.document`.
    """
    tried = document["thresholds"]
    thresholds = np.array([one["threshold"] for one in tried], np.float64)
    days = float(document["days"])
    rates = np.array([one["incidents"] for one in tried], np.float64) / (days or 1.0)
    some = rates[rates > 0]
    floor = float(some.min()) / 2 if some.size else 0.1
    present = next(one for one in tried if one["ratio"] == 1)
    source = ColumnDataSource(
        {
            "threshold": thresholds,
            "rate": rates,
            # None has no place on a logarithmic axis: it stands at the foot, and the pointer tells.
            "drawn": np.maximum(rates, floor),
            "incidents": np.array([one["incidents"] for one in tried], np.float64),
            "ratio": np.array([one["ratio"] for one in tried], np.float64),
            "series": np.array([one["series"] for one in tried], np.float64),
        },
        name="what-if",
    )
    unit = "incidents a day" if days else "incidents"
    title = f"Incidents{' a day' if days else ''}, by threshold   {number(present['threshold'])} in force"
    found = panel(title, _HEIGHT, x_scale="log", y_scale="log")
    found.line("threshold", "drawn", source=source, line_width=1.8, tags=["role:first"])
    dots = found.scatter("threshold", "drawn", source=source, size=7, line_color=None, tags=["role:first"])
    log_range(found, source.data["drawn"])
    put_ticks(found.xaxis[0], log_ticks(float(thresholds.min()), float(thresholds.max())))
    upright(found, "threshold", present["threshold"], "dashed")
    found.xaxis.axis_label, found.yaxis.axis_label = "threshold", unit
    formats = {f"@{name}": "printf" for name in ("threshold", "rate", "incidents", "ratio", "series")}
    hover(
        found, [dots],
        [("threshold", "@threshold{%.4g}"), ("times the present", "@ratio{%.3g}"), (unit, "@rate{%.4g}"),
         ("incidents", "@incidents{%.0f}"), ("in series", "@series{%.0f}")],
        formats, "vline",
    )  # fmt: skip
    return found


def _part(source: ColumnDataSource, rows: npt.NDArray[np.bool_]) -> ColumnDataSource:
    return ColumnDataSource({name: column[rows] for name, column in source.data.items()}, name=source.name)
