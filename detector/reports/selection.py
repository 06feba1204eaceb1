"""What ``--architecture auto`` tried, as a section of a report."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from detector.pages.blocks import Block, Cell, Empty, Fold, Section, Table, Text
from detector.pictures.words import sentence

_MOST_ROWS = 40


def selection_section(selection: Mapping[str, Any]) -> Section:
    """The choice, why, and the ranking.

    Args:
        selection: As `models.selection.Selection.to_dict` has it.
    """
    blocks: list[Block] = [Text(sentence(selection["reason"]))]
    ranking = selection["ranking"][:_MOST_ROWS]
    if ranking:
        rows = [
            [
                row["recipe"]["name"],
                Cell(f"{row['rank']:.1f}", number=True),
                Cell(f"{row['overall']:.3f}", number=True),
                Cell(f"{row['lifted']:.1%}", number=True),
                Cell(f"{row['late']:.1%}", number=True),
                Cell("-" if row["gain"] is None else f"{row['gain']:+.3f}", number=True),
                Cell(f"{row['epochs']}", number=True),
                row["note"],
            ]
            for row in ranking
        ]
        chosen = frozenset(index for index, row in enumerate(ranking) if row["recipe"] == selection["recipe"])
        head = ["recipe", "rank", "precision", "benign lifted", "late", "gain", "epochs", ""]
        blocks.append(Table(head, rows, "Ranked by faults that were injected into held-out data.", chosen))
        for index in chosen:
            found = [
                [kind, Cell(f"{hits} of {total}", share=hits / total if total else 0.0)]
                for kind, (hits, total) in sorted(ranking[index]["found"].items())
            ]
            blocks.append(Table(["injected fault", "found at the threshold"], found))
    else:
        blocks.append(Empty("Nothing was tried", "There is too little data to tell models apart by it."))
    if selection["passed_over"]:
        rows_over = [[name, reason] for name, reason in selection["passed_over"].items()]
        blocks.append(Fold("passed-over", "Passed over", [Table(["recipe", "why"], rows_over)]))
    lead = f"Chosen by trying, in {selection['seconds']:.0f} s: {selection['recipe']['name']}."
    return Section("selection", "What was tried", blocks, lead, short="Tried")
