"""Runs of the training loop that end as soon as the task is solved."""

from __future__ import annotations

import contextlib
import time
from dataclasses import dataclass

from models.fitting.clipping import Clipping
from models.fitting.loop import TrainingLoop
from models.fitting.objective import Objective
from models.fitting.options import TrainOptions
from models.fitting.record import EpochRecord
from models.training.health import diagnose


class _Solved(Exception):  # noqa: N818 - good news
    """The held-out loss is low enough."""


@dataclass(frozen=True, slots=True)
class Run:
    """A training.

    Attributes:
        steps: Of the optimiser.
        seconds: Duration.
        findings: What the gradients said.
    """

    steps: int
    seconds: float
    findings: tuple[str, ...]


def fit(objective: Objective, epochs: int, learning_rate: float, solved: float, seed: int) -> Run:
    """Train; ``objective.model`` holds the best weights, or those that solved the task.

    Args:
        objective: What to fit.
        epochs: At most so many.
        learning_rate: The largest.
        solved: Held-out loss at which there is nothing left to show.
        seed: Of the batches.
    """
    began, steps = time.monotonic(), 0

    def watch(epoch: int, epochs: int, batch: int, batches: int, logs: dict[str, float]) -> None:
        nonlocal steps
        del epochs
        steps = (epoch - 1) * batches + batch
        if logs.get("val_loss", solved) < solved:
            raise _Solved

    options = TrainOptions(learning_rate=learning_rate, clipping=Clipping(global_clipnorm=1.0))
    records: tuple[EpochRecord, ...] = ()
    with contextlib.suppress(_Solved):
        records = TrainingLoop(objective, epochs, options, seed, time.monotonic, watch).run().epochs
    findings = tuple(finding.kind for finding in diagnose(records))
    return Run(steps, time.monotonic() - began, findings)
