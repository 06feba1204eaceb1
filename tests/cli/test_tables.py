"""Tables of results in terminals of other widths, and where there is no terminal."""

from __future__ import annotations

import io
from typing import Any

import pytest

from detector.cli.common.tables import result_console
from detector.cli.replay.comparison_summary import print_comparison
from detector.cli.replay.summary import print_summary
from detector.cli.retrain.report import print_report


def incident(series: str = "omi-1", kind: str = "reconstruction", **other: Any) -> dict[str, Any]:
    return {
        "incident_id": "0123456789abcdef", "kind": kind, "series": series, "severity": "critical",
        "undetermined": True, "started_at": "2026-01-02T03:04:05.000Z", "ended_at": "2026-01-02T03:54:05.000Z",
        "duration_seconds": 3000.0, "peak_score_over_threshold": 14.4,
        "channels": [["discharge.pressure", 0.4], ["c2", 0.3], ["c3", 0.2], ["c4", 0.1]], **other,
    }  # fmt: skip


def summary(*incidents: dict[str, Any]) -> dict[str, Any]:
    return {
        "incidents": list(incidents), "incidents_per_day": 1.0, "records": 1, "seconds": 1.0, "series": 1, "late": 0,
        "windows_scored": 1, "first_time": "2026-01-02", "last_time": "2026-01-03", "duplicate": 0, "rejected": {},
        "started_from": [], "undetermined_incidents": 0,
    }  # fmt: skip


def lines(print_it: Any, document: dict[str, Any]) -> list[str]:
    stream = io.StringIO()
    print_it(document, stream)
    return [line.rstrip() for line in stream.getvalue().splitlines()]


def test_in_80_columns_each_incident_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    head, first, frozen, _, told, *_ = lines(print_summary, summary(incident(), incident(kind="frozen")))
    assert head.split() == ["started", "series", "severity", "lasted", "score", "channels"]
    assert first == "2026-01-02 03:04  omi-1   critical ?  50 min  14.4 x  discharge.pressure 40%"
    assert frozen.endswith("14.4 x  frozen discharge.pressure")
    assert told.startswith("2 incidents (2 critical)")


def test_a_long_series_is_whole_before_its_channels_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    row = lines(print_summary, summary(incident("lyon/compressor-2")))[1]
    assert row == "2026-01-02 03:04  lyon/compressor-2  critical ?  50 min  14.4 x  discharge.pres…"


def test_ids_and_as_many_channels_as_fit_are_shown_where_there_is_room(monkeypatch: pytest.MonkeyPatch) -> None:
    row = "01234567  2026-01-02 03:04  omi-1   critical ?  50 min  14.4 x  discharge.pressure 40%"
    for width, more in ((88, ""), (95, ", c2 30%"), (120, ", c2 30%, c3 20%")):
        monkeypatch.setenv("COLUMNS", str(width))
        assert lines(print_summary, summary(incident()))[1] == row + more


def test_in_a_pipe_nothing_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("COLUMNS", raising=False)
    series = "a-rather-long-name-of-a-series-" * 4
    row = lines(print_summary, summary(incident(series)))[1]
    assert series in row
    assert row.endswith("discharge.pressure 40%, c2 30%, c3 20%")
    assert result_console(io.StringIO()).width > 200


def test_findings_that_no_score_made_are_named_in_a_comparison(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "100")
    document = {
        "challengers": [{"version": "v2"}], "correlation": None,
        "windows": dict.fromkeys(("neither", "both", "champion_only", "challenger_only"), 0)
        | {"unscored": 0, "unmatched": 0},
        "incidents": {"both": 1, "champion": 2, "champion_only": 1, "challenger_only": 0},
        "lead_seconds": {"median": 1950.0, "challenger_earlier": 1, "champion_earlier": 0},
        "champion_only": [incident(kind="frozen")], "challenger_only": [],
    }  # fmt: skip
    shown = lines(print_comparison, document)
    assert shown[-1].endswith("14.4 x  frozen discharge.pressure, c2, c3")
    assert any(line.endswith("at the median 32 min earlier") for line in shown)


def test_two_models_are_compared_side_by_side_in_80_columns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    one = {
        "threshold": 0.83, "found": 2, "known_faults": 3, "other_incidents": 6, "other_incidents_per_week": 3.91,
        "injected_average_precision": 0.286,
    }  # fmt: skip
    shown = lines(
        print_report,
        {
            "stream": "telemetry", "from": "2026-01-01T00:00:00", "to": "2026-01-15T00:00:00", "samples": 1,
            "series": 1, "left_out": 0, "known": {"incidents": 0, "missed": 0, "false_alarms": 0},
            "feedback": {"verdicts": 0}, "shortfall": None, "drift": {}, "promote": False, "reasons": ["worse"],
            "pushed": None,
            "champion": {"version": "streaming-20261128-af6940a3", **one},
            "challenger": {"version": "streaming-20261128-f2002552", **one, "injected_average_precision": None},
        },
    )  # fmt: skip
    table = [line for line in shown if line.startswith(("version", "threshold", "known", "other", "a series", "inj"))]
    assert [line.split()[-1] for line in table] == ["streaming-20261128-f2002552", "0.83", "3", "6", "3.9", "-"]
    assert "streaming-20261128-af6940a3" in table[0]
