"""Filters, order and paging; what the page is told of an incident."""

from __future__ import annotations

import re

import pytest

from detector.alerting.events import Event
from detector.alerting.timestamps import parse_time
from detector.dashboard.board import Board, Incident
from detector.dashboard.commands import ready_commands
from detector.dashboard.documents import in_full, listing
from detector.dashboard.neighbours import neighbours
from detector.dashboard.query import Query
from detector.dashboard.span import span
from detector.errors import ConfigError
from tests.dashboard.conftest import HOUR_NS, event
from tests.dashboard.test_board import record, said

NOW_NS = parse_time("2026-01-02T12:00:00.000Z")


def ago(hours: float) -> int:
    return NOW_NS - round(hours * HOUR_NS)


FAULTS = [
    event("a0", series="web-1", severity="warning", started_ns=ago(1), ratio=3.0),
    event("b0", series="DB-2", severity="critical", started_ns=ago(2), ratio=9.0, stream="stores"),
    event("c0", series="web-2", severity="info", started_ns=ago(30), ratio=1.5, step="closed", lasted_seconds=7200),
    event("d0", series="web-1", severity="critical", started_ns=ago(3), kind="silence", step="closed", ratio=12.0),
]


@pytest.fixture
def board() -> Board:
    board = Board(100)
    board.take_events(map(record, FAULTS))
    board.take_feedback([said(FAULTS[1], "acknowledged"), said(FAULTS[3], "false_alarm")])
    board.take_feedback([said(FAULTS[3], "acknowledged")])
    return board


def names(board: Board, **arguments: str) -> list[str]:
    query = Query.parse({name: [value] for name, value in arguments.items()}, NOW_NS)
    return [one.summary.incident_id[:1] for one in query.select(board.view().incidents)]


@pytest.mark.parametrize(
    ("arguments", "found"),
    [
        ({}, "abdc"),
        ({"stream": "stores"}, "b"),
        ({"series": "WEB"}, "adc"),
        ({"severity": "critical,info"}, "bdc"),
        ({"kind": "silence"}, "d"),
        ({"status": "open"}, "ab"),
        ({"status": "closed"}, "dc"),
        ({"verdict": "none"}, "ac"),
        ({"verdict": "acknowledged"}, "b"),
        ({"verdict": "false_alarm"}, "d"),
        ({"since": "4h"}, "abd"),
        ({"since": "2026-01-01T07:59:00Z"}, "abdc"),
        ({"since": "2026-01-01T08:01:00Z", "until": "2026-01-02T10:30"}, "bd"),
        ({"sort": "newest"}, "abdc"),
        ({"sort": "oldest"}, "cdba"),
        ({"sort": "severity"}, "bdac"),
        ({"sort": "score"}, "dbac"),
        ({"sort": "duration"}, "cabd"),
        ({"sort": "series"}, "adcb"),
        ({"series": "nothing"}, ""),
    ],
)
def test_a_filter_narrows_the_list_down(board: Board, arguments: dict[str, str], found: str) -> None:
    assert "".join(names(board, **arguments)) == found


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"colour": "red"}, "there is no filter 'colour'; there are kind, limit, offset"),
        ({"severity": "grave"}, "severity: there is no 'grave'; choose of critical, warning, info"),
        ({"status": "shut"}, "status: there is no 'shut'; choose of open, closed"),
        ({"sort": "up"}, "sort: there is no 'up'; choose of open, newest"),
        ({"since": "soon"}, "since: 'soon' is neither a time such as 2026-01-31T08:00:00Z nor a duration"),
        ({"limit": "501"}, "limit: '501' is not a whole number from 0 to 500"),
        ({"limit": "0" * 12 + "9999"}, "limit: '0000000000009999' is not a whole number from 0 to 500"),
        ({"limit": "0" * 5000}, f"limit: '{'0' * 40}' is not a whole number from 0 to 500"),
        ({"offset": "-1"}, "offset: '-1' is not a whole number"),
        ({"limit": "٣"}, "limit: '٣' is not a whole number"),
    ],
)
def test_what_cannot_be_asked_for_is_said(arguments: dict[str, str], message: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(message)):
        Query.parse({name: [value] for name, value in arguments.items()}, NOW_NS)


def test_a_page_of_a_list_says_how_many_there_are(board: Board) -> None:
    query = Query.parse({"offset": ["1"], "limit": ["2"]}, NOW_NS)
    found = listing(board.view(), query, "life")
    assert (found["total"], found["offset"], found["streams"]) == (4, 1, ["servers", "stores"])
    assert [row["incident_id"][0] for row in found["incidents"]] == ["b", "d"]
    assert found["revision"] == f"life-{board.view().revision}"
    first, second = found["incidents"]
    assert (first["acknowledged"]["author"], first["verdict"], first["open"]) == ("jo", None, True)
    assert second["verdict"]["verdict"] == "false_alarm"
    assert first["rank"] < second["rank"]


def incident(board: Board, one: Event) -> Incident:
    found = board.incident(one.incident_id)
    assert found is not None
    return found


