"""What the page draws: the stretch of an incident, recomputed from the topics, and incidents over time."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Protocol

from detector.alerting.events import Event
from detector.dashboard.board import Incident
from detector.dashboard.drawing import Tell
from detector.pictures import as_item, incident_item, timeline
from detector.stretches.stretch import Course, Stretch

EARLIER_SECONDS = {"last day": 86_400.0, "last week": 7 * 86_400.0}
"""How much earlier the same series is shown as well, by name."""

# With more the list would be out of sight; filters bring the others up.
_TIMELINE_ROWS = 8


class Reader(Protocol):
    """Recomputes stretches; belongs to the thread that made it."""

    def glimpse(self, event: Event) -> Stretch | None:
        """What was seen around the incident of an event, at once; None where nothing is known of it."""

    def stretch(self, event: Event) -> Stretch:
        """What happened around the incident, with what was expected and the scores; it may take seconds."""

    def earlier(self, event: Event, shift_seconds: float, span_ns: tuple[int, int] | None = None) -> Course:
        """The same series some time before; empty where the topic holds nothing of then."""

    def close(self) -> None:
        """Close its connections."""


class Artist:
    """Draws incidents: at once what was seen, with the series a day and a week before; then what was expected as well.

    Args:
        open_reader: Connects to the cluster; each thread that draws has a reader of its own.
    """

    def __init__(self, open_reader: Callable[[], Reader]) -> None:
        self._open_reader = open_reader
        self._of_thread = threading.local()

    def __call__(self, event: Event, tell: Tell) -> Iterator[dict[str, Any]]:
        """See `detector.dashboard.drawing.Draw`.

        Raises:
            DetectorError: the stretch cannot be told; the message says why.
        """
        try:
            yield from self._drawn(event, tell)
        except BaseException:
            # What it was about to read is unknown now, so the next picture begins with new connections.
            reader: Reader | None = getattr(self._of_thread, "reader", None)
            self._of_thread.reader = None
            if reader is not None:
                reader.close()
            raise

    def _drawn(self, event: Event, tell: Tell) -> Iterator[dict[str, Any]]:
        tell("Reading the records of this incident again")
        reader = self._reader()
        glimpse = reader.glimpse(event)
        earlier: dict[str, Course] = {}
        if glimpse is not None:
            earlier = _earlier(reader, event, _span_ns(glimpse))
            yield _document(event, glimpse, earlier)
        tell("Asking the model again what it expected")
        stretch = reader.stretch(event)
        if glimpse is None or _span_ns(stretch) != _span_ns(glimpse):
            earlier = _earlier(reader, event, _span_ns(stretch))
        yield _document(event, stretch, earlier)

    def _reader(self) -> Reader:
        found: Reader | None = getattr(self._of_thread, "reader", None)
        if found is None:
            found = self._of_thread.reader = self._open_reader()
        return found


def timeline_picture(incidents: Sequence[Incident], since_ns: int, until_ns: int, known: int) -> dict[str, Any]:
    """Incidents over time, as an item that a page draws.

    Args:
        incidents: In any order.
        since_ns: Event time at the left.
        until_ns: Event time at the right.
        known: How many there are in all.
    """
    summaries = [incident.summary for incident in incidents]
    return dict(as_item(timeline(summaries, since_ns, until_ns, most_rows=_TIMELINE_ROWS, known=known)))


def _span_ns(stretch: Stretch) -> tuple[int, int]:
    return int(stretch.times_ns[0]), int(stretch.times_ns[-1])


def _earlier(reader: Reader, event: Event, span_ns: tuple[int, int]) -> dict[str, Course]:
    """The series at the same time of other days, where there was one."""
    found = {name: reader.earlier(event, seconds, span_ns) for name, seconds in EARLIER_SECONDS.items()}
    return {name: course for name, course in found.items() if len(course.times_ns)}


def _document(event: Event, stretch: Stretch, earlier: dict[str, Course]) -> dict[str, Any]:
    return {
        "item": incident_item(event, stretch, earlier),
        "begun": stretch.begun,
        "agreement": stretch.agreement,
        "model": stretch.model,
        "earlier": list(earlier),
    }
