"""Which column of a file is the time, which name the series, and which are channels."""

from __future__ import annotations

import enum
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from detector.errors import ConfigError

# In this order of preference, whatever their case.
TIME_NAMES: Final = ("timestamp", "time", "ts", "datetime", "date")
# Columns of labelled data sets that say what the right answer is; a model must never see them.
DEFAULT_IGNORE: Final = frozenset({"label", "changepoint"})
_MOST_NAMES_SHOWN: Final = 12


class Kind(enum.Enum):
    """What a column holds, as far as its use is concerned."""

    NUMBER = "numbers"
    TIME = "times"
    TEXT = "text"
    EMPTY = "nothing"
    OTHER = "values of another kind"


@dataclass(frozen=True, slots=True)
class Columns:
    """The parts that columns play.

    Attributes:
        time: Event time.
        series: Name of the series, or None when the whole file is one series.
        channels: Values, in the order in which they are delivered.
    """

    time: str
    series: str | None
    channels: tuple[str, ...]


def choose_columns(
    path: Path,
    kinds: Mapping[str, Kind],
    time_column: str | None,
    series_column: str | None,
    channels: Sequence[str] | None,
    ignore: Collection[str],
) -> Columns:
    """Give each column its part.

    Args:
        path: For messages.
        kinds: Columns in the order of the file.
        time_column: Given by the user, or None to look for it.
        series_column: Given by the user; without one the file is one series.
        channels: Given by the user, or None for all other columns of numbers.
        ignore: Never taken for channels unless given.

    Raises:
        ConfigError: a column is missing or unusable; says which and what to do.
    """
    time = _given(path, kinds, time_column, "--time-column") if time_column is not None else _find_time(path, kinds)
    series = _given(path, kinds, series_column, "--series-column") if series_column is not None else None
    if channels is not None:
        return Columns(time, series, _check_channels(path, kinds, channels))
    found = tuple(
        name
        for name, kind in kinds.items()
        if kind in (Kind.NUMBER, Kind.EMPTY) and name not in (time, series) and name not in ignore
    )
    if not found:
        raise ConfigError(
            f"{path}: no column of numbers besides the time {time!r}; the columns are {_listed(kinds)}. "
            "Check the file, or the delimiter of a CSV (comma, semicolon or tab)"
        )
    return Columns(time, series, found)


def _find_time(path: Path, kinds: Mapping[str, Kind]) -> str:
    for wanted in TIME_NAMES:
        for name in kinds:
            if name.lower() == wanted:
                return name
    for name, kind in kinds.items():
        if kind is Kind.TIME:
            return name
    raise ConfigError(
        f"{path}: no time column found: none is called {', '.join(TIME_NAMES)} and none holds times; "
        f"name it with --time-column. The columns are {_listed(kinds)}"
    )


def _given(path: Path, kinds: Mapping[str, Kind], name: str, option: str) -> str:
    if name not in kinds:
        raise ConfigError(f"{path}: there is no column {name!r} ({option}); the columns are {_listed(kinds)}")
    return name


def _check_channels(path: Path, kinds: Mapping[str, Kind], channels: Sequence[str]) -> tuple[str, ...]:
    if not channels or len(set(channels)) < len(channels):
        raise ConfigError(f"{path}: name at least one channel, and each once, not {', '.join(channels) or 'none'}")
    missing = [name for name in channels if name not in kinds]
    if missing:
        raise ConfigError(
            f"{path}: there is no column for the channels {_listed(missing)}; the columns are {_listed(kinds)}"
        )
    for name in channels:
        if kinds[name] not in (Kind.NUMBER, Kind.EMPTY):
            raise ConfigError(
                f"{path}: the channel {name!r} must hold numbers, but the column holds {kinds[name].value}"
            )
    return tuple(channels)


def _listed(names: Collection[str]) -> str:
    shown = ", ".join(list(names)[:_MOST_NAMES_SHOWN])
    return shown if len(names) <= _MOST_NAMES_SHOWN else f"{shown} and {len(names) - _MOST_NAMES_SHOWN} more"
