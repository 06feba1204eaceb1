"""What installing this project brings, as the packages that are installed say themselves."""

from __future__ import annotations

from collections.abc import Iterable
from importlib import metadata

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name


def closure(project: str) -> dict[str, metadata.Distribution]:
    """The distributions that installing a project brings, itself left out, by canonical name.

    Args:
        project: Its name, with extras where they are wanted: ``reconstream[broker]``.

    Raises:
        PackageNotFoundError: one of them is not installed.
    """
    found = closure_of([Requirement(project)])
    del found[canonicalize_name(Requirement(project).name)]
    return found


def closure_of(requirements: Iterable[Requirement]) -> dict[str, metadata.Distribution]:
    """The distributions that these requirements bring, by canonical name.

    Raises:
        PackageNotFoundError: one of them is not installed.
    """
    found: dict[str, metadata.Distribution] = {}
    seen: set[tuple[str, frozenset[str]]] = set()
    waiting = list(requirements)
    while waiting:
        requirement = waiting.pop()
        name, extras = canonicalize_name(requirement.name), frozenset(requirement.extras)
        if (name, extras) in seen:
            continue
        seen.add((name, extras))
        found[name] = metadata.distribution(name)
        waiting += needed_by(found[name], extras)
    return found


def needed_by(distribution: metadata.Distribution, extras: frozenset[str]) -> list[Requirement]:
    """What a distribution asks for on this machine, with these extras."""
    lines = map(Requirement, distribution.requires or [])
    # One evaluation per extra that was asked for, and one without any.
    return [
        line
        for line in lines
        if line.marker is None or any(line.marker.evaluate({"extra": extra}) for extra in ("", *extras))
    ]
