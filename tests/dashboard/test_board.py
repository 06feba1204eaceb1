"""What the board makes of records, in any order, with repetitions and with what does not belong there."""

from __future__ import annotations

import pytest

from detector.alerting.events import Event, encode
from detector.dashboard.board import MOST_EVENTS, Board
from detector.dashboard.documents import listing, status
from detector.dashboard.query import Query
from detector.feedback.verdicts import encode_verdict, verdict_on
from detector.records.values import PlainRecord
from tests.dashboard.conftest import event


def record(one: Event | bytes | None, offset: int = 0, written_ms: int = 1_767_000_100_000) -> PlainRecord:
    return PlainRecord("events", 0, offset, written_ms, b"key", encode(one) if isinstance(one, Event) else one)


def said(one: Event, verdict: str, author: str = "jo") -> PlainRecord:
    value = encode_verdict(verdict_on(one, verdict, author=author, note="", given_at="2026-01-05T09:00:00.000Z"))
    return PlainRecord("feedback", 0, 0, 1_767_000_200_000, b"key", value)


@pytest.fixture
def board() -> Board:
    return Board(100)


def test_events_of_an_incident_are_one_incident(board: Board) -> None:
    opened, updated, closed = (event("aa", step=s, sequence=n) for n, s in enumerate(("opened", "updated", "closed")))
    board.take_events([record(closed, 9, 3000), record(opened, 7, 1000)])
    board.take_events([record(updated, 8, 2000), record(updated, 8, 2000), record(closed, 12, 9000)])
    found = board.incident(opened.incident_id)
    assert found is not None
    assert [(told.event.event, told.offset) for told in found.told] == [("opened", 7), ("updated", 8), ("closed", 9)]
    assert not found.summary.is_open
    assert (found.reported_ns, found.latest.written_ns) == (1_000_000_000, 3_000_000_000)
    view = board.view()
    assert (len(view.incidents), view.left_out, view.bad_records) == (1, 0, {})


def test_each_change_has_a_revision_and_a_repetition_is_no_change(board: Board) -> None:
    heard = []
    board.listen(lambda: heard.append(board.view().revision))
    one, other = event("aa"), event("bb")
    board.take_events([record(one)])
    board.take_events([record(other)])
    board.take_events([record(one)])
    assert heard == [1, 2, 2]
    assert {one.summary.incident_id[:2]: one.revision for one in board.view().incidents} == {"aa": 1, "bb": 2}


def test_what_is_no_event_or_verdict_is_counted_and_the_rest_goes_on(board: Board) -> None:
    bad = [None, b"", b"[]", b"\xff", b'{"schema_version": 3}', encode(event("aa")).replace(b"-12-", b"-99-")]
    board.take_events([*(record(value) for value in bad), record(event("bb"))])
    board.take_feedback([PlainRecord("feedback", 0, 0, 0, None, b"{}"), said(event("bb"), "confirmed")])
    view = board.view()
    assert view.bad_records == {"events": 6, "feedback": 1}
    assert [one.summary.incident_id[:2] for one in view.incidents] == ["bb"]
    assert view.incidents[0].verdict is not None


@pytest.mark.parametrize("written_ms", [-1, 1_767_000_100_000_000, 2**63 - 1])
def test_a_record_of_an_impossible_time_spoils_nothing(board: Board, written_ms: int) -> None:
    """Such as one whose writer took microseconds for milliseconds, which brokers before Kafka 4 take."""
    board.take_events([record(event("aa"), written_ms=written_ms), record(event("bb"))])
    view = board.view()
    listed = listing(view, Query(), board.life)["incidents"]
    assert len(listed) == 2
    told = status(view, [], 1_767_000_200_000 * 1_000_000, 0)
    assert told["known"] == 2
    assert all("1970" <= one["reported_at"][:4] <= "2262" for one in listed)


def test_an_acknowledgement_stands_beside_a_verdict_whichever_comes_first(board: Board) -> None:
    one = event("aa")
    board.take_feedback([said(one, "false_alarm")])
    board.take_events([record(one)])
    board.take_feedback([said(one, "acknowledged", "ann")])
    found = board.incident(one.incident_id)
    assert found is not None
    assert (found.verdict.verdict, found.acknowledged.author) == ("false_alarm", "ann")  # type: ignore[union-attr]
    assert [each.verdict for each in found.said] == ["false_alarm", "acknowledged"]
    board.take_feedback([said(one, "withdrawn")])
    found = board.incident(one.incident_id)
    assert found is not None
    assert (found.verdict, found.acknowledged, len(found.said)) == (None, None, 3)


def test_the_board_is_bounded_and_leaves_out_what_closed_longest_ago() -> None:
    board = Board(20)
    board.take_events([record(event("01"), written_ms=1)])  # open, and older than all
    for number in range(2, 30):
        one = event(f"{number:02}", step="closed", sequence=1)
        board.take_events([record(one, number, written_ms=number)])
    view = board.view()
    left = sorted(one.summary.incident_id[:2] for one in view.incidents)
    assert len(left) <= 21
    assert view.left_out + len(left) == 29
    assert left[0] == "01"
    assert left[1:] == [f"{number:02}" for number in range(31 - len(left), 30)]


def test_of_a_long_incident_the_first_and_the_latest_events_are_kept(board: Board) -> None:
    count = MOST_EVENTS + 30
    events = [event("aa", step="updated" if n else "opened", sequence=n) for n in range(count)]
    board.take_events(record(one, n) for n, one in enumerate(events))
    board.take_events([record(events[5])])
    found = board.incident(events[0].incident_id)
    assert found is not None
    kept = [told.event.sequence for told in found.told]
    assert kept == [0, *range(count - MOST_EVENTS + 1, count)]
    assert found.left_out == 30
