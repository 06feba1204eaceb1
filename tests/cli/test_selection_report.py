"""What is shown of a long ranking."""

from __future__ import annotations

import io
from typing import Any

from rich.console import Console

from detector.cli.common.selection_report import print_selection


def row(rank: int, architecture: str, score: int) -> dict[str, Any]:
    recipe = {"name": f"{architecture}: way {score}", "architecture": architecture}
    numbers = {
        "rank": float(rank),
        "overall": 1 / rank,
        "lifted": 0.01,
        "late": 0.02,
        "epochs": 2,
        "gain": None,
        "note": "",
    }
    return {"recipe": recipe, "found": {"spike": (3, 4)}, **numbers}


def printed(ranking: list[dict[str, Any]], chosen: dict[str, Any]) -> str:
    stream = io.StringIO()
    selection = {"recipe": chosen, "seconds": 1.0, "reason": "best", "ranking": ranking, "passed_over": {}}
    print_selection(Console(file=stream, width=200, highlight=False), selection)
    return stream.getvalue()


def test_the_choice_and_the_best_of_each_linear_baseline_are_shown_wherever_they_are() -> None:
    names = ["streaming"] * 4 + ["lstm"] * 6 + ["pca"] * 2 + ["gru"] * 2 + ["autoregression"] * 2 + ["seq2seq"] * 3
    ranking = [row(number, name, number) for number, name in enumerate(names, start=1)]
    lines = printed(ranking, ranking[12]["recipe"]).splitlines()
    shown = [int(line.split("way ")[1]) for line in lines if "way " in line and not line.startswith("chosen")]
    assert shown == [1, 2, 3, 4, 5, 6, 7, 8, 11, 13, 15]
    assert [line for line in lines if "way 13" in line][1].startswith("* ")
    assert sum(line.strip() == "…" for line in lines) == 3
    assert "  and 8 more; --json tells them all" in lines


def test_a_short_ranking_is_shown_whole() -> None:
    ranking = [row(1, "pca", 1), row(2, "autoregression", 2)]
    said = printed(ranking, ranking[0]["recipe"])
    assert said.count("way 1") == 2
    assert "way 2" in said
    assert "more; --json" not in said
    assert "…" not in said
