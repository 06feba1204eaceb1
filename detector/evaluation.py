"""Scores for every series of a labelled folder: what to train on, what to score, and what is written.

Labels are not read here at all: columns that hold them are left out when a file is opened.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from detector.errors import ConfigError
from detector.files.source import FileSource
from detector.files.table import Table, open_table
from detector.files.whole import WholeFile
from detector.pipeline.context import StreamContext
from detector.pipeline.outcome import ScoreRows
from detector.records.values import InputPartition, Record
from detector.replay import EventTimeRange, Taken, replay

NAB_TRAIN_SHARE = 0.15
NAB_TRAIN_ROWS = 750
SKAB_TRAIN_ROWS = 400
MUTED_ROWS: Mapping[str, int] = MappingProxyType({"nab": 150})
"""NAB charges every row that alarms and credits one in a window: there, a score is written only where none of so many
rows before had as high a one, as an incident alerts once. Other sets ask for every row."""
LABEL_COLUMNS = frozenset({"label", "changepoint"})


@dataclass(frozen=True, slots=True)
class Part:
    """Rows of a file, from ``start`` to before ``stop`` (None: to the end)."""

    path: Path
    start: int = 0
    stop: int | None = None


@dataclass(frozen=True, slots=True)
class Task:
    """One labelled series.

    Attributes:
        set_name: Name of its set.
        name: Name within the set.
        scored: File whose every row gets a score.
        train: What to train on; the first part is the series itself where its own beginning is trained on.
    """

    set_name: str
    name: str
    scored: Path
    train: tuple[Part, ...]


@dataclass(frozen=True, slots=True)
class RowScores:
    """One row per row of a file.

    Attributes:
        time_ns: int64[rows].
        score: float64[rows], finite.
        scored: How many rows have a score of their own.
    """

    time_ns: npt.NDArray[np.int64]
    score: npt.NDArray[np.float64]
    scored: int


def plan(folder: Path, sets: Sequence[str] = (), only: Sequence[str] = ()) -> list[Task]:
    """What to train on and to score, from the folder's manifest.

    Args:
        folder: Holds ``manifest.json`` and ``<set>/<name>.parquet``.
        sets: Names of sets; all of them when empty.
        only: Parts of series names; all series when empty.

    Raises:
        ConfigError: there is no such folder, set or series.
    """
    path = folder / "manifest.json"
    try:
        manifest = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise ConfigError(f"{path} does not exist; name a folder that is laid out like the labelled data") from error
    except ValueError as error:
        raise ConfigError(f"{path} is not JSON: {error}") from error
    for entry in manifest:
        for name in (entry["set"], entry["name"]):
            if not isinstance(name, str) or name != Path(name).name or name in {"", ".."}:
                raise ConfigError(
                    f"{path}: the set or series {name!r} would name a file of scores; give it a name without slashes"
                )
    known = sorted({entry["set"] for entry in manifest})
    if unknown := sorted(set(sets) - set(known)):
        raise ConfigError(f"--sets: {', '.join(unknown)} not in {path}; there are {', '.join(known)}")
    files = {(entry["set"], entry["name"]): folder / entry["file"] for entry in manifest}
    tasks = [
        Task(entry["set"], entry["name"], folder / entry["file"], _training(entry, files))
        for entry in manifest
        if entry["labelled"] and not (entry["set"] == "tep" and entry["split"] == "train")
        if not sets or entry["set"] in sets
        if not only or any(part in entry["name"] for part in only)
    ]
    if not tasks:
        raise ConfigError(f"--only: no labelled series of {path} has {' or '.join(only)} in its name")
    return tasks


def _training(entry: Mapping[str, object], files: Mapping[tuple[str, str], Path]) -> tuple[Part, ...]:
    """The part to train on, by the manifest's split; see the README of the data."""
    set_name, name, rows = str(entry["set"]), str(entry["name"]), int(str(entry["rows"]))
    own = files[set_name, name]
    if entry["split"] == "all" or set_name == "gecco":
        # Not more than NAB itself leaves unscored.
        return (Part(own, 0, min(int(NAB_TRAIN_SHARE * rows), NAB_TRAIN_ROWS)),)
    if set_name == "skab":
        return (Part(own, 0, SKAB_TRAIN_ROWS),)
    if set_name == "tep":
        return (Part(files["tep", "d00"]),)
    counterpart = (set_name, name.removesuffix("_test") + "_train")
    if counterpart not in files:
        raise ConfigError(f"the manifest has no training part {counterpart[1]!r} for {set_name}/{name}")
    return (Part(files[counterpart]),)


