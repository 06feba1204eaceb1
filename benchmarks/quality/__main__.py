"""``python -m benchmarks.quality``: evaluates, has the scores scored, and prints a table."""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Annotated

import typer

from benchmarks.quality.crops import write_crops
from benchmarks.quality.scorer import Scorer
from benchmarks.quality.table import Figures, figures_of, markdown

AUTO = "auto"


def main(
    data: Annotated[Path, typer.Argument(help="Labelled series, with manifest.json.", show_default=False)],
    scorer: Annotated[
        str, typer.Option(help="Command of the scorer, before its arguments SCORES DATA.", show_default=False)
    ],
    out: Annotated[Path, typer.Option(help="Folder for scores and figures; what is there is not made again.")] = Path(
        "quality"
    ),
    seeds: Annotated[str, typer.Option(help="Separated by commas.")] = "0,1,2",
    sets: Annotated[str, typer.Option(help="Separated by commas.")] = "smd,asd,skab,nab",
    models: Annotated[str, typer.Option(help="auto, or architectures, separated by commas.")] = "auto,pca,lstm",
    jobs: Annotated[int | None, typer.Option(help="Processes; one per core without it.", show_default=False)] = None,
) -> None:
    """Evaluate every model with every seed, and print mean and spread of the figures; `figures.json` has them all.

    With SKAB among the sets, its files are also cropped at random, by each seed, and scored by `auto`.
    """
    columns: dict[str, list[Figures]] = {}
    for model in models.split(","):
        for seed in seeds.split(","):
            scores = out / f"{model}-{seed}"
            _evaluate(data, scores, sets, model, seed, jobs)
            judge = Scorer(shlex.split(scorer), data)
            figures = figures_of(judge.figures(scores, "--sets", sets))
            if "nab" in sets.split(","):
                figures["NAB standard, cross-fitted"] = judge.nab_cross_fitted(scores)
            if model == AUTO and "skab" in sets.split(","):
                figures |= _cropped(data, out, scorer, seed, jobs)
            columns.setdefault(model, []).append(figures)
            (out / "figures.json").write_text(json.dumps(columns, indent=2) + "\n")
    typer.echo(markdown(columns), nl=False)


def _cropped(data: Path, out: Path, scorer: str, seed: str, jobs: int | None) -> Figures:
    crops, scores = out / f"crops-{seed}", out / f"{AUTO}-crops-{seed}"
    if not (crops / "manifest.json").exists():
        write_crops(data, crops, int(seed))
    _evaluate(crops, scores, "skab", AUTO, seed, jobs)
    return figures_of(Scorer(shlex.split(scorer), crops).figures(scores), "cropped ")


def _evaluate(data: Path, out: Path, sets: str, model: str, seed: str, jobs: int | None) -> None:
    """Run the command as a user would, unless its summary is there already."""
    if (out / "summary.json").exists():
        return
    command = [sys.executable, "-m", "detector", "evaluate", str(data), "--out", str(out), "--sets", sets]
    command += ["--architecture", model, "--seed", seed, *([] if jobs is None else ["--jobs", str(jobs)])]
    subprocess.run(command, check=True)


if __name__ == "__main__":
    typer.run(main)
