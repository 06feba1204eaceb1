"""Text from outside, made safe to show: no character of it can move the cursor, begin a line or forge another one."""

from __future__ import annotations


def printable(text: str) -> str:
    r"""``text`` on one line, with what cannot be printed written as ``\n``, ``\x1b``, ``\u202e`` and the like.

    Besides control characters these are direction marks, which show text in another order than it is in, and halves of
    surrogate pairs, which no stream encodes.
    """
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode("ascii") for char in text)


def printable_lines(text: str) -> str:
    """The same for text of several lines, which stay lines; tabs stay too."""
    if text.isprintable():
        return text
    return "\n".join("\t".join(map(printable, line.split("\t"))) for line in text.split("\n"))
