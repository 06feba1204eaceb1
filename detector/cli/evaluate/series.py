"""One series of an evaluation: trained on, scored, written."""

from __future__ import annotations

import hashlib
import shutil
import tempfile
import time
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from detector.cli.common.assemble import open_bundle, stream_context
from detector.cli.common.judgement import incident_counter
from detector.evaluation import MUTED_ROWS, Task, muted, read_training, score_file, write_scores
from detector.settings import IncidentSettings, StreamSettings
from detector.training_data import median_period_seconds
from models.bundle import write_bundle
from models.errors import ModelsError
from models.recipe import Recipe, fixed
from models.training import train

if TYPE_CHECKING:
    from detector.cli.evaluate.earlier import Earlier
    from detector.training_data import SeriesData
    from models.training import TrainedModel


@dataclass(frozen=True, slots=True, kw_only=True)
class Manner:
    """How a series is trained on.

    Attributes:
        recipe: None: that for the shape of the data.
        chosen: Whether it was found on other series perhaps, so that the recipe for the shape takes its place where it
            cannot be trained.
        score_parts: What is judged by in place of the recipe's; empty: as the recipe says.
        epochs: At most so many; None: as the recipe says.
        seed: Of weights and sampling.
        earlier: Scores that need not be made again.
        threads: Of TensorFlow; None: as many as it likes.
    """

    recipe: Recipe | None = None
    chosen: bool = False
    score_parts: tuple[str, ...] = ()
    epochs: int | None = None
    seed: int = 0
    earlier: Earlier | None = None
    threads: int | None = 1


def evaluate_one(task: Task, out: Path, manner: Manner) -> dict[str, Any]:
    """Train, write the bundle to a temporary place, replay from it, write the scores. Runs in a process of its own.

    Args:
        task: The series.
        out: Folder for scores.
        manner: How to train.

    Returns:
        What was done, for the summary.
    """
    started = time.monotonic()
    series, channels = read_training(task)
    usual = fixed(len(channels), sum(len(times) for times, _ in series.values()))
    data = _fingerprint(task)
    note = ""
    recipe = _with_parts(manner.recipe or usual, manner)
    if manner.earlier is not None and (done := manner.earlier.find(task, recipe, data, manner.epochs)) is not None:
        scores, result = done
        (out / task.set_name).mkdir(parents=True, exist_ok=True)
        shutil.copyfile(scores, out / task.set_name / scores.name)
        return {**result, "train_seconds": 0.0, "score_seconds": 0.0, "reused": True}
    try:
        trained = _train(series, channels, recipe, manner)
    except ModelsError as error:
        if not manner.chosen:
            raise
        note = f"the choice for the set cannot be trained on it: {error}"
        recipe = _with_parts(usual, manner)
        trained = _train(series, channels, recipe, manner)
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
        # The scaler's row is looked up by series name: rows of the scored file are those of the series trained on.
        rows = score_file(task.scored, context, task.train[0].path.stem)
    rows = muted(rows, MUTED_ROWS.get(task.set_name, 0))
    write_scores(out / task.set_name / f"{task.name}.parquet", rows, context.policy.threshold)
    return {
        "set": task.set_name,
        "name": task.name,
        "rows": len(rows.score),
        "rows_scored": rows.scored,
        "channels": len(channels),
        "recipe": recipe.to_dict(),
        "note": note,
        "data": data,
        "window": trained.spec.window,
        "threshold": context.policy.threshold,
        "epochs": len(trained.history.epochs),
        "stopped": trained.history.stopped,
        "train_seconds": round(train_seconds, 1),
        "score_seconds": round(time.monotonic() - started - train_seconds, 1),
        "reused": False,
    }


def _with_parts(recipe: Recipe, manner: Manner) -> Recipe:
    if not manner.score_parts:
        return recipe
    return replace(recipe, score=replace(recipe.score, parts=manner.score_parts))


def _train(series: SeriesData, channels: tuple[str, ...], recipe: Recipe, manner: Manner) -> TrainedModel:
    longest = max(len(times) for times, _ in series.values())
    period_seconds = median_period_seconds(series)
    spec = recipe.spec(channels, longest=longest, period_seconds=period_seconds, seed=manner.seed)
    most = {} if manner.epochs is None else {"epochs": manner.epochs}
    return train(
        series,
        spec,
        recipe.train_options(threads=manner.threads, horizon_sequences=0, **most),
        score=recipe.score,
        calibration=recipe.calibration,
        count_incidents=incident_counter(IncidentSettings(), spec.window),
    )


def _fingerprint(task: Task) -> str:
    """SHA-256 of the files and of which rows are learned from."""
    found = hashlib.sha256(task.scored.read_bytes())
    for part in task.train:
        found.update(f"{part.path.name} {part.start} {part.stop} ".encode())
        found.update(part.path.read_bytes())
    return found.hexdigest()
