"""Values of foreign records in messages: short, printable, and never an error of their own."""

from __future__ import annotations

from typing import Any

_SHOWN_CHARACTERS = 60


def cut(text: str, characters: int) -> str:
    """The text, its end left out where it is longer."""
    return text if len(text) <= characters else f"{text[:characters]}..."


def quoted(value: Any) -> str:
    """The value as a message may show it."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict):
        return "an object"
    if isinstance(value, list | tuple):
        return "an array"
    if isinstance(value, int) and value.bit_length() > 128:  # Python refuses to print very long ones
        return "a number far too large"
    if isinstance(value, str | bytes) and len(value) > _SHOWN_CHARACTERS:
        return f"{value[:_SHOWN_CHARACTERS]!r}..."
    if isinstance(value, int | float | str | bytes):
        return repr(value)
    return f"a {type(value).__name__}"
