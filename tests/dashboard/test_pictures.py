"""What is drawn of an incident, in which order, and what happens to connections when it cannot be."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from detector.alerting.events import Event
from detector.alerting.timestamps import parse_time
from detector.dashboard.board import Board
from detector.dashboard.pictures import Artist, timeline_picture
from detector.errors import StateMismatchError
from detector.stretches.stretch import Course, Stretch
from tests.dashboard.conftest import event
from tests.dashboard.test_board import record

ONE = event("aa", channels=("cpu", "load"))
CHANNELS = ("cpu", "load")
ROWS = 40


def times() -> Any:
    return parse_time(ONE.started_at) + (np.arange(ROWS) - 10) * 10 * 10**9


class FakeReader:
    def __init__(self, days: int = 0, error: Exception | None = None) -> None:
        self.days, self.error, self.closed = days, error, False
        self.known = True
        self.asked: list[Any] = []

    def glimpse(self, one: Event) -> Stretch | None:
        if not self.known:
            return None
        whole = self.stretch(one)
        return replace(whole, expected=whole.expected * np.nan, score=whole.score * np.nan, model="none yet")

    def stretch(self, one: Event) -> Stretch:
        if self.error is not None:
            raise self.error
        waves = np.sin(np.arange(ROWS * 2.0)).reshape(ROWS, 2)
        return Stretch(
            stream=one.stream, series=one.series, channels=CHANNELS, times_ns=times(), offsets=np.arange(ROWS),
            seen=waves, expected=waves * 0.9, contributions=np.abs(waves).astype(np.float32),
            score=np.abs(waves).sum(1), threshold=np.ones(ROWS), model="servers-1", begun="from the beginning",
            agreement="the score at the peak is that of the event, to the last bit",
        )  # fmt: skip

    def earlier(self, one: Event, shift_seconds: float, span_ns: tuple[int, int] | None = None) -> Course:
        self.asked.append((shift_seconds, span_ns))
        rows = ROWS if shift_seconds <= self.days * 86_400 else 0
        return Course(times()[:rows] - round(shift_seconds * 1e9), np.zeros((rows, 2)))

    def close(self) -> None:
        self.closed = True


def drawn(artist: Artist, told: list[str] | None = None) -> list[dict[str, Any]]:
    return list(artist(ONE, (told if told is not None else []).append))


def test_what_was_seen_comes_at_once_and_then_what_was_expected() -> None:
    reader, told = FakeReader(days=7), []
    first, second = drawn(Artist(lambda: reader), told)
    assert (first["model"], second["model"]) == ("none yet", "servers-1")
    assert first["earlier"] == second["earlier"] == ["last day", "last week"]
    assert "last week" in json.dumps(first["item"])
    assert second["agreement"] == "the score at the peak is that of the event, to the last bit"
    span = int(times()[0]), int(times()[-1])
    # Of the same time, so nothing is read twice.
    assert reader.asked == [(86_400.0, span), (604_800.0, span)]
    assert told == ["Reading the records of this incident again", "Asking the model again what it expected"]
    assert not reader.closed


def test_other_days_are_read_again_where_the_whole_is_of_another_time() -> None:
    reader = FakeReader(days=1)
    glimpse = reader.glimpse(ONE)
    assert glimpse is not None
    short = replace(glimpse, times_ns=glimpse.times_ns + 10**9)
    reader.glimpse = lambda _: short  # type: ignore[method-assign]
    drawn(Artist(lambda: reader))
    spans = [(int(of[0]), int(of[-1])) for of in (short.times_ns, times())]
    assert [span for _, span in reader.asked] == [spans[0], spans[0], spans[1], spans[1]]


def test_where_nothing_can_be_seen_at_once_there_is_one_picture() -> None:
    reader = FakeReader(days=1)
    reader.known = False
    (only,) = drawn(Artist(lambda: reader))
    assert (only["model"], only["earlier"]) == ("servers-1", ["last day"])


def test_where_the_topic_does_not_reach_back_no_other_day_is_drawn() -> None:
    assert [one["earlier"] for one in drawn(Artist(lambda: FakeReader()))] == [[], []]
    assert [one["earlier"] for one in drawn(Artist(lambda: FakeReader(days=1)))] == [["last day"]] * 2


def test_connections_are_kept_until_something_goes_wrong() -> None:
    readers: list[FakeReader] = []

    def connect() -> FakeReader:
        readers.append(FakeReader())
        return readers[-1]

    artist = Artist(connect)
    drawn(artist)
    drawn(artist)
    assert len(readers) == 1
    readers[0].error = StateMismatchError("retention has deleted the records")
    with pytest.raises(StateMismatchError):
        drawn(artist)
    assert readers[0].closed
    drawn(artist)
    assert len(readers) == 2


def test_a_cluster_that_cannot_be_reached_is_told() -> None:
    def connect() -> FakeReader:
        raise StateMismatchError("no cluster")

    with pytest.raises(StateMismatchError, match="no cluster"):
        drawn(Artist(connect))


def test_a_timeline_names_its_incidents() -> None:
    board = Board(10)
    board.take_events([record(ONE)])
    picture = timeline_picture(board.view().incidents, parse_time(ONE.started_at), parse_time(ONE.updated_at), 1)
    assert ONE.incident_id in json.dumps(picture)


def test_a_timeline_of_many_series_has_room_for_few_and_tells_of_the_others_together() -> None:
    board = Board(100)
    board.take_events(record(event(f"{n:02x}", series=f"host-{n:02}", ratio=100.0 - n)) for n in range(30))
    picture = timeline_picture(board.view().incidents, parse_time(ONE.started_at), parse_time(ONE.updated_at), 1)
    text = json.dumps(picture)
    assert "22 other series" in text
    (rows,) = [model for model in _models(picture["doc"]) if model.get("name") == "FactorRange"]
    assert len(rows["attributes"]["factors"]) == 9


def _models(found: Any) -> list[dict[str, Any]]:
    if isinstance(found, dict):
        inner = [one for value in found.values() for one in _models(value)]
        return [found, *inner] if "attributes" in found else inner
    if isinstance(found, list):
        return [one for value in found for one in _models(value)]
    return []
