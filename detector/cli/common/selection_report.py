"""The ranking of ``--architecture auto``, for people."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.markup import escape

_SHOWN = 8


def print_selection(console: Console, selection: Mapping[str, Any]) -> None:
    """What was chosen and why, the best of the ranking, and what the choice finds and misses.

    Args:
        console: Where to.
        selection: As `models.selection.Selection.to_dict` has it.
    """
    console.print(f"chosen by trying: [bold]{escape(selection['recipe']['name'])}[/] ({selection['seconds']:.0f} s)")
    console.print(f"  {escape(selection['reason'])}")
    ranking = selection["ranking"]
    if ranking:
        width = max(len(row["recipe"]["name"]) for row in ranking[:_SHOWN])
        console.print(f"  {'rank':>5}  {'precision':>9}  {'benign':>6}  {'late':>5}  {'gain':>6}  epochs", style="dim")
    for row in ranking[:_SHOWN]:
        name = escape(f"{row['recipe']['name']:<{width}}")
        note = f"  [yellow]{escape(row['note'])}[/]" if row["note"] else ""
        mark = "*" if row["recipe"] == selection["recipe"] else " "
        gain = "-" if row["gain"] is None else f"{row['gain']:+.3f}"
        console.print(
            f"{mark} {row['rank']:5.1f}  {row['overall']:9.3f}  {row['lifted']:6.1%}  {row['late']:5.1%}  {gain:>6}  "
            f"{row['epochs']:>6}  {name}{note}"
        )
    if len(ranking) > _SHOWN:
        console.print(f"  and {len(ranking) - _SHOWN} more; --json tells them all")
    for name, reason in selection["passed_over"].items():
        console.print(f"  passed over  {escape(name)}: {escape(reason)}")
    for row in ranking:
        if row["recipe"] == selection["recipe"]:
            found = ", ".join(f"{kind} {hits}/{total}" for kind, (hits, total) in sorted(row["found"].items()))
            console.print(f"  injected faults found at the threshold: {found}")
