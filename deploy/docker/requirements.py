"""Prints what pyproject.toml requires, so that an image's dependencies are a layer that a change of code leaves alone.

    python requirements.py pyproject.toml keras-cpu plot

prints the requirements of the extras that are named, one a line, or without any those of the base installation.
"""

from __future__ import annotations

import sys
import tomllib
from collections.abc import Sequence
from pathlib import Path


def requirements(pyproject: Path, extras: Sequence[str]) -> list[str]:
    """Requirements of the base installation, or of extras alone.

    Args:
        pyproject: The project's file.
        extras: Names of extras.

    Raises:
        KeyError: there is no such extra.
    """
    project = tomllib.loads(pyproject.read_text(encoding="utf-8"))["project"]
    if not extras:
        return list(project["dependencies"])
    return [line for extra in extras for line in project["optional-dependencies"][extra]]


if __name__ == "__main__":
    sys.stdout.write("".join(f"{line}\n" for line in requirements(Path(sys.argv[1]), sys.argv[2:])))
