"""Where a value sits in a decoded record: ``a.b.c``, with array indices and quoted names."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Final

from detector.errors import ConfigError


class _Missing:
    """The type of `MISSING`: no value of JSON can be mistaken for it."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "MISSING"


MISSING: Final = _Missing()


def parse_path(text: str) -> tuple[str, ...]:
    r"""Split a path into the names along it.

    Dots separate names. A dot that belongs to a name is written ``\.``, or the name is put in quotes, single or double:
    ``labels."app.kubernetes.io/name"``. A backslash takes the next character as it is, in quotes too.

    Raises:
        ConfigError: an empty path or name, an open quote, text after a closing quote, or a backslash at the end.
    """
    names: list[str] = []
    position = 0
    while True:
        name, position = _read_name(text, position)
        names.append(name)
        if position == len(text):
            return tuple(names)
        position += 1  # the dot


def path_text(names: Sequence[str]) -> str:
    """The path along some names, as `parse_path` reads it."""
    return ".".join(re.sub(r"[\\.\"']", r"\\\g<0>", name) or '""' for name in names)


def _read_name(text: str, position: int) -> tuple[str, int]:
    """The name that starts at ``position``, and where it ends: at a dot or at the end of the text."""
    characters: list[str] = []
    quote = text[position] if text[position : position + 1] in ('"', "'") else ""
    start = position
    position += len(quote)
    while position < len(text):
        character = text[position]
        if character == "\\":
            if position + 1 == len(text):
                raise ConfigError(
                    f"the path {text!r} ends in a backslash; write \\\\ for a backslash that belongs to the name"
                )
            characters.append(text[position + 1])
            position += 2
        elif quote and character == quote:
            position += 1
            if text[position : position + 1] not in ("", "."):
                raise ConfigError(f"the path {text!r} goes on after a closing quote; only a dot may follow it")
            return "".join(characters), position
        elif not quote and character == ".":
            break
        else:
            characters.append(character)
            position += 1
    if quote:
        raise ConfigError(
            f"the path {text!r} has a quote that is not closed; close it, or write \\{quote} for a literal one"
        )
    if position == start:
        raise ConfigError(f"the path {text!r} has an empty name; write names separated by single dots")
    return "".join(characters), position


class FieldPath:
    """A path, parsed once.

    Attributes:
        text: As the user wrote it, for messages.
        names: Along the way; a name of digits is an index where it meets an array, and a key where it meets an object.
    """

    __slots__ = ("_steps", "names", "text")

    def __init__(self, text: str, names: tuple[str, ...] | None = None) -> None:
        self.text = text
        self.names = parse_path(text) if names is None else names
        # Nine digits are more than an array of one record can hold, and keep int() cheap.
        self._steps = tuple(
            (name, int(name) if name.isascii() and name.isdigit() and len(name) <= 9 else None) for name in self.names
        )

    def get(self, document: object) -> Any:
        """The value at this path, or `MISSING` when the way is not there. Never raises."""
        value: Any = document
        for name, index in self._steps:
            if type(value) is dict:
                value = value.get(name, MISSING)
            elif index is not None and type(value) is list and index < len(value):
                value = value[index]
            else:
                return MISSING
        return value

    def __repr__(self) -> str:
        return f"FieldPath({self.text!r})"
