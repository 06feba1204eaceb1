from __future__ import annotations

import re
from pathlib import Path

import pytest

from detector.records.reasons import REASONS
from detector.settings_file.reference import settings_tables, with_tables
from detector.settings_file.tree import leaves

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "configuration.md").read_text(encoding="utf-8")


def test_the_tables_of_settings_are_up_to_date():
    assert with_tables(PAGE) == PAGE, "run: python -m detector.settings_file.reference docs/configuration.md"


def test_the_tables_name_every_setting():
    tables = settings_tables()
    for key, field in leaves():
        assert f"\n| `{key[-1]}` | " in tables
        assert field.description


def test_a_page_without_the_marks_is_refused():
    with pytest.raises(ValueError, match=r"the page needs one '<!-- settings: \.\.\. -->'"):
        with_tables("# Configuration\n")


def test_every_reason_for_which_a_record_is_refused_is_explained():
    raised = set()
    for folder in ("records", "series"):
        for module in (ROOT / "detector" / folder).glob("*.py"):
            raised |= set(re.findall(r'InvalidRecordError\(\s*"(\w+)"', module.read_text(encoding="utf-8")))
    explained = set(
        re.findall(
            r"^\| `(\w+)` \| [a-z]", PAGE.split("**Invalid records**")[1].split("## All settings")[0], re.MULTILINE
        )
    )
    assert raised == explained == set(REASONS)


@pytest.mark.parametrize("block", re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL))
def test_the_examples_are_valid(load, block):
    if "streams:" in block:
        assert load(block).streams[0].name == "servers"
        return
    settings = load("streams:\n  - name: s\n    topic: t\n    model: m\n" + block)
    assert settings.streams[0].record.time_field == "timestamp" or settings.http.auth is not None
