"""Kinds of changes by name: what they do, for how long and to which channels."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

from models.errors import SpecError
from models.injection import benign, faults
from models.injection.place import Float64, Place


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of change.

    Attributes:
        change: Makes it.
        is_fault: Whether it is to be found; False: it is benign.
        lasts: ``brief`` is a few rows, ``long`` more, ``slow`` a good part of the series.
        channels: ``moving``: one, several or all of those that vary. ``flowing``: the same, of those that seldom rest.
            ``related``: fewer than all, and such as go with others. ``all``: every one that varies.
    """

    change: Callable[[Place], Float64]
    is_fault: bool = True
    lasts: Literal["brief", "long", "slow"] = "long"
    channels: Literal["moving", "flowing", "related", "all"] = "moving"


KINDS: Mapping[str, Kind] = MappingProxyType(
    {
        "spike": Kind(faults.spike, lasts="brief"),
        "shift": Kind(faults.shift),
        "drift": Kind(faults.drift),
        "freeze": Kind(faults.freeze),
        "noise": Kind(faults.noise),
        "correlation": Kind(faults.correlation, channels="related"),
        "flatten": Kind(faults.flatten),
        "slower": Kind(faults.slower),
        "faster": Kind(faults.faster),
        "dropout": Kind(faults.dropout),
        "saturation": Kind(faults.saturation),
        "wander": Kind(benign.wander, is_fault=False, lasts="slow", channels="flowing"),
        "unrest": Kind(benign.unrest, is_fault=False, lasts="slow", channels="flowing"),
        "timing": Kind(benign.timing, is_fault=False, channels="all"),
    }
)
FAULTS = tuple(name for name, kind in KINDS.items() if kind.is_fault)
BENIGN = tuple(name for name, kind in KINDS.items() if not kind.is_fault)


def find(name: str) -> Kind:
    """The kind of that name.

    Raises:
        SpecError: there is none; the message names those there are.
    """
    if name not in KINDS:
        raise SpecError(f"there is no kind of injection {name[:60]!r}; choose of: {', '.join(KINDS)}")
    return KINDS[name]