def read_part(
    part: Part, channels: Sequence[str] | None = None
) -> tuple[Table, npt.NDArray[np.int64], npt.NDArray[np.float64]]:
    """A file's rows: the open table, int64[rows] times and float64[rows, channels]; labels are left out."""
    table = open_table(part.path, channels=channels, ignore=LABEL_COLUMNS)
    chunks = list(table.chunks())
    times = np.concatenate([chunk.time_ns for chunk in chunks])[part.start : part.stop]
    values = np.concatenate([chunk.values for chunk in chunks])[part.start : part.stop]
    return table, times, values


def read_training(
    task: Task,
) -> tuple[dict[str, tuple[npt.NDArray[np.int64], npt.NDArray[np.float64]]], tuple[str, ...]]:
    """What a task is trained on: by series, times and values; and names of the channels."""
    series = {}
    channels: tuple[str, ...] = ()
    for part in task.train:
        table, times, values = read_part(part, channels or None)
        channels = channels or table.channels
        series[part.path.stem] = (times, values)
    return series, channels


def score_file(path: Path, context: StreamContext, series: str) -> RowScores:
    """Score every row of a file through the replay path.

    A row that the pipeline drops, such as a repeated time, repeats the score before it; rows before the first score
    get the lowest one.

    Args:
        path: The file.
        context: Of a stream that keeps its scores.
        series: Name under which the model knows the series.

    Raises:
        ConfigError: not one row could be scored.
    """
    table = open_table(path, channels=context.policy.channels, series=series, ignore=LABEL_COLUMNS)
    sink = _Rows()
    replay(_chunks(table), {path.name: context}, EventTimeRange(), [sink])
    times = np.concatenate([chunk.time_ns for chunk in table.chunks()])
    score = np.full(len(times), np.nan)
    for rows in sink.scores:
        score[rows.offset] = rows.score
    known = np.flatnonzero(~np.isnan(score))
    if not len(known):
        raise ConfigError(f"{path}: no row could be scored; the file is shorter than a window, or empty")
    before = np.maximum.accumulate(np.where(np.isnan(score), -1, np.arange(len(score))))
    filled = np.where(before < 0, float(score[known].min()), score[np.maximum(before, 0)])
    return RowScores(times, filled, len(known))


def muted(rows: RowScores, within: int) -> RowScores:
    """Leave only those scores that are higher than all others of the rows before them.

    Args:
        rows: Scores of all rows.
        within: How many rows before each are looked at; 0 leaves all scores as they are.

    Returns:
        The lowest score, where one is muted.
    """
    if not within:
        return rows
    score, lowest = rows.score, float(rows.score.min())
    before = np.concatenate([np.full(within, -np.inf), score[:-1]])
    highest = np.lib.stride_tricks.sliding_window_view(before, within).max(axis=1)
    return replace(rows, score=np.where(score > highest, score, lowest))


def _chunks(table: Table) -> Iterator[tuple[InputPartition, Sequence[Record]]]:
    yield from FileSource([table]).chunks()


class _Rows:
    """Keeps scores."""

    def __init__(self) -> None:
        self.scores: list[ScoreRows] = []

    def take(self, taken: Taken) -> None:
        self.scores.extend(taken.scores)


def write_scores(path: Path, rows: RowScores, threshold: float) -> None:
    """Write ``time``, ``score`` and ``threshold``, one row per row of the series."""
    path.parent.mkdir(parents=True, exist_ok=True)
    table = pa.table(
        {
            "time": pa.array(rows.time_ns, pa.timestamp("ns")),
            "score": rows.score,
            "threshold": np.full(len(rows.score), threshold),
        }
    )
    with WholeFile(path) as file:
        pq.write_table(table, file, compression="zstd")
