"""All series of an evaluation, in processes: first what each set is trained by, then the series."""

from __future__ import annotations

import dataclasses
import json
import time
from collections.abc import Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console

from detector import __version__
from detector.cli.common.selection_report import print_selection
from detector.cli.evaluate.choice import Choice, choose
from detector.cli.evaluate.earlier import SUMMARY, Earlier
from detector.cli.evaluate.series import Manner, evaluate_one
from detector.cli.evaluate.workforce import workforce
from detector.files.whole import WholeFile
from models.recipe import Recipe

if TYPE_CHECKING:
    from detector.evaluation import Task


@dataclass(frozen=True, slots=True)
class Asked:
    """What was asked for.

    Attributes:
        architecture: Kind of model; None: what is chosen, or the recipe.
        score_parts: See `Manner`.
        budget_seconds: How long to try models for each set; None: not at all.
        epochs: See `Manner`.
        seed: See `Manner`.
    """

    architecture: str | None
    score_parts: tuple[str, ...]
    budget_seconds: float | None
    epochs: int | None
    seed: int

    def manner(self, choice: Choice | None, earlier: Earlier | None) -> Manner:
        """How the series of a set are trained on.

        Args:
            choice: For the set; None: nothing was tried.
            earlier: Scores that need not be made again.
        """
        if choice is not None:
            recipe = choice.recipe
        else:
            recipe = Recipe(name=self.architecture, architecture=self.architecture) if self.architecture else None
        return Manner(
            recipe=recipe, chosen=choice is not None, score_parts=self.score_parts, epochs=self.epochs,
            seed=self.seed, earlier=earlier,
        )  # fmt: skip


def run(tasks: Sequence[Task], out: Path, asked: Asked, jobs: int, earlier: Earlier | None = None) -> dict[str, Any]:
    """Train on and score all series, and write the summary.

    Args:
        tasks: The series.
        out: Folder for scores and summary.
        asked: How.
        jobs: Processes, at most.
        earlier: Scores that need not be made again.

    Returns:
        The summary.
    """
    started = time.monotonic()
    console = Console(stderr=True, highlight=False)
    by_set: dict[str, list[Task]] = {}
    # The longest first, so that no process is left alone with one at the end.
    for task in sorted(tasks, key=_size, reverse=True):
        by_set.setdefault(task.set_name, []).append(task)
    choices: dict[str, Choice] = {}
    results: list[dict[str, Any]] = []
    workers = min(jobs, len(tasks))
    with workforce(workers) as pool:
        choosing: dict[Future[Choice], str] = {}
        scoring: set[Future[dict[str, Any]]] = set()

        def score(name: str, choice: Choice | None) -> None:
            manner = asked.manner(choice, earlier)
            scoring.update(pool.submit(evaluate_one, task, out, manner) for task in by_set[name])

        for name, members in by_set.items():
            if asked.budget_seconds is None:
                score(name, None)
            else:
                console.print(f"{name}: trying models for {asked.budget_seconds:.0f} s at most", markup=False)
                names = sorted(members, key=lambda task: task.name)
                choosing[pool.submit(choose, names, asked.budget_seconds, asked.seed)] = name
        while choosing or scoring:
            running: list[Future[Any]] = [*choosing, *scoring]
            wait(running, return_when=FIRST_COMPLETED)
            for chosen in [future for future in choosing if future.done()]:
                name = choosing.pop(chosen)
                choices[name] = chosen.result()
                _tell_choice(console, name, choices[name])
                score(name, choices[name])
            for scored in [future for future in scoring if future.done()]:
                scoring.remove(scored)
                results.append(scored.result())
                _tell(console, results[-1], len(results), len(tasks))
    summary = {
        "version": __version__,
        "options": dataclasses.asdict(asked),
        "jobs": workers,
        "seconds": round(time.monotonic() - started, 1),
        "choices": {name: choice.to_dict() for name, choice in sorted(choices.items())},
        "series": sorted(results, key=lambda result: (result["set"], result["name"])),
    }
    with WholeFile(out / SUMMARY) as file:
        file.write(json.dumps(summary, indent=2).encode() + b"\n")
    return summary


def _size(task: Task) -> int:
    return sum(part.path.stat().st_size for part in task.train) + task.scored.stat().st_size


def _tell_choice(console: Console, name: str, choice: Choice) -> None:
    console.print(f"{name}: {choice.name}, tried on {', '.join(choice.tried_on)}", markup=False)
    if choice.selection is None:
        console.print(f"  {choice.reason}", markup=False)
    else:
        print_selection(console, choice.selection.to_dict())


def _tell(console: Console, result: dict[str, Any], number: int, total: int) -> None:
    how = f"trained {result['train_seconds']:.0f} s, scored {result['score_seconds']:.0f} s"
    console.print(
        f"[{number}/{total}] {result['set']}/{result['name']}: {result['rows']:,} rows, "
        f"{'as before' if result['reused'] else how}{', ' if result['note'] else ''}{result['note']}",
        markup=False,
    )
