"""Names from outside can neither forge a line of the log nor steer a terminal."""

from __future__ import annotations

import io

import pytest
import structlog

from detector.cli.replay.summary import print_summary
from detector.observability.logs import configure_logging
from detector.observability.masking import mask_text
from detector.printable import printable, printable_lines
from detector.settings import LogSettings

HOSTILE = "web\n2026-01-02 [info] all is well\x1b[2J\u202e\ud800"
ESCAPED = r"web\n2026-01-02 [info] all is well\x1b[2J\u202e\ud800"


def test_what_cannot_be_printed_is_escaped() -> None:
    assert printable("wärme/🌡 1") == "wärme/🌡 1"
    assert printable(HOSTILE) == ESCAPED
    assert printable_lines("a\tb\nc\x1b\r") == "a\tb\nc\\x1b\\r"


@pytest.mark.parametrize("form", ["console", "json"])
def test_a_log_entry_stays_one_line(form: str) -> None:
    stream = io.StringIO()
    configure_logging(LogSettings.model_validate({"format": form}), stream)
    structlog.get_logger("detector").warning("rejected", series=HOSTILE, names=[HOSTILE], other={"x": HOSTILE})
    assert len(stream.getvalue().splitlines()) == 1
    assert "\x1b" not in stream.getvalue()


def fail(text: str) -> None:
    raise ValueError(text)


def test_lines_of_a_traceback_are_set_in() -> None:
    stream = io.StringIO()
    configure_logging(LogSettings(format="console"), stream)
    try:
        fail(HOSTILE)
    except ValueError:
        structlog.get_logger("detector").exception("failed")
    first, *others = stream.getvalue().splitlines()
    assert "failed" in first
    assert others
    assert all(line.startswith("  | ") for line in others if line)
    assert "\x1b" not in stream.getvalue()


def test_a_series_of_brackets_breaks_no_report(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "300")
    incident = {
        "incident_id": "0123456789abcdef", "started_at": "2026-01-02T03:04:05Z", "ended_at": None,
        "series": "[/bold] [red]x" + HOSTILE, "severity": "info",
        "peak_score_over_threshold": 1.0, "channels": [["[/] c", 0.5]], "duration_seconds": 1,
        "undetermined": False, "kind": "reconstruction",
    }  # fmt: skip
    document = {
        "incidents": [incident], "incidents_per_day": None, "records": 1, "seconds": 1.0, "series": 1, "late": 0,
        "windows_scored": 1, "first_time": None, "duplicate": 0, "rejected": {},
        "started_from": [], "undetermined_incidents": 0,
    }  # fmt: skip
    stream = io.StringIO()
    print_summary(document, stream)
    assert "[/bold] [red]x" in stream.getvalue()
    assert "\x1b" not in stream.getvalue()


def test_the_place_of_a_secret_is_not_masked() -> None:
    assert mask_text("kafka.sasl.password_file: cannot read /run/x") == "kafka.sasl.password_file: cannot read /run/x"
    assert mask_text("sasl.password: abc") == "sasl.password: ***"
