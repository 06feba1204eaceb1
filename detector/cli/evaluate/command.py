"""``detector evaluate``: train on and score a folder of labelled series, without reading a label."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

AUTO, RECIPE = "auto", "recipe"
BUDGET = "10m"


def evaluate(
    data: Annotated[Path, typer.Argument(metavar="DATA_DIR", help="Folder with manifest.json.", show_default=False)],
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for the scores.", show_default=False)],
    sets: Annotated[
        str | None, typer.Option(help="Sets, separated by commas; all without it.", show_default=False)
    ] = None,
    only: Annotated[
        str | None, typer.Option(help="Only series with one of these in their name.", show_default=False)
    ] = None,
    jobs: Annotated[
        int | None, typer.Option(min=1, help="Processes; one per core without it.", show_default=False)
    ] = None,
    architecture: Annotated[
        str,
        typer.Option(
            help="auto: for each set, what does best without labels; recipe: what suits the shape of the data; "
            "or a kind of model, with a score as by default."
        ),
    ] = AUTO,
    score_parts: Annotated[
        str | None,
        typer.Option(
            help="Estimates to compare with, as for train, in place of the recipe's; not with auto.", show_default=False
        ),
    ] = None,
    budget: Annotated[
        str | None,
        typer.Option(help=f"How long auto may try models and scores for each set; {BUDGET}.", show_default=False),
    ] = None,
    epochs: Annotated[int | None, typer.Option(min=1, help="At most so many.", show_default=False)] = None,
    seed: Annotated[int, typer.Option(min=0, help="Seed of weights and sampling.")] = 0,
    reuse: Annotated[
        Path | None,
        typer.Option(
            help="Scores of an earlier evaluation: series of the same data and recipe are not trained on again, if "
            "that recipe comes out the same with every seed.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Train on the part of each series that is meant for it and score all of its rows through the replay path.

    Writes <set>/<name>.parquet (time, score, threshold; one row per row of the series) and summary.json, which also
    holds the choice for each set, its reasons, and the recipe of each series. Labels are never read; score the result
    with a scorer of your choice.

    Examples:
        detector evaluate labelled/ --out scores --sets smd,asd

        detector evaluate labelled/ --out scores --only machine-1-6 --jobs 1 --architecture recipe
    """
    import os

    from detector.cli.common.judgement import names_in
    from detector.cli.evaluate.earlier import Earlier
    from detector.cli.evaluate.running import Asked, run
    from detector.errors import ConfigError
    from detector.evaluation import plan
    from detector.moments import parse_span
    from models.architectures import find
    from models.errors import ModelsError

    if architecture != AUTO and budget is not None:
        raise ConfigError("--budget is for trying models; leave it out, or leave --architecture out")
    if architecture == AUTO and score_parts is not None:
        raise ConfigError("--architecture auto chooses --score-parts itself; leave it out, or name an architecture")
    if architecture not in {AUTO, RECIPE}:
        try:
            find(architecture)
        except ModelsError as error:
            raise ConfigError(str(error)) from error
    asked = Asked(
        architecture=None if architecture in {AUTO, RECIPE} else architecture,
        score_parts=names_in(score_parts),
        budget_seconds=parse_span(budget or BUDGET, "--budget") if architecture == AUTO else None,
        epochs=epochs,
        seed=seed,
    )
    earlier = None if reuse is None else Earlier.read(reuse)
    tasks = plan(data, names_in(sets), names_in(only))
    summary = run(tasks, out, asked, jobs or len(os.sched_getaffinity(0)), earlier)
    for name, choice in summary["choices"].items():
        typer.echo(f"{name}: {choice['name']}, {choice['reason']}")
    minutes = summary["seconds"] / 60
    typer.echo(f"scored {len(summary['series'])} series in {minutes:.1f} min; scores and summary.json are in {out}")
