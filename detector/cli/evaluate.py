"""``detector evaluate``: train on and score a folder of labelled series, without reading a label."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from detector.evaluation import Task

AUTO = "auto"


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
        typer.Option(help="Kind of model, with a score as by default; auto: what suits the shape of the data."),
    ] = "auto",
    score_parts: Annotated[
        str | None,
        typer.Option(help="Estimates to compare with, as for train, in place of the recipe's.", show_default=False),
    ] = None,
    budget: Annotated[
        str | None,
        typer.Option(
            help="With auto: try models and scores for so long on the training part of each series, as train does; "
            "without it the shape of the data decides.",
            show_default=False,
        ),
    ] = None,
    epochs: Annotated[int | None, typer.Option(min=1, help="At most so many.", show_default=False)] = None,
    seed: Annotated[int, typer.Option(min=0, help="Seed of weights and sampling.")] = 0,
) -> None:
    """Train on the part of each series that is meant for it and score all of its rows through the replay path.

    Writes <set>/<name>.parquet (time, score, threshold; one row per row of the series) and summary.json, which also
    holds the recipe of each series. Labels are never read; score the result with a scorer of your choice.

    Examples:
        detector evaluate labelled/ --out scores --sets smd,asd

        detector evaluate labelled/ --out scores --only machine-1-6 --jobs 1 --epochs 5
    """
    import json
    import os
    import time
    from concurrent.futures import ProcessPoolExecutor, as_completed
    from multiprocessing import get_context

    from rich.console import Console

    from detector.cli.common.moments import parse_span
    from detector.errors import ConfigError
    from detector.evaluation import plan
    from detector.files.whole import WholeFile
    from models.architectures import find
    from models.errors import ModelsError

    if architecture != AUTO:
        if budget is not None:
            raise ConfigError("--budget is for trying models; leave it out, or leave --architecture out")
        try:
            find(architecture)
        except ModelsError as error:
            raise ConfigError(str(error)) from error
    tasks = plan(data, _names(sets), _names(only))
    workers = min(jobs or len(os.sched_getaffinity(0)), len(tasks))
    console = Console(stderr=True, highlight=False)
    options: dict[str, Any] = {
        "architecture": architecture,
        "score_parts": _names(score_parts),
        "epochs": epochs,
        "seed": seed,
    }
    options["budget_seconds"] = None if budget is None else parse_span(budget, "--budget")
    started = time.monotonic()
    results: list[dict[str, Any]] = []
    # The longest first, so that no process is left alone with one at the end.
    tasks.sort(key=lambda task: -sum(part.path.stat().st_size for part in task.train) - task.scored.stat().st_size)
    # spawn: TensorFlow does not survive a fork.
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        futures = [pool.submit(evaluate_one, task, out, options) for task in tasks]
        try:
            for number, future in enumerate(as_completed(futures), 1):
                result = future.result()
                results.append(result)
                console.print(
                    f"[{number}/{len(tasks)}] {result['set']}/{result['name']}: {result['rows']:,} rows, "
                    f"trained {result['train_seconds']:.0f} s, scored {result['score_seconds']:.0f} s",
                    markup=False,
                )
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    seconds = time.monotonic() - started
    summary = {
        "options": options,
        "jobs": workers,
        "seconds": round(seconds, 1),
        "series": sorted(results, key=lambda result: (result["set"], result["name"])),
    }
    with WholeFile(out / "summary.json") as file:
        file.write(json.dumps(summary, indent=2).encode() + b"\n")
    typer.echo(f"scored {len(results)} series in {seconds / 60:.1f} min; scores and summary.json are in {out}")


def _names(text: str | None) -> list[str]:
    return [] if text is None else [name.strip() for name in text.split(",") if name.strip()]


def evaluate_one(task: Task, out: Path, options: dict[str, Any]) -> dict[str, Any]:
    """Train, write the bundle to a temporary place, replay from it, write the scores. Runs in a process of its own."""
    import tempfile
    import time
    from dataclasses import replace
    from datetime import UTC, datetime

    from detector.cli.common.assemble import open_bundle, stream_context
    from detector.cli.common.judgement import incident_counter
    from detector.evaluation import MUTED_ROWS, muted, read_part, score_file, write_scores
    from detector.settings import IncidentSettings, StreamSettings
    from detector.training_data import SeriesData, median_period_seconds
    from models.bundle import write_bundle
    from models.recipe import Recipe, fixed
    from models.selection import select
    from models.training import train

    started = time.monotonic()
    series: SeriesData = {}
    channels: tuple[str, ...] = ()
    for part in task.train:
        table, times, values = read_part(part, channels or None)
        channels = channels or table.channels
        series[part.path.stem] = (times, values)
    # The scaler's row is looked up by series name: rows of the scored file are those of the series trained on.
    name = task.train[0].path.stem
    lengths = [len(times) for times, _ in series.values()]
    architecture = options["architecture"]
    period_seconds, budget = median_period_seconds(series), options["budget_seconds"]
    if architecture != AUTO:
        recipe = Recipe(name=architecture, architecture=architecture)
    elif budget is None:
        recipe = fixed(len(channels), sum(lengths))
    else:
        recipe = select(
            series,
            channels,
            period_seconds,
            lambda window: incident_counter(IncidentSettings(), window),
            budget,
            options["seed"],
            threads=1,
        ).recipe
    if parts := options["score_parts"]:
        recipe = replace(recipe, score=replace(recipe.score, parts=tuple(parts)))
    spec = recipe.spec(channels, longest=max(lengths), period_seconds=period_seconds, seed=options["seed"])
    chosen = {} if options["epochs"] is None else {"epochs": options["epochs"]}
    trained = train(
        series,
        spec,
        recipe.train_options(threads=1, horizon_sequences=0, **chosen),
        score=recipe.score,
        calibration=recipe.calibration,
        count_incidents=incident_counter(IncidentSettings(), spec.window),
    )
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "bundle"
        write_bundle(path, trained, created_at=datetime.now(UTC))
        bundle = open_bundle(path)
        train_seconds = time.monotonic() - started
        stream = StreamSettings.model_validate(
            {
                "name": task.set_name, "topic": "file", "model": str(path), "record": {"decoder": "row"},
                # A row that can be scored gets a score, however long the gap before it.
                "window": {"max_jump_seconds": "10000d", "forget_after_seconds": "10000d"},
            }
        )  # fmt: skip
        context = stream_context(stream, bundle, "", keep_scores=True)
        rows = score_file(task.scored, context, name)
    rows = muted(rows, MUTED_ROWS.get(task.set_name, 0))
    write_scores(out / task.set_name / f"{task.name}.parquet", rows, context.policy.threshold)
    return {
        "set": task.set_name,
        "name": task.name,
        "rows": len(rows.score),
        "rows_scored": rows.scored,
        "channels": len(channels),
        "recipe": recipe.to_dict(),
        "window": spec.window,
        "threshold": context.policy.threshold,
        "epochs": len(trained.history.epochs),
        "stopped": trained.history.stopped,
        "train_seconds": round(train_seconds, 1),
        "score_seconds": round(time.monotonic() - started - train_seconds, 1),
    }
