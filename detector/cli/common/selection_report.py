"""The ranking of ``--architecture auto``, for people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.markup import escape

from models.architectures import find

_BEST = 8


def print_selection(console: Console, selection: Mapping[str, Any]) -> None:
    """What was chosen and why, the best of the ranking, and what the choice finds and misses.

    Wherever they are in the ranking, the choice and the best of each linear baseline are shown: what a network is worth
    is told by what it is better than.

    Args:
        console: Where to.
        selection: As `models.selection.Selection.to_dict` has it.
    """
    console.print(f"chosen by trying: [bold]{escape(selection['recipe']['name'])}[/] ({selection['seconds']:.0f} s)")
    console.print(f"  {escape(selection['reason'])}")
    ranking = selection["ranking"]
    shown = _shown(ranking, selection["recipe"])
    if shown:
        width = max(len(ranking[index]["recipe"]["name"]) for index in shown)
        console.print(f"  {'rank':>5}  {'precision':>9}  {'benign':>6}  {'late':>5}  {'gain':>6}  epochs", style="dim")
    for before, index in zip([-1, *shown], shown, strict=False):
        row = ranking[index]
        if index > before + 1:
            console.print(f"  {'…':>5}", style="dim")
        name = escape(f"{row['recipe']['name']:<{width}}")
        note = f"  [yellow]{escape(row['note'])}[/]" if row["note"] else ""
        mark = "*" if row["recipe"] == selection["recipe"] else " "
        gain = "-" if row["gain"] is None else f"{row['gain']:+.3f}"
        console.print(
            f"{mark} {row['rank']:5.1f}  {row['overall']:9.3f}  {row['lifted']:6.1%}  {row['late']:5.1%}  {gain:>6}  "
            f"{row['epochs']:>6}  {name}{note}"
        )
    if len(ranking) > len(shown):
        console.print(f"  and {len(ranking) - len(shown)} more; --json tells them all")
    for name, reason in selection["passed_over"].items():
        console.print(f"  passed over  {escape(name)}: {escape(reason)}")
    for row in ranking:
        if row["recipe"] == selection["recipe"]:
            found = ", ".join(f"{kind} {hits}/{total}" for kind, (hits, total) in sorted(row["found"].items()))
            console.print(f"  injected faults found at the threshold: {found}")


def _shown(ranking: Sequence[Mapping[str, Any]], chosen: Mapping[str, Any]) -> list[int]:
    """Which rows, by index: the first, the chosen one, and the first of each linear baseline."""
    shown = set(range(min(_BEST, len(ranking))))
    baselines: set[str] = set()
    for index, row in enumerate(ranking):
        name = row["recipe"]["architecture"]
        if row["recipe"] == chosen:
            shown.add(index)
        if name not in baselines and find(name).closed_form:
            baselines.add(name)
            shown.add(index)
    return sorted(shown)
