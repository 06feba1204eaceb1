"""``detector replay --openmetrics``: what it refuses. What it writes is read in the tests beside, and by Prometheus."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.conftest import made
from tests.end_to_end.conftest import usage_error

__all__ = ["made", "usage_error"]


@pytest.mark.parametrize("option", [("--openmetrics-step", "5m"), ("--openmetrics-prefix", "mine_")])
def test_options_without_a_file(usage_error, option):
    said = usage_error("replay", "day.csv", "--model", "models/web", *option)
    assert "are about the file of --openmetrics; name that as well" in said


@pytest.mark.keras
@pytest.mark.parametrize(
    ("option", "message"),
    [
        (("--openmetrics-step", "0.1s"), "--openmetrics-step: 0.1s is shorter than a second; give 1s or more"),
        (("--openmetrics-prefix", "1"), "--openmetrics-prefix: '1' cannot begin a name of Prometheus"),
    ],
)
def test_values_that_will_not_do(usage_error, made, tmp_path: Path, option, message):
    (tmp_path / "web.csv").write_text("timestamp,cpu,memory\n300,1,2\n600,1,2\n")
    file = tmp_path / "web.om"
    said = usage_error("replay", tmp_path / "web.csv", "--model", made.path, "--openmetrics", file, *option)
    assert message in said
    assert [path.name for path in tmp_path.iterdir()] == ["web.csv"]
