"""How a model that was trained anew does beside the present one, as a section of a report."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from detector.pages.blocks import Block, Cell, Facts, Note, Section, Table
from detector.pictures.words import number, sentence
from detector.printable import printable


def retrained_section(found: Mapping[str, Any]) -> Section:
    """The comparison, what it led to, and how far the data has moved.

    Args:
        found: The report of a round of ``detector retrain``, as ``docs/registry.md`` documents it.
    """
    verdict = "The challenger is better" if found["promote"] else "The challenger is not better"
    done = ""
    if found["pushed"] is not None:
        done = "promoted" if found["promoted"] else "not promoted; the alias challenger names it"
        done = f"Pushed to {found['pushed']}, {done}."
    blocks: list[Block] = [
        Note(verdict, sentence("; ".join(found["reasons"])), done, "good" if found["promote"] else "warning")
    ]
    rows = []
    for role in ("champion", "challenger"):
        one = found[role]
        injected = one["injected_average_precision"]
        rows.append(
            [
                role,
                Cell(one["version"], mono=True),
                Cell(number(one["threshold"]), number=True),
                Cell(f"{one['found']} of {one['known_faults']}", number=True),
                Cell(f"{one['other_incidents']:,}", number=True),
                Cell(f"{one['other_incidents_per_week']:.2g}", number=True),
                Cell("-" if injected is None else f"{injected:.3f}", number=True),
            ]
        )
    head = ["", "version", "threshold", "known faults found", "other incidents", "a week", "injected faults, precision"]
    blocks.append(Table(head, rows, "Over the last fifth of the history, which the challenger has not learned from."))
    known, feedback = found["known"], found["feedback"]
    blocks.append(
        Facts(
            [
                ("history", f"{found['from'][:16]} to {found['to'][:16]}"),
                ("samples", f"{found['samples']:,} of {found['series']:,} series"),
                ("left out", f"{found['left_out']:,} around {known['incidents']} incidents, {known['missed']} missed"),
                ("false alarms", f"{known['false_alarms']} learned from"),
                ("feedback", f"{feedback['in_history']} of {feedback['verdicts']} verdicts are in this history"),
            ]
        )
    )
    if found["drift"]:
        drift = [
            [
                printable(name),
                Cell(number(one["index"], 3), number=True),
                Cell(number(one["limit"], 3), number=True),
                Cell("moved", tone="warning") if one["index"] > one["limit"] else "",
            ]
            for name, one in sorted(found["drift"].items(), key=lambda item: -item[1]["index"])
        ]
        caption = "How far the data has moved since the champion was trained, by population stability index."
        blocks.append(Table(["", "index", "limit", ""], drift, caption))
    lead = "The model that was trained here beside the one that is in force."
    return Section("comparison", "Champion and challenger", blocks, lead, short="Comparison")
