"""The scorer: another program, which reads the labels that `detector evaluate` must not see."""

from __future__ import annotations

import json
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any


class ScorerError(Exception):
    """The scorer cannot score what it was given."""


@dataclass(frozen=True, slots=True)
class Scorer:
    """Calls ``COMMAND SCORES DATA --json FILE``.

    Attributes:
        command: Program and first arguments.
        data: Folder of the labelled series.
    """

    command: Sequence[str]
    data: Path

    def figures(self, scores: Path, *options: str) -> dict[str, Any]:
        """All figures of a folder of scores, as the scorer writes them.

        Raises:
            ScorerError: the scorer refuses them; the message is its own.
        """
        with tempfile.TemporaryDirectory() as room:
            found = Path(room) / "figures.json"
            command = [*self.command, str(scores), str(self.data), "--json", str(found), *options]
            ran = subprocess.run(command, check=False, capture_output=True, text=True)
            if ran.returncode:
                raise ScorerError(f"the scorer ended with {ran.returncode}: {ran.stderr.strip() or ran.stdout.strip()}")
            figures: dict[str, Any] = json.loads(found.read_text())
            return figures

    def nab_cross_fitted(self, scores: Path) -> float:
        """NAB's standard score, the threshold of each half of the files being the best one on the other half.

        The score is a share of what the windows of the files can bring, so that of both halves is their mean, weighted
        by the number of windows.
        """
        names = [
            entry["name"] for entry in json.loads((self.data / "manifest.json").read_text()) if entry["set"] == "nab"
        ]
        options = ("--sets", "nab", "--no-vus", "--allow-missing")
        total = windows = 0.0
        with tempfile.TemporaryDirectory() as room:
            halves = [Path(room) / str(half) for half in range(2)]
            for half, folder in enumerate(halves):
                (folder / "nab").mkdir(parents=True)
                for name in names[half::2]:
                    shutil.copy(scores / "nab" / f"{name}.parquet", folder / "nab")
            chosen = [self.figures(folder, *options)["nab"]["threshold"] for folder in halves]
            for folder, threshold in zip(halves, reversed(chosen), strict=True):
                found = self.figures(folder, *options, "--nab-threshold", repr(threshold))["nab"]
                total += found["score"] * found["windows"]
                windows += found["windows"]
        return total / windows
