"""Memory horizons for people: a line in a report, and bars by lag to compare models with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TextIO

from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table

from models.horizon import Horizon

_BAR = 24
_UNITS = ((86_400.0, "d"), (3600.0, "h"), (60.0, "min"), (1.0, "s"), (1e-3, "ms"))


@dataclass(frozen=True, slots=True)
class Measured:
    """A horizon, and whose it is.

    Attributes:
        name: Of the model, for people.
        part: Of its output.
        period_seconds: Step of its samples, or None.
        horizon: What was measured.
    """

    name: str
    part: str
    period_seconds: float | None
    horizon: Horizon


def summary(horizon: Horizon, period_seconds: float | None) -> str:
    """Half-life and reach, in samples and, where they have a period, in time."""
    oldest = len(horizon.norms) - 1
    if not horizon.norms.any():
        return "depends on no input"
    half, reach = (
        f"{beyond}over {oldest} samples" if steps is None else f"{at}{steps:.3g} samples{_span(steps, period_seconds)}"
        for steps, at, beyond in ((horizon.half_life, "", ""), (horizon.reach_5_percent, "at ", "after "))
    )
    return f"half-life {half}, 5% {reach}"


def print_horizons(measured: Sequence[Measured], stream: TextIO) -> None:
    """Summaries, and below them the sensitivity by lag as shares of each one's largest."""
    console = Console(file=stream, highlight=False, soft_wrap=True)
    width = max(len(_title(each)) for each in measured)
    for each in measured:
        console.print(
            f"{_title(each):<{width}}  {summary(each.horizon, each.period_seconds)}", markup=False, style="bold"
        )
    bars = Table("lag", *(_title(each) for each in measured), box=SIMPLE)
    bars.columns[0].justify = "right"
    for column in bars.columns:
        column.no_wrap = True
    for lag in lags(max(len(each.horizon.norms) for each in measured)):
        bars.add_row(str(lag), *(_bar(each.horizon, lag) for each in measured))
    # Wider than the terminal is better than cut off.
    Console(file=stream, highlight=False, width=max(console.width, 12 + (_BAR + 9) * len(measured))).print(bars)


def lags(count: int) -> list[int]:
    """Lags to show out of ``0..count - 1``: one after the other at first, then ever further apart, and the last."""
    chosen, lag = [0], 1
    while lag < count - 1:
        chosen.append(lag)
        lag = max(lag + 1, round(lag * 1.4))
    return [*chosen, count - 1] if count > 1 else chosen


def _title(each: Measured) -> str:
    return f"{each.name} {each.part}"


def _bar(horizon: Horizon, lag: int) -> str:
    if lag >= len(horizon.norms):
        return ""
    share = float(horizon.shares[lag])
    return f"{'█' * round(share * _BAR):<{_BAR}} {share:6.1%}"


def _span(steps: float, period_seconds: float | None) -> str:
    if period_seconds is None:
        return ""
    seconds = steps * period_seconds
    size, unit = next((pair for pair in _UNITS if seconds >= pair[0]), _UNITS[-1])
    return f" ({seconds / size:.3g} {unit})"
