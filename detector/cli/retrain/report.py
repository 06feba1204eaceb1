"""A round of retraining, for people."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TextIO

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from detector.printable import printable


def print_report(document: Mapping[str, Any], stream: TextIO) -> None:
    """What was learned from, how both models do, and what was decided."""
    console = Console(file=stream, highlight=False, soft_wrap=True)
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
    table = Table(box=None, pad_edge=False, padding=(0, 2))
    for column in ("", "version", "threshold", "known faults found", "other incidents", "a week", "injected"):
        # A version is copied into other commands, so it must be whole; headings may break into lines instead.
        table.add_column(column, justify="left" if column in ("", "version") else "right", no_wrap=column == "version")
    for role in ("champion", "challenger"):
        one = document[role]
        injected = one["injected_average_precision"]
        table.add_row(
            role, one["version"], f"{one['threshold']:.3g}", f"{one['found']} of {one['known_faults']}",
            str(one["other_incidents"]), f"{one['other_incidents_per_week']:.2g}",
            "-" if injected is None else f"{injected:.3f}",
        )  # fmt: skip
    console.print(table)
    verdict = "[green]better[/]" if document["promote"] else "[yellow]not better[/]"
    console.print(f"the challenger is {verdict}: {'; '.join(document['reasons'])}")
    if document["pushed"] is not None:
        done = "promoted" if document["promoted"] else "not promoted; the alias challenger names it"
        console.print(f"pushed to {escape(document['pushed'])}, {done}")
