"""Scores of an earlier evaluation, which need not be made again."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from detector import __version__
from detector.errors import ConfigError
from models.selection import seedless

if TYPE_CHECKING:
    from detector.evaluation import Task
    from models.recipe import Recipe

SUMMARY = "summary.json"


@dataclass(frozen=True, slots=True)
class Earlier:
    """What an earlier evaluation made.

    Attributes:
        folder: Its scores.
        series: By set and name, what its summary says.
        epochs: Its limit.
    """

    folder: Path
    series: Mapping[tuple[str, str], Mapping[str, Any]]
    epochs: int | None

    @classmethod
    def read(cls, folder: Path) -> Earlier:
        """Read the summary.

        Raises:
            ConfigError: there is none, or one of another version.
        """
        path = folder / SUMMARY
        try:
            summary = json.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError as error:
            raise ConfigError(f"--reuse: {path} does not exist; name the --out of an earlier evaluation") from error
        except ValueError as error:
            raise ConfigError(f"--reuse: {path} is not JSON: {error}") from error
        if not isinstance(summary, dict) or summary.get("version") != __version__:
            raise ConfigError(f"--reuse: {path} is of another version; leave --reuse out")
        series = {(result["set"], result["name"]): result for result in summary["series"]}
        return cls(folder, series, summary["options"]["epochs"])

    def find(self, task: Task, recipe: Recipe, data: str, epochs: int | None) -> tuple[Path, dict[str, Any]] | None:
        """The scores of a series and what was done for them; None where they would differ, or may.

        Args:
            task: The series.
            recipe: What it is to be trained by; one whose outcome depends on a seed is trained again.
            data: Fingerprint of what is learned from and scored.
            epochs: Limit.
        """
        result = self.series.get((task.set_name, task.name))
        path = self.folder / task.set_name / f"{task.name}.parquet"
        if result is None or not seedless(recipe) or epochs != self.epochs or not path.exists():
            return None
        wanted = json.loads(json.dumps(recipe.to_dict()))
        # What it is called does not matter.
        if {**wanted, "name": ""} != {**result["recipe"], "name": ""} or result["data"] != data:
            return None
        return path, dict(result)
