"""``detector train --architecture auto``: choosing before training."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING

import typer
from rich.console import Console

from detector.cli.common.judgement import incident_counter
from detector.errors import ConfigError
from detector.settings import IncidentSettings
from models.selection import Selection, select

if TYPE_CHECKING:
    from detector.training_data import SeriesData

AUTO = "auto"
CHOSEN = ("option", "window", "units", "latent", "score", "score_parts", "scales", "link")
"""Parameters of the command that a selection decides."""
THRESHOLD = ("threshold", "alerts_per_week", "risk", "quantile", "adaptive")


def given(context: typer.Context, names: Collection[str]) -> list[str]:
    """Those of the command's parameters that were typed, as they are typed."""
    sources = {name: context.get_parameter_source(name) for name in names}
    return [
        f"--{name.replace('_', '-')}"
        for name, source in sources.items()
        if source is not None and source.name == "COMMANDLINE"
    ]


def refuse_what_is_chosen(context: typer.Context) -> None:
    """Refuse options that a selection decides.

    Raises:
        ConfigError: one was typed.
    """
    if typed := given(context, CHOSEN):
        raise ConfigError(
            f"--architecture auto chooses {', '.join(typed)} itself; leave it out, or name an architecture"
        )


def choose(
    data: SeriesData, channels: tuple[str, ...], period_seconds: float | None, budget_seconds: float, seed: int,
    threads: int | None,
) -> Selection:  # fmt: skip
    """Try candidates, and say on stderr what is being tried.

    Raises:
        models.errors.ModelsError: none can be trained on this data.
    """
    console = Console(stderr=True, highlight=False)
    return select(
        data,
        channels,
        period_seconds,
        lambda window: incident_counter(IncidentSettings(), window),
        budget_seconds,
        seed,
        threads,
        lambda name, epochs, tried: console.print(f"  trying {name} for {epochs} epochs, seed {tried}"),
    )
