from __future__ import annotations

import json
import re
from pathlib import Path

from detector.alerting.events import decode, encode
from detector.alerting.schema import markdown_table

DOCS = Path(__file__).parents[2] / "docs" / "events.md"


def after(marker: str) -> str:
    """The block of the page that follows a comment which begins with the marker."""
    found = re.search(rf"<!-- {marker}:[^>]*-->\n(.*?\n)\n", DOCS.read_text(encoding="utf-8"), re.DOTALL)
    assert found is not None, marker
    return found[1]


def test_the_table_of_fields_is_up_to_date():
    assert after("fields") == markdown_table(), "run: python -m detector.alerting.schema --markdown"


def test_the_example_is_what_the_tracker_really_says(play):
    *_, closed = play([0.2, 1.5, 2.25, 3.0, 1.25, 0.4, 0.2, 0.2])
    block = after("example")
    example = block.removeprefix("```json\n").removesuffix("```\n")
    assert example == json.dumps(json.loads(encode(closed)), indent=2) + "\n"
    assert decode(example.encode()) == closed
