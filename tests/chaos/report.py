"""Whether a run proves anything, and its figures for people."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

REQUIRED: Mapping[str, int] = {
    "events": 500,
    "dead_letters": 100,
    "kills_with_open_incident": 50,
    "zombie_commits": 10,
    "restorations_after_deletion": 5,
}
"""A run in which less happened shows nothing."""


def shortfalls(summary: Mapping[str, Any], required: Mapping[str, int]) -> list[str]:
    """What was not reached, in words."""
    return [
        f"{name.replace('_', ' ')}: {summary[name]}, at least {least} are needed"
        for name, least in required.items()
        if summary[name] < least
    ]


def table(summary: Mapping[str, Any]) -> str:
    """One line a figure."""
    lines = []
    for name, value in summary.items():
        if isinstance(value, Mapping):
            value = ", ".join(f"{key} {part}" for key, part in value.items()) or "none"
        elif isinstance(value, list):
            value = "; ".join(map(str, value)) or "none"
        lines.append(f"  {name.replace('_', ' '):32} {value}\n")
    return "".join(lines)
