"""Scores and threshold, as a section."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from detector.pages.blocks import Facts, Pair, Picture, Section, Table, Value
from detector.pictures import as_item, score_histogram
from detector.pictures.words import duration
from detector.reports.train.cells import figure
from detector.reports.train.trained import Trained


def scores_section(trained: Trained) -> Section:
    """How held-out data scores, and where the threshold lies among it."""
    calibration = trained.document["calibration"]
    threshold = calibration["threshold"]
    picture = Picture(
        as_item(score_histogram(trained.held_out.scores, threshold, title="Held-out scores")),
        "Both axes are logarithmic, so that what is rare can be seen as well. What lies far above the threshold may be "
        "faults in the training data.",
    )
    expected, incidents = calibration["expected_alerts_per_day"], calibration["held_out_incidents"]
    spot = calibration["spot"]
    pairs: list[tuple[str, Value]] = [
        ("threshold", f"{threshold:.6g}, by {calibration['method'].replace('_', ' ')}"),
        ("exceeded by", _odds(calibration["risk"])),
        ("held-out data", f"{duration(86_400 * calibration['held_out_days'])}, all series together"),
        ("scores looked at", f"{calibration['samples']:,}, {calibration['outliers']:,} left out as probable faults"),
        ("incidents in it", "not counted" if incidents is None else f"{incidents:,} at this threshold"),
        ("to expect", "unknown" if expected is None else f"{7 * expected:.2g} a week and series of normal operation"),
        ("asked for", _budget(calibration)),
        ("tail", "not fitted" if calibration["tail_shape"] is None else f"shape {calibration['tail_shape']:.3g}"),
        ("it moves", "no" if spot is None else ("dspot" if spot["depth"] else "spot") + ", with each series' scores"),
    ]
    quantiles = Table(
        ["share of held-out scores", "do not exceed", "times the threshold"],
        [
            [f"{100 * float(share):g}%", figure(value), figure(value / threshold)]
            for share, value in calibration["quantiles"].items()
        ],
    )
    lead = "How held-out data scores, and where the threshold lies among it."
    return Section("scores", "Scores and threshold", [picture, Pair([Facts(pairs), quantiles])], lead, short="Scores")


def _budget(calibration: Mapping[str, Any]) -> str:
    asked = calibration["alerts_per_week"]
    return "no alert budget" if asked is None else f"{asked:g} a week and series"


def _odds(risk: float) -> str:
    return f"one ordinary sample in {1 / risk:,.0f}" if risk > 0 else "no ordinary sample"
