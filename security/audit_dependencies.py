"""``make audit-dependencies``: pinned versions and allowed ranges against a list of known holes; needs no network.

The list, ``security/advisories.json``, is kept by hand and is not complete. A scanner with its own database, such as
pip-audit, knows more; this finds a step back behind what is known to matter here.
"""

from __future__ import annotations

import json
import sys
import tomllib
from collections.abc import Iterator, Mapping
from itertools import chain
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).parents[1]


def pinned_versions(text: str) -> dict[str, Version]:
    """Name -> version of a constraints file."""
    lines = (line.partition("#")[0].strip() for line in text.splitlines())
    pairs = (line.split("==") for line in lines if line)
    return {canonicalize_name(name): Version(version) for name, version in pairs}


def requirements(project: Mapping[str, Any]) -> list[Requirement]:
    """All of a ``[project]`` table, those of extras included, but for references to itself."""
    lines = [*project.get("dependencies", []), *chain(*project.get("optional-dependencies", {}).values())]
    return [found for found in map(Requirement, lines) if canonicalize_name(found.name) != project["name"]]


def problems(pins: Mapping[str, Version], wanted: list[Requirement], advisories: list[Any]) -> Iterator[str]:
    """What is wrong, a line each, with the remedy."""
    for need in wanted:
        name = canonicalize_name(need.name)
        if name not in pins:
            yield f"{name} is not pinned; add it to constraints.txt"
        elif not need.specifier.contains(pins[name], prereleases=True):
            yield f"{name} {pins[name]} is pinned, but pyproject.toml asks for {need.specifier}; change one of them"
    for advisory in advisories:
        for affected in advisory["affected"]:
            name = canonicalize_name(affected["package"]["name"])
            fixed = max(
                Version(event["fixed"]) for part in affected["ranges"] for event in part["events"] if "fixed" in event
            )
            what = f"{advisory['id']} ({advisory['summary']}), fixed in {fixed}"
            if name in pins and pins[name] < fixed:
                yield f"{name} {pins[name]} has {what}; pin {fixed} or newer in constraints.txt"
            for need in wanted:
                if canonicalize_name(need.name) != name:
                    continue
                lowest = [Version(part.version) for part in need.specifier if part.operator in (">=", "==", "~=")]
                if not lowest or max(lowest) < fixed:
                    yield f"pyproject.toml allows {need}, which has {what}; ask for {name}>={fixed} or newer"


def main() -> int:
    """Print what is wrong; 1 if something is."""
    pins = pinned_versions((ROOT / "constraints.txt").read_text(encoding="utf-8"))
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    known = json.loads((ROOT / "security" / "advisories.json").read_text(encoding="utf-8"))
    found = list(dict.fromkeys(problems(pins, requirements(project), known["advisories"])))
    for line in found:
        sys.stderr.write(f"error: {line}\n")
    if not found:
        count = len(known["advisories"])
        sys.stdout.write(
            f"{len(pins)} pinned packages, {count} known holes (list of {known['checked']}): none applies\n"
        )
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
