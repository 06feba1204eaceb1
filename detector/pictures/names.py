"""Names of series and channels, shortened for where there is little room: still unlike each other, as far as can be."""

from __future__ import annotations

from collections.abc import Sequence
from os.path import commonprefix

_MOST = 18
"""Characters of the name of a row."""


def short_names(names: Sequence[str]) -> dict[str, str]:
    """What rows are called, each unlike every other. The pointer tells long names as a whole.

    A long name keeps both its ends. Names that are alike at both ends keep what they differ by, and where that is too
    long as well, they are numbered.
    """
    alike: dict[str, list[str]] = {}
    for name in names:
        alike.setdefault(shortened(name), []).append(name)
    found: dict[str, str] = {}
    taken = set(names)
    for name in names:
        ends = shortened(name)
        short = ends if len(alike[ends]) == 1 else _difference(name, alike[ends])
        count = 1
        while short != name and short in taken:
            count += 1
            short = f"{shortened(name, _MOST - 2)} {count}"
        taken.add(short)
        found[name] = short
    return found


def shortened(name: str, most: int = _MOST) -> str:
    """The name, with an ellipsis in its middle where it is longer: ends of long names tell most."""
    kept = most // 2
    return name if len(name) <= most else f"{name[:kept]}…{name[1 - kept :]}"


def _difference(name: str, alike: Sequence[str]) -> str:
    """What a name does not share with others, with as much before it as there is room for."""
    same_before = len(commonprefix(list(alike)))  # noqa: RUF071 - characters are meant
    same_behind = len(commonprefix([other[::-1] for other in alike]))  # noqa: RUF071
    same_behind = min(same_behind, min(map(len, alike)) - same_before)
    end = len(name) - same_behind
    begin = max(0, end - (_MOST - 2))
    if begin > same_before:
        return shortened(name)
    return f"{'…' if begin else ''}{name[begin:end]}{'…' if same_behind else ''}"
