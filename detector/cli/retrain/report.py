"""A round of retraining, for people."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TextIO

from rich.markup import escape

from detector.cli.common.tables import compact_table, result_console
from detector.printable import printable

_ROWS: dict[str, Callable[[Mapping[str, Any]], str]] = {
    "version": lambda one: str(one["version"]),
    "threshold": lambda one: f"{one['threshold']:.3g}",
    "known faults found": lambda one: f"{one['found']} of {one['known_faults']}",
    "other incidents": lambda one: str(one["other_incidents"]),
    "a series and week": lambda one: f"{one['other_incidents_per_week']:.2g}",
    "injected faults, average precision": lambda one: (
        "-" if one["injected_average_precision"] is None else f"{one['injected_average_precision']:.3f}"
    ),
}
"""What is told of each model, line by line: side by side two models fit any terminal."""


def print_report(document: Mapping[str, Any], stream: TextIO) -> None:
    """What was learned from, how both models do, and what was decided."""
    console = result_console(stream)
    known = document["known"]
    console.print(
        f"[bold]{escape(document['stream'])}[/] {document['from'][:16]} to {document['to'][:16]}: "
        f"{document['samples']:,} samples of {document['series']:,} series, {document['left_out']:,} left out around "
        f"{known['incidents']} incidents and {known['missed']} missed faults; {known['false_alarms']} false alarms kept"
    )
    feedback = document["feedback"]
    if feedback["verdicts"]:
        console.print(
            f"the present threshold follows feedback; this history has what {feedback['in_history']} of "
            f"{feedback['verdicts']} verdicts are about"
        )
    if document["shortfall"] is not None:
        console.print(f"[yellow]alert budget[/] of the challenger: {escape(document['shortfall'])}")
    shifted = [
        f"{escape(printable(name))} {found['index']:.2f} (limit {found['limit']:.2f})"
        for name, found in document["drift"].items()
        if found["index"] > found["limit"]
    ]
    if shifted:
        console.print(
            f"[yellow]drift[/] since the present model was trained, by population stability index: {', '.join(shifted)}"
        )
    table = compact_table()
    table.add_column("")
    for role in ("champion", "challenger"):
        # A version is copied into other commands, so it must be whole.
        table.add_column(f"{role}", justify="right", no_wrap=True)
    for name, tell in _ROWS.items():
        table.add_row(name, tell(document["champion"]), tell(document["challenger"]))
    console.print(table)
    verdict = "[green]better[/]" if document["promote"] else "[yellow]not better[/]"
    console.print(f"the challenger is {verdict}: {'; '.join(document['reasons'])}")
    if document["pushed"] is not None:
        done = "promoted" if document["promoted"] else "not promoted; the alias challenger names it"
        console.print(f"pushed to {escape(document['pushed'])}, {done}")
