"""Figures of several runs: mean and spread."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

TARGETS: Mapping[str, float] = {"SMD VUS-PR": 0.68, "ASD VUS-PR": 0.65, "SKAB F1": 0.80, "NAB standard": 60.0}
"""What is aimed at."""

Figures = dict[str, float]
"""By name."""


def figures_of(found: Mapping[str, Any], prefix: str = "") -> Figures:
    """The figures that are reported, of all that the scorer tells.

    Args:
        found: As the scorer writes it.
        prefix: Put before every name.
    """
    figures: Figures = {}
    for name in ("smd", "asd", "skab"):
        mean = found["sets"].get(name, {}).get("mean", {})
        if mean.get("VUS-PR") is not None:
            figures[f"{name.upper()} VUS-PR"] = mean["VUS-PR"]
            if name != "skab":
                figures |= {
                    f"{series['name'].removesuffix('_test')} VUS-PR": series["VUS-PR"]
                    for series in found["sets"][name]["series"]
                    if series["VUS-PR"] is not None
                }
    for who, rates in found.get("skab", {}).items():
        if rates is not None:
            label = "SKAB" if who != "clock rule" else "SKAB clock rule"
            figures |= {f"{label} {rate}": rates[rate] for rate in rates if rate in ("F1", "FAR", "MAR")}
    if "nab" in found:
        figures["NAB standard"] = found["nab"]["score"]
    return {prefix + name: figure for name, figure in figures.items()}


def markdown(columns: Mapping[str, Sequence[Figures]]) -> str:
    """A table with a row for each figure, and a column for each kind of model.

    Args:
        columns: By heading, the figures of each seed.
    """
    names = list(dict.fromkeys(name for runs in columns.values() for figures in runs for name in figures))
    lines = ["| figure | target | " + " | ".join(columns) + " |", "|---" * (len(columns) + 2) + "|"]
    for name in names:
        target = f"{TARGETS[name]:g}" if name in TARGETS else ""
        cells = [_cell([figures[name] for figures in runs if name in figures]) for runs in columns.values()]
        lines.append(f"| {name} | {target} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def _cell(values: Sequence[float]) -> str:
    if not values:
        return "-"
    digits = 3 if max(abs(value) for value in values) <= 1 else 1
    spread = f" ± {np.std(values, ddof=1):.{digits}f}" if len(values) > 1 else ""
    return f"{np.mean(values):.{digits}f}{spread}"
