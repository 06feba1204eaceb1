"""The picture at the top of the list is drawn before anybody asks."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

from detector.alerting.events import Event
from detector.dashboard.board import Board
from detector.dashboard.drawing import Studio, Tell
from detector.dashboard.warming import Warming
from tests.dashboard.conftest import event
from tests.dashboard.test_board import record


def test_the_first_incident_is_drawn_once_when_history_was_read() -> None:
    drawn: list[str] = []
    done = threading.Semaphore(0)

    def draw(one: Event, tell: Tell) -> Iterator[dict[str, Any]]:
        del tell
        drawn.append(one.incident_id[:2])
        yield {}
        done.release()

    board, studio = Board(10), Studio(draw, threads=1)
    warming = Warming(board, studio)
    try:
        warming.look(read_once=True)  # nothing is there to draw yet
        board.take_events([record(event("aa", step="closed", sequence=1))])
        warming.look(read_once=False)  # there may be more
        board.take_events([record(event("bb"))])
        warming.look(read_once=True)
        assert done.acquire(timeout=20)
        board.take_events([record(event("cc", started_ns=1_768_000_000 * 10**9))])
        warming.look(read_once=True)
        assert studio.ask(board.view().incidents[0].latest.event).state == "waiting"
        assert done.acquire(timeout=20)
        assert drawn == ["bb", "aa"]
    finally:
        studio.close()