def test_neighbours_are_the_same_series_at_any_time_and_others_within_an_hour(board: Board) -> None:
    found = neighbours(incident(board, FAULTS[0]), board.view().incidents)
    assert [one.summary.incident_id[0] for one in found.same_series] == ["d"]
    assert [one.summary.incident_id[0] for one in found.other_series] == ["b"]
    far = neighbours(incident(board, FAULTS[2]), board.view().incidents)
    assert (far.same_series, far.other_series, far.more) == ((), (), 0)


def test_of_many_neighbours_the_nearest_are_listed_and_the_rest_counted() -> None:
    board = Board(100)
    crowd = [event(f"c{n:02}", series=f"s{n}", started_ns=ago(1) + n * 10**9) for n in range(20)]
    board.take_events(map(record, [event("a0", started_ns=ago(1)), *crowd]))
    found = neighbours(incident(board, FAULTS[0]), board.view().incidents)
    assert [one.summary.series for one in found.other_series] == [f"s{n}" for n in range(12)]
    assert found.more == 8


def test_commands_hold_all_that_they_need_and_quote_what_comes_from_topics(board: Board) -> None:
    lines = [one.line for one in ready_commands(incident(board, FAULTS[0]), "my conf.yaml")]
    assert lines[0] == ("detector replay -c 'my conf.yaml' --stream servers --from-offset 94 --to-offset 108")
    assert lines[1] == f"{lines[0]} --as-lived"
    assert lines[2].startswith("detector inspect -c 'my conf.yaml' --event a00000000000 --out ")
    assert lines[3].endswith("--verdict false-alarm")
    silence = [one.line for one in ready_commands(incident(board, FAULTS[3]), "detector.yaml")]
    assert not any("inspect" in line for line in silence)  # no score, so nothing to open up
    board.take_events([record(event("e0", stream="x; rm -rf ~"))])
    evil = ready_commands(incident(board, event("e0")), "detector.yaml")
    assert "--stream 'x; rm -rf ~' --from" in evil[0].line


def test_one_incident_in_full(board: Board) -> None:
    board.take_events([record(event("a0", step="updated", sequence=1, series="web-1", started_ns=ago(1)), 5)])
    found = in_full(incident(board, FAULTS[0]), board.view(), "detector.yaml")
    assert [(one["event"], one["offset"]) for one in found["events"]] == [("opened", 0), ("updated", 5)]
    assert found["channels"][0] == {
        "channel": "cpu", "share": 0.5, "contribution": 1.5, "seen": 93.0, "expected": 35.5,
    }  # fmt: skip
    assert found["source"]["last_offset"] == 107
    assert found["model"]["version"] == "servers-1"
    (same,) = found["neighbours"]["same_series"]
    assert same["starts_after_seconds"] == -7200.0


@pytest.mark.parametrize(
    ("reach", "names", "hours"),
    [("day", "dba", 25), ("week", "cdba", 30), ("month", "cdba", 30), ("all", "0cdba", 9600)],
)
def test_a_timeline_goes_back_as_far_as_is_asked_for(reach: str, names: str, hours: int) -> None:
    board = Board(5000)
    old = event("0a", started_ns=ago(24 * 400), step="closed")
    board.take_events(map(record, [old, *FAULTS]))
    shown = span(board.view().incidents, None, None, reach)
    assert shown is not None
    found, since_ns, _ = shown
    assert "".join(one.summary.incident_id[0] for one in found) == names
    assert since_ns >= ago(hours)
    # A time that is asked for says how far.
    assert span(board.view().incidents, ago(24 * 500), None, reach) == span(board.view().incidents, ago(24 * 500), None)


def test_a_reach_that_there_is_not_is_refused_with_those_that_there_are() -> None:
    with pytest.raises(ConfigError, match="reach: there is no 'year'; choose of day, week, month, all"):
        span([], None, None, "year")


def test_a_timeline_shows_the_last_week_of_what_is_known_or_the_time_that_is_asked_for() -> None:
    board = Board(5000)
    old = event("0a", started_ns=ago(24 * 400), step="closed")
    board.take_events(map(record, [old, *FAULTS]))
    incidents = board.view().incidents
    shown = span(incidents, None, None)
    assert shown is not None
    found, since_ns, until_ns = shown
    assert [one.summary.incident_id[0] for one in found] == ["c", "d", "b", "a"]
    assert (since_ns, until_ns) == (ago(30), ago(1) + 600 * 10**9)
    shown = span(incidents, ago(24 * 401), ago(24 * 300))
    assert shown is not None
    assert [one.summary.incident_id[0] for one in shown[0]] == ["0"]
    assert span(incidents, ago(24 * 300), ago(24 * 200)) is None
    assert span([], None, None) is None
    board.take_events(record(event(f"{n:08x}", started_ns=ago(1) + n)) for n in range(1, 1500))
    shown = span(board.view().incidents, None, None)
    assert shown is not None
    assert len(shown[0]) == 1000
