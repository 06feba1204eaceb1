"""What is wrong with a settings file, and where."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches
from typing import NamedTuple

from detector.errors import ConfigError

Key = tuple[str | int, ...]
"""The way to a setting: names of sections and settings, and positions in lists."""


class Place(NamedTuple):
    """Where a setting was given.

    Attributes:
        source: The file as the user named it, or ``environment``.
        line: Counted from 1; 0 where there is none.
        variable: Name of the environment variable; empty for the file.
    """

    source: str
    line: int = 0
    variable: str = ""

    def __str__(self) -> str:
        if self.variable:
            return f"{self.source}: {self.variable}"
        return f"{self.source}:{self.line}" if self.line else self.source


class Problem(NamedTuple):
    """One thing that is wrong.

    Attributes:
        place: Where it was given.
        key: Which setting; empty for the file as a whole.
        message: What is wrong, a semicolon, and the remedy.
    """

    place: Place
    key: Key
    message: str

    def __str__(self) -> str:
        key = key_text(self.key)
        return f"{self.place}: {key}: {self.message}" if key else f"{self.place}: {self.message}"


def key_text(key: Key) -> str:
    """``streams[0].record.time_field``."""
    parts = (f"[{part}]" if isinstance(part, int) else f".{part}" for part in key)
    return "".join(parts).removeprefix(".")


def raise_problems(problems: Iterable[Problem]) -> None:
    """Do nothing without problems.

    Raises:
        ConfigError: one line for each problem: those of the file in its order, then those of the environment.
    """
    lines = [str(problem) for problem in sorted(problems, key=lambda found: (bool(found.place.variable), found.place))]
    if lines:
        raise ConfigError("\n".join(dict.fromkeys(lines)))


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """A hint at the closest known name, or all known names when none is close."""
    names = list(known)
    close = get_close_matches(name, names, n=1, cutoff=0.6)
    if close:
        return f"did you mean {close[0]!r}?"
    return f"known here: {', '.join(names)}"
