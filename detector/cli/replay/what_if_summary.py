"""What other thresholds would have alerted on, for people."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TextIO

from detector.cli.common.tables import compact_table, result_console

_BAR = 14


def print_what_if(document: Mapping[str, Any], stream: TextIO) -> None:
    """A table of `detector.comparison.thresholds.WhatIf.document`, with the threshold in force marked."""
    console = result_console(stream)
    tried = document["thresholds"]
    console.print(f"\n[bold]what if[/] the threshold were another, over {document['days']:.3g} days")
    console.print("(incidents of scores only: no threshold opens those of silence and of frozen channels)")
    table = compact_table()
    table.add_column("threshold", justify="right", no_wrap=True)
    table.add_column("", no_wrap=True)
    for column in ("incidents", "a day", "a week", "series"):
        table.add_column(column, justify="right", no_wrap=True)
    table.add_column("", no_wrap=True)
    most = max(one["incidents"] for one in tried)
    # One row without incidents tells what all the higher ones would.
    quiet = [one for one in tried if not one["incidents"]]
    trimmed = [one for one in quiet[1:] if one["ratio"] > 1]
    for one in tried:
        if one in trimmed:
            continue
        present = one["ratio"] == 1
        rate = one["incidents_per_day"]
        daily, weekly = ("-", "-") if rate is None else (f"{rate:.3g}", f"{7 * rate:.3g}")
        bar = "█" * round(_BAR * one["incidents"] / most) if most else ""
        table.add_row(
            f"{one['threshold']:.4g}", "in force" if present else f"x {one['ratio']:.2f}", f"{one['incidents']:,}",
            daily, weekly, f"{one['series']:,}", bar, style="bold" if present else None,
        )  # fmt: skip
    console.print(table)
    if trimmed:
        console.print(f"none at any higher threshold that was tried, up to {trimmed[-1]['threshold']:.4g}")
