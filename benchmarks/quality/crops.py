"""SKAB's files with another beginning and another end, so that the place in the file says nothing about the fault."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from detector.evaluation import SKAB_TRAIN_ROWS

LEAST_BEFORE = 20
"""Ordinary rows before the fault."""
LEAST_OF_FAULT = 60


def write_crops(data: Path, out: Path, seed: int) -> None:
    """Write a folder like the labelled one, with cropped files of SKAB.

    Each keeps its training rows. Of the others it keeps those from a random row before the first fault to a random row
    after that fault's beginning.

    Args:
        data: The labelled folder.
        out: To write.
        seed: Of where the crops begin and end.
    """
    random = np.random.default_rng(seed)
    entries = []
    for entry in json.loads((data / "manifest.json").read_text()):
        if entry["set"] != "skab" or not entry["labelled"]:
            continue
        table = pq.read_table(data / entry["file"])
        faulty = np.flatnonzero(table["label"].to_numpy() == 1)
        first = int(faulty[faulty >= SKAB_TRAIN_ROWS][0])
        begin = int(random.integers(SKAB_TRAIN_ROWS, max(first - LEAST_BEFORE, SKAB_TRAIN_ROWS + 1)))
        end = int(random.integers(min(first + LEAST_OF_FAULT, len(table) - 1), len(table)))
        cropped = pa.concat_tables([table.slice(0, SKAB_TRAIN_ROWS), table.slice(begin, end - begin)])
        path = out / entry["file"]
        path.parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(cropped, path)
        entries.append({**entry, "rows": len(cropped)})
    (out / "manifest.json").write_text(json.dumps(entries))
