"""``python -m benchmarks.memory``: trains cells on two tasks that need memory, and prints what they remember."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Annotated, Any

import numpy as np
import typer
from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table

CELLS = ("SimpleRNN", "GRU", "LSTM")
LEARNING_RATE = 0.01


@dataclass(frozen=True, slots=True)
class Plan:
    """How much is done.

    Attributes:
        seeds: Trainings of each kind.
        length: Of the sequences of the adding problem.
        adding_epochs: At most, of 100 steps each.
        holding_epochs: At most, of 50 steps each.
        units: Width of the cells.
    """

    seeds: int
    length: int = 200
    adding_epochs: int = 60
    holding_epochs: int = 40
    units: int = 32


@dataclass(frozen=True, slots=True)
class Adding:
    """One training on the adding problem.

    Attributes:
        error: Mean squared error on held-out sequences.
        reach: Steps back after which the sum's gradient stays below 5% of its largest; None: beyond the sequence.
    """

    cell: str
    seed: int
    error: float
    steps: int
    seconds: float
    reach: float | None


@dataclass(frozen=True, slots=True)
class Holding:
    """One training on the holding task.

    Attributes:
        accuracy: Share of right answers, by the number of steps since the symbol.
    """

    cell: str
    carried: bool
    seed: int
    accuracy: dict[int, float]
    steps: int
    seconds: float


def run_adding(cell: str, seed: int, plan: Plan) -> Adding:
    """Train and measure."""
    from benchmarks.memory import adding
    from benchmarks.memory.training import fit
    from models.horizon import measure

    task = adding.Adding(cell, plan.units, plan.length, seed)
    run = fit(task, plan.adding_epochs, LEARNING_RATE, adding.SOLVED, seed)
    sequences, sums = next(task.held_out())
    error = float(np.mean(np.square(np.asarray(task.model(sequences)) - sums)))
    horizon = measure(lambda inputs: task.model(inputs, training=False), task.sample(16), 1)
    return Adding(cell, seed, error, run.steps, run.seconds, horizon.reach_5_percent)


def run_holding(cell: str, carried: bool, seed: int, plan: Plan) -> Holding:
    """Train and measure."""
    from benchmarks.memory import holding
    from benchmarks.memory.training import fit

    task = holding.Holding(cell, plan.units, carried, seed)
    run = fit(task, plan.holding_epochs, LEARNING_RATE, holding.SOLVED, seed)
    return Holding(cell, carried, seed, task.accuracy(), run.steps, run.seconds)


def main(
    quick: Annotated[
        bool, typer.Option("--quick", help="One seed and shorter sequences: a look, not a figure.")
    ] = False,
    seeds: Annotated[int, typer.Option(min=1, help="Trainings of each kind.")] = 3,
    as_json: Annotated[bool, typer.Option("--json", help="Print the results as JSON.")] = False,
) -> None:
    """Train SimpleRNN, GRU and LSTM on the adding problem, and on holding a symbol with and without carried memory."""
    from models.backend import load_tensorflow

    load_tensorflow(threads=1)
    plan = Plan(seeds=1, length=100, adding_epochs=15, holding_epochs=25) if quick else Plan(seeds)
    began = time.monotonic()
    added, held = [], []
    for seed in range(plan.seeds):
        for cell in CELLS:
            added.append(run_adding(cell, seed, plan))
            _say(f"adding, {cell}, seed {seed}: {added[-1].error:.4f} after {added[-1].steps} steps")
        for cell, carried in (*((cell, True) for cell in CELLS), ("LSTM", False)):
            held.append(run_holding(cell, carried, seed, plan))
            _say(f"holding, {cell}, {'carried' if carried else 'window'}, seed {seed}: {held[-1].accuracy}")
    document: dict[str, Any] = {
        "command": "python -m benchmarks.memory" + (" --quick" if quick else f" --seeds {plan.seeds}"),
        "plan": asdict(plan),
        "seconds": time.monotonic() - began,
        "adding": [asdict(each) for each in added],
        "holding": [asdict(each) for each in held],
    }
    if as_json:
        typer.echo(json.dumps(document, indent=2))
    else:
        report(plan, added, held, document["command"], document["seconds"])


def report(plan: Plan, added: Sequence[Adding], held: Sequence[Holding], command: str, seconds: float) -> None:
    """Tables for people."""
    from benchmarks.memory import adding, holding

    console = Console(highlight=False, soft_wrap=True)
    console.print(
        f"{command}: seeds 0 to {plan.seeds - 1}, {plan.units} units, {seconds / 60:.0f} minutes on one core\n"
    )
    console.print(f"[bold]Adding two numbers out of {plan.length}[/]; mean squared error, chance {adding.CHANCE:.3f}")
    table = Table("cell", "mean", "each seed", f"solved (below {adding.SOLVED})", "steps", "5% reach", box=SIMPLE)
    for cell in CELLS:
        runs = [each for each in added if each.cell == cell]
        errors = [each.error for each in runs]
        table.add_row(
            cell,
            f"{np.mean(errors):.4f}",
            " ".join(f"{error:.4f}" for error in errors),
            f"{sum(error < adding.SOLVED for error in errors)} of {len(runs)}",
            " ".join(str(each.steps) for each in runs),
            " ".join(f">{plan.length - 1}" if each.reach is None else f"{each.reach:.0f}" for each in runs),
        )
    console.print(table)
    console.print(
        f"[bold]Holding one of {holding.SYMBOLS} symbols[/], learned from chunks of {holding.CHUNK} steps; share of "
        f"right answers by steps since the symbol, chance {holding.CHANCE:.0%}"
    )
    table = Table("cell", "memory", *map(str, holding.LAGS), "steps", box=SIMPLE)
    for cell, carried in dict.fromkeys((each.cell, each.carried) for each in held):
        runs_of = [each for each in held if (each.cell, each.carried) == (cell, carried)]
        shares = [[each.accuracy[lag] for each in runs_of] for lag in holding.LAGS]
        table.add_row(
            cell,
            "carried on" if carried else f"window of {holding.CHUNK}",
            *(" ".join(f"{share:.0%}" for share in each) for each in shares),
            " ".join(str(each.steps) for each in runs_of),
        )
    console.print(table)


def _say(what: str) -> None:
    print(what, file=sys.stderr, flush=True)


if __name__ == "__main__":
    typer.run(main)
