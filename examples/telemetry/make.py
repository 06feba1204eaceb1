"""Cut the demo telemetry out of the Application Server Dataset (its source and licence: README.md beside this file).

Usage: ``python examples/telemetry/make.py DATA_DIR [--out DIR]``. DATA_DIR holds ``asd/<server>_train.parquet`` and
``asd/<server>_test.parquet`` with the columns ``timestamp``, one per channel and, in the test part, ``label``.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

SERVERS = ("omi-1", "omi-2", "omi-3", "omi-4")
STEP_SECONDS = 300
ROWS = 14 * 24 * 3600 // STEP_SECONDS
"""Rows in each file: two weeks, one row every five minutes."""


def fault_intervals(times: np.ndarray, labels: np.ndarray) -> list[dict[str, str]]:
    """Turn labels per row into intervals.

    Args:
        times: ``datetime64[ns][rows]``, ascending, UTC.
        labels: ``int[rows]``, 1 where a row is faulty.

    Returns:
        One ``{"start", "end"}`` per run of faulty rows: the times of its first and of its last row (both inclusive).
    """
    edges = np.diff(np.concatenate([[0], labels.astype(np.int8), [0]]))
    firsts, after_lasts = np.flatnonzero(edges == 1), np.flatnonzero(edges == -1)
    return [
        {"start": f"{times[first].astype('datetime64[s]')}Z", "end": f"{times[after - 1].astype('datetime64[s]')}Z"}
        for first, after in zip(firsts, after_lasts, strict=True)
    ]


def write(table: pa.Table, path: Path) -> None:
    """Write a table without loss: float32 stays float32; few distinct values make dictionaries the best encoding."""
    pq.write_table(table, path, compression="zstd", compression_level=19, use_dictionary=True, store_schema=False)
    print(f"{path.stat().st_size:>8,} bytes  {table.num_rows:,} rows  {path.name}")


def main() -> None:
    """Read the source files, write the cuts and the labels."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path, help="folder that holds asd/")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent, help="where to write (default: beside this)")
    options = parser.parse_args()
    for part in ("train", "live"):
        (options.out / part).mkdir(parents=True, exist_ok=True)

    faults = {}
    for server in SERVERS:
        train = pq.read_table(options.data / "asd" / f"{server}_train.parquet")
        live = pq.read_table(options.data / "asd" / f"{server}_test.parquet").slice(0, ROWS)
        faults[server] = fault_intervals(live["timestamp"].to_numpy(), live["label"].to_numpy())
        write(train.slice(train.num_rows - ROWS), options.out / "train" / f"{server}.parquet")
        write(live.drop_columns(["label"]), options.out / "live" / f"{server}.parquet")
    (options.out / "labels.json").write_text(json.dumps(faults, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
