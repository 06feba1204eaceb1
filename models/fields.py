"""Typed reading of JSON objects: what a bundle holds is checked value by value before anything is built from it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Set
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from models.errors import SpecError

T = TypeVar("T")


def known_keys(data: Mapping[str, object], known: Set[str], what: str) -> None:
    """Check that an object has exactly the keys it should have.

    Raises:
        SpecError: a key is missing or unknown; the message names it.
    """
    if missing := sorted(known - data.keys()):
        raise SpecError(f"the {what} lacks {', '.join(missing)}")
    if unknown := sorted(data.keys() - known):
        raise SpecError(f"the {what} has unknown keys: {', '.join(unknown)}")


def text(data: Mapping[str, object], key: str) -> str:
    """Read a text.

    Raises:
        SpecError: the value is not a text.
    """
    return _typed(data, key, str, "a text")


def integer(data: Mapping[str, object], key: str) -> int:
    """Read an integer; ``true`` and ``false`` are none, though Python's ``bool`` is an ``int``.

    Raises:
        SpecError: the value is not an integer.
    """
    value = _typed(data, key, int, "an integer")
    if isinstance(value, bool):
        raise SpecError(f"{key} is {value!r}; it must be an integer")
    return value


def number(data: Mapping[str, object], key: str) -> float:
    """Read a finite number.

    Raises:
        SpecError: the value is not a finite number.
    """
    value = data[key]
    try:
        if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value):
            return float(value)
    except OverflowError:  # an integer beyond the range of float
        pass
    raise SpecError(f"{key} is {value!r:.60}; it must be a finite number")


def optional_number(data: Mapping[str, object], key: str) -> float | None:
    """Read a finite number or null.

    Raises:
        SpecError: the value is neither.
    """
    return None if data[key] is None else number(data, key)


def mapping(data: Mapping[str, object], key: str) -> Mapping[str, object]:
    """Read an object.

    Raises:
        SpecError: the value is not an object.
    """
    return _typed(data, key, dict, "an object")


def text_tuple(data: Mapping[str, object], key: str) -> tuple[str, ...]:
    """Read a list of texts.

    Raises:
        SpecError: the value is not a list of texts.
    """
    values = _typed(data, key, list, "a list of texts")
    if not all(isinstance(value, str) for value in values):
        raise SpecError(f"{key} must be a list of texts")
    return tuple(values)


def array(data: Mapping[str, object], key: str, dimensions: int) -> npt.NDArray[np.float64]:
    """Read nested lists of finite numbers as ``float64`` with so many dimensions.

    Raises:
        SpecError: the lists are ragged, of another depth, or hold anything but finite numbers.
    """
    try:
        values = np.asarray(_typed(data, key, list, "a list of numbers"))
    except ValueError as error:
        raise SpecError(f"{key} is a ragged list") from error
    if values.ndim != dimensions or values.dtype.kind not in "fi":
        raise SpecError(f"{key} must be numbers in lists nested {dimensions} deep")
    result = values.astype(np.float64)
    if not np.isfinite(result).all():
        raise SpecError(f"{key} holds a number that is not finite")
    return result


def _typed(data: Mapping[str, object], key: str, kind: type[T], what: str) -> T:
    value = data[key]
    if not isinstance(value, kind):
        raise SpecError(f"{key} is {value!r:.60}; it must be {what}")
    return value
