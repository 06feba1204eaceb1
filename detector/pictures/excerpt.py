"""A stretch without an incident: what was seen beside what was expected, as a model does on ordinary data."""

from __future__ import annotations

import numpy as np
from bokeh.models import LayoutDOM
from bokeh.plotting import figure

from detector.pictures.channel import channel_lines, draw_channel
from detector.pictures.frame import MS_NS, panel, shared_crosshair, span_of, stacked, upright
from detector.pictures.score import draw_score, score_lines
from detector.pictures.stencil import Places
from detector.pictures.words import number
from detector.stretches.stretch import Stretch

_MOST_PANELS = 4
_CHANNEL, _SCORE = 112, 104


def excerpt_picture(stretch: Stretch) -> LayoutDOM:
    """The channels that add most to the highest score, and the score.

    Args:
        stretch: At least one sample.
    """
    known = bool(np.isfinite(stretch.score).any())
    peak = int(np.nanargmax(stretch.score)) if known else len(stretch.score) - 1
    order = np.argsort(-np.nan_to_num(stretch.contributions[peak]), kind="stable").tolist()[:_MOST_PANELS]
    x_range = span_of(int(stretch.times_ns[0]), int(stretch.times_ns[-1]))
    panels: list[figure] = []
    for index in order:
        share = stretch.contributions[peak, index] / stretch.score[peak] if known and stretch.score[peak] > 0 else 0.0
        title = f"{stretch.channels[index]}   {share:.0%} of the highest score"
        found = panel(title, _CHANNEL, x_range=x_range, time=True, last=False)
        lines = channel_lines(stretch, index, {}, expected=True)
        draw_channel(found, Places(lines), expected=True, named=not panels, offsets=False)
        panels.append(found)
    scored = score_lines(stretch)
    title = f"Score{', logarithmic' if scored.scale == 'log' else ''}   at most {number(float(stretch.score[peak]))}"
    score = panel(title, _SCORE, x_range=x_range, y_scale=scored.scale, time=True)
    draw_score(score, Places(scored), offsets=False)
    panels.append(score)
    if known:
        for found in panels:
            upright(found, "peak", stretch.times_ns[peak] / MS_NS, "dotted", 1.0)
    shared_crosshair(panels)
    return stacked(panels)
