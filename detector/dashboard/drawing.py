"""Pictures are drawn on few threads, the latest wish first, and kept for a while."""

from __future__ import annotations

import json
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any, Literal

import structlog

from detector.alerting.events import Event
from detector.errors import DetectorError
from detector.kafka.errors import TransientKafkaError

_LOG = structlog.get_logger(__name__)
# A page asks again and again while it waits; nobody waits for a picture that was not asked for in this time.
_PATIENCE_SECONDS = 10.0
_FAILED_FOR_SECONDS = 20.0

Tell = Callable[[str], None]
Draw = Callable[[Event, Tell], Iterator[dict[str, Any]]]
"""Draws an incident as of an event: gives documents, each in place of the one before, and may tell how far it is."""


@dataclass(frozen=True, slots=True)
class Drawing:
    """How far a picture is.

    Attributes:
        state: ``failed``: there is none, for the reason that ``message`` gives.
        document: JSON of what is drawn so far; None: nothing yet.
        step: How many documents there were so far, each in place of the one before.
        message: For people: what is being done, or what went wrong.
        ahead: Pictures that are drawn before it.
    """

    state: Literal["waiting", "working", "done", "failed"]
    document: bytes | None = None
    message: str = ""
    ahead: int = 0
    step: int = 0


class _Job:
    def __init__(self, event: Event, now: float) -> None:
        self.event = event
        self.asked = now
        self.settled = 0.0
        self.drawing = Drawing("waiting")


class Studio:
    """Draws pictures on threads of its own.

    Args:
        draw: Draws one.
        threads: At most so many at a time.
        queue: At most so many wait; beyond them the one that was asked for longest ago is dropped.
        keep: At most so many are kept.
        clock: Monotonic seconds.
    """

    def __init__(
        self, draw: Draw, threads: int = 2, queue: int = 8, keep: int = 32, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._draw, self._queue, self._keep, self._clock = draw, queue, keep, clock
        self._changed = threading.Condition()
        self._waiting: OrderedDict[str, _Job] = OrderedDict()
        self._working: dict[str, _Job] = {}
        self._settled: OrderedDict[str, _Job] = OrderedDict()
        self._closed = False
        # Daemons: a read that hangs must not keep the program from ending.
        for number in range(threads):
            threading.Thread(target=self._work, name=f"draw {number}", daemon=True).start()

    def ask(self, event: Event) -> Drawing:
        """How far the picture of an incident is, as of an event; whoever asks first has it drawn."""
        name, now = event.event_id, self._clock()
        with self._changed:
            job = self._settled.get(name)
            if job is not None:
                if job.drawing.state == "done" or now - job.settled < _FAILED_FOR_SECONDS:
                    self._settled.move_to_end(name)
                    return job.drawing
                del self._settled[name]
            job = self._working.get(name)
            if job is not None:
                return job.drawing
            job = self._waiting.pop(name, None) or _Job(event, now)
            job.asked = now
            self._waiting[name] = job
            while len(self._waiting) > self._queue:
                self._waiting.popitem(last=False)
            self._changed.notify()
            return Drawing("waiting", ahead=len(self._working))

    def close(self) -> None:
        """Draw nothing more; what is being drawn is not waited for."""
        with self._changed:
            self._closed = True
            self._waiting.clear()
            self._changed.notify_all()

    def _work(self) -> None:
        while (job := self._next()) is not None:
            drawing = self._drawn(job)
            with self._changed:
                name = job.event.event_id
                job.drawing, job.settled = drawing, self._clock()
                del self._working[name]
                self._settled[name] = job
                while len(self._settled) > self._keep:
                    self._settled.popitem(last=False)

    def _next(self) -> _Job | None:
        with self._changed:
            while not self._closed:
                now = self._clock()
                while self._waiting:
                    name, job = self._waiting.popitem()
                    if now - job.asked <= _PATIENCE_SECONDS:
                        self._working[name] = job
                        job.drawing = Drawing("working")
                        return job
                self._changed.wait()
            return None

    def _drawn(self, job: _Job) -> Drawing:
        def tell(message: str) -> None:
            job.drawing = replace(job.drawing, message=message)

        try:
            for document in self._draw(job.event, tell):
                job.drawing = replace(job.drawing, document=json.dumps(document).encode(), step=job.drawing.step + 1)
                if self._closed:
                    break
        except (DetectorError, TransientKafkaError, OSError) as error:
            return replace(job.drawing, state="failed", message=str(error) or type(error).__name__)
        except Exception as error:
            _LOG.exception("picture failed", event_id=job.event.event_id)
            return replace(job.drawing, state="failed", message=f"unexpected: {type(error).__name__}; see the log")
        return replace(job.drawing, state="done", message="")
