"""``python -m benchmarks.quality``: evaluates, has the scores scored, and prints a table."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import Annotated

import typer

from benchmarks.quality.runs import AUTO, SKAB, Runs, choice, seedless
from benchmarks.quality.scorer import Scorer
from benchmarks.quality.table import Figures, figures_of, markdown


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
    models: Annotated[
        str, typer.Option(help="auto, recipe, or architectures, separated by commas.")
    ] = "auto,recipe,pca,lstm",
    jobs: Annotated[int | None, typer.Option(help="Processes; one per core without it.", show_default=False)] = None,
) -> None:
    """Evaluate every model with every seed, and print mean and spread of the figures; `figures.json` has them all.

    What comes out the same with every seed is evaluated once. With SKAB among the sets, its files are also cropped at
    random, by each seed, and scored by what `auto` chose for it.
    """
    runs = Runs(data, out, jobs)
    judge = Scorer(shlex.split(scorer), data)
    numbers = [int(seed) for seed in seeds.split(",")]
    columns: dict[str, list[Figures]] = {}
    choices: dict[str, dict[str, str]] = {}
    for model in models.split(","):
        for seed in numbers[:1] if seedless(model) else numbers:
            figures: Figures = {}
            for set_name in sets.split(","):
                scores = runs.of(model, set_name, seed, numbers[0])
                figures |= figures_of(judge.figures(scores, "--sets", set_name))
                if set_name == "nab":
                    figures["NAB standard, cross-fitted"] = judge.nab_cross_fitted(scores)
                if model == AUTO:
                    choices.setdefault(set_name, {})[str(seed)] = str(choice(scores, set_name)["name"])
            if model == AUTO and SKAB in sets.split(","):
                cropped, scores = runs.cropped(seed, numbers[0])
                figures |= figures_of(Scorer(shlex.split(scorer), cropped).figures(scores), "cropped ")
            columns.setdefault(model, []).append(figures)
            (out / "figures.json").write_text(json.dumps({"figures": columns, "choices": choices}, indent=2) + "\n")
    typer.echo(markdown(columns), nl=False)
    for set_name, by_seed in choices.items():
        typer.echo(f"auto chose for {set_name}: " + "; ".join(f"seed {seed}: {name}" for seed, name in by_seed.items()))


if __name__ == "__main__":
    typer.run(main)
