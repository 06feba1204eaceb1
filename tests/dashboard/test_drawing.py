"""Pictures: the latest wish first, bounded queues, and reasons where there is none."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from detector.alerting.events import Event
from detector.dashboard.drawing import Drawing, Studio, Tell
from detector.errors import StateMismatchError
from tests.dashboard.conftest import event
from tests.support.waiting import until


class Hand:
    """Draws when it is let."""

    def __init__(self) -> None:
        self.go = threading.Semaphore(0)
        self.drawn: list[str] = []
        self.begun = threading.Semaphore(0)
        self.error: Exception | None = None

    def __call__(self, one: Event, tell: Tell) -> Iterator[dict[str, Any]]:
        tell("reading")
        yield {"part": 1}
        self.begun.release()
        self.go.acquire()
        if self.error is not None:
            raise self.error
        self.drawn.append(one.incident_id[:2])
        yield {"part": 2}


@pytest.fixture
def hand() -> Hand:
    return Hand()


@pytest.fixture
def clock() -> list[float]:
    return [0.0]


@pytest.fixture
def studio(hand: Hand, clock: list[float]) -> Iterator[Studio]:
    found = Studio(hand, threads=1, queue=3, keep=2, clock=lambda: clock[0])
    yield found
    found.close()
    for _ in range(10):
        hand.go.release()


def reached(found: Callable[[], Drawing], state: str) -> Drawing:
    """The drawing, once it has come to a state."""
    return until(lambda: drawing if (drawing := found()).state == state else None, state)


def test_a_picture_comes_in_steps_and_is_kept(studio: Studio, hand: Hand) -> None:
    one = event("aa")
    assert studio.ask(one).state == "waiting"
    hand.begun.acquire()
    assert studio.ask(one) == Drawing("working", b'{"part": 1}', "reading", step=1)
    hand.go.release()
    done = reached(lambda: studio.ask(one), "done")
    assert (json.loads(done.document or b""), done.step) == ({"part": 2}, 2)
    assert studio.ask(one) == done
    assert hand.drawn == ["aa"]


def test_the_latest_wish_comes_first_and_what_nobody_waits_for_is_dropped(
    studio: Studio, hand: Hand, clock: list[float]
) -> None:
    studio.ask(event("aa"))
    hand.begun.acquire()
    studio.ask(event("b1"))
    assert studio.ask(event("b2")) == Drawing("waiting", ahead=1)
    clock[0] = 60.0
    for name in ("c1", "c2"):
        studio.ask(event(name))  # the queue of three drops b1, and b2 has waited too long
    for _ in range(2):
        hand.go.release()
        hand.begun.acquire()
    hand.go.release()
    reached(lambda: studio.ask(event("c1")), "done")
    assert hand.drawn == ["aa", "c2", "c1"]


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (StateMismatchError("retention has deleted the records"), "retention has deleted the records"),
        (ZeroDivisionError("a secret"), "unexpected: ZeroDivisionError; see the log"),
    ],
)
def test_a_picture_that_cannot_be_drawn_says_why_and_may_be_asked_for_again(
    studio: Studio, hand: Hand, clock: list[float], error: Exception, message: str
) -> None:
    one, hand.error = event("aa"), error
    studio.ask(one)
    hand.go.release()
    failed = reached(lambda: studio.ask(one), "failed")
    assert (failed.message, failed.document) == (message, b'{"part": 1}')
    hand.error, clock[0] = None, 60.0
    assert studio.ask(one).state == "waiting"
    hand.go.release()
    assert reached(lambda: studio.ask(one), "done").document == b'{"part": 2}'


def test_few_pictures_are_kept(studio: Studio, hand: Hand) -> None:
    for name in ("a1", "a2", "a3"):
        studio.ask(event(name))
        hand.go.release()
        reached(lambda name=name: studio.ask(event(name)), "done")  # type: ignore[misc]
    assert studio.ask(event("a3")).state == studio.ask(event("a2")).state == "done"
    assert studio.ask(event("a1")).state == "waiting"


def test_a_closed_studio_begins_nothing(hand: Hand) -> None:
    studio = Studio(hand, threads=1)
    studio.close()
    studio.ask(event("aa"))
    assert hand.drawn == []
