"""Runs of `detector evaluate`, one for each model, set and seed; what was made already is not made again."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from benchmarks.quality.crops import write_crops
from models.architectures import find

AUTO, RECIPE = "auto", "recipe"
SKAB = "skab"


@dataclass(frozen=True, slots=True)
class Runs:
    """Where runs lie, and how they are made.

    Attributes:
        data: The labelled folder.
        out: Holds ``<model>/<set>-<seed>``, each the output of one command.
        jobs: Processes; None: one per core.
    """

    data: Path
    out: Path
    jobs: int | None = None

    def of(self, model: str, set_name: str, seed: int, first: int) -> Path:
        """The scores of a set; made if need be.

        Args:
            model: `AUTO`, `RECIPE` or an architecture.
            set_name: The set.
            seed: Of weights, and of what is chosen.
            first: The first seed: a model that has none is trained with it alone.
        """
        options = ["--architecture", model]
        # Another seed may choose what the first did, which may have no seed.
        earlier = self._folder(model, set_name, first)
        if model == AUTO and seed != first and earlier.exists():
            options += ["--reuse", str(earlier)]
        return self._made(
            self.data, self._folder(model, set_name, first if seedless(model) else seed), set_name, seed, options
        )

    def cropped(self, seed: int, first: int) -> tuple[Path, Path]:
        """Cropped files of SKAB and their scores, by what was chosen for the whole ones: they are trained on alike."""
        data = self.out / f"crops-{seed}"
        if not (data / "manifest.json").exists():
            write_crops(self.data, data, seed)
        chosen = choice(self.of(AUTO, SKAB, seed, first), SKAB)
        model = RECIPE if chosen["recipe"] is None else AUTO
        scores = self.out / f"{AUTO}-crops" / f"{SKAB}-{seed}"
        return data, self._made(data, scores, SKAB, seed, ["--architecture", model])

    def _folder(self, model: str, set_name: str, seed: int) -> Path:
        return self.out / model / f"{set_name}-{seed}"

    def _made(self, data: Path, out: Path, set_name: str, seed: int, options: list[str]) -> Path:
        """Run the command as a user would, unless its summary, which it writes last, is there already."""
        if not (out / "summary.json").exists():
            command = [sys.executable, "-m", "detector", "evaluate", str(data), "--out", str(out), "--sets", set_name]
            command += ["--seed", str(seed), *options, *([] if self.jobs is None else ["--jobs", str(self.jobs)])]
            subprocess.run(command, check=True)
        return out


def seedless(model: str) -> bool:
    """Whether a model comes out the same with every seed, so that it need not be trained with another."""
    return model == RECIPE or (model != AUTO and find(model).closed_form)


def choice(scores: Path, set_name: str) -> dict[str, object]:
    """What `auto` chose for a set, of the summary of a run."""
    found: dict[str, object] = json.loads((scores / "summary.json").read_text())["choices"][set_name]
    return found
