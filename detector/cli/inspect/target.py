"""Which sample of which series is to be inspected: of an event, of a given time, or where the score is highest."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from detector.alerting.events import Event, InvalidEventError, decode
from detector.alerting.timestamps import parse_time
from detector.errors import ConfigError
from detector.kafka.client import consumer_config
from detector.kafka.history import History
from detector.kafka.preflight import check_cluster, check_topics
from detector.pipeline.outcome import ScoreRows
from detector.replay import Taken
from detector.settings import KafkaSettings

_LEAST_PREFIX = 6


@dataclass(frozen=True, slots=True)
class Target:
    """What to look at.

    Attributes:
        series: Name.
        at_ns: Event time of the sample, or None: where the score is highest.
        event: Whose it is, or None.
    """

    series: str
    at_ns: int | None
    event: Event | None = None

    @classmethod
    def of_event(cls, event: Event) -> Target:
        """The sample with the event's greatest score; of silence, which is greatest without one, the last before it."""
        return cls(event.series, parse_time(event.started_at if event.kind == "silence" else event.peak_at), event)


def find_event(events: Iterable[Event], wanted: str, source: str) -> Event:
    """The event of an id, or the last one of an incident's.

    Args:
        events: Where to look.
        wanted: Id of an event or of an incident, or the beginning of one.
        source: Where they come from, for messages.

    Raises:
        ConfigError: there is none, the text is too short, or several begin so.
    """
    if len(wanted) < _LEAST_PREFIX:
        raise ConfigError(f"--event: {wanted!r} is too short; give at least {_LEAST_PREFIX} characters of the id")
    by_event: dict[str, Event] = {}
    by_incident: dict[str, Event] = {}
    for event in events:
        if event.event_id.startswith(wanted):
            by_event[event.event_id] = event
        if event.incident_id.startswith(wanted):
            latest = by_incident.get(event.incident_id)
            if latest is None or event.sequence >= latest.sequence:
                by_incident[event.incident_id] = event
    found = {**by_incident, **by_event}
    if len(found) > 1:
        raise ConfigError(f"--event: {len(found)} events or incidents of {source} begin with {wanted}; give more of it")
    if not found:
        raise ConfigError(
            f"--event: {source} holds no event or incident {wanted}; look at the id, and at its retention"
        )
    return next(iter(found.values()))


def events_of_file(path: Path) -> Iterator[Event]:
    """Events of a JSON Lines file, as ``detector replay --events`` writes it.

    Raises:
        ConfigError: the file cannot be read, or a line is no event.
    """
    try:
        with path.open("rb") as file:
            for number, line in enumerate(file, 1):
                if line.strip():
                    try:
                        yield decode(line)
                    except InvalidEventError as error:
                        raise ConfigError(f"{path}, line {number}: {error}") from error
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror or error}") from error


def events_of_topic(kafka: KafkaSettings, topic: str) -> Iterator[Event]:
    """All events that a topic holds; records that are no events are passed over.

    Raises:
        KafkaUnavailableError: the cluster or the topic is missing.
    """
    check_cluster(kafka)
    check_topics(kafka, [topic])
    history = History(consumer_config(kafka))
    try:
        partitions = history.partitions(topic)
        first, end = history.first_offsets(partitions), history.end_offsets(partitions)
        for chunk in history.read({partition: (first[partition], end[partition]) for partition in partitions}):
            for record in chunk[1] if chunk is not None else ():
                try:
                    yield decode(record.value or b"")
                except InvalidEventError:
                    continue
    finally:
        history.close()


class HighestScore:
    """A sink of a replay that remembers where a series scored highest.

    Args:
        series: Name.

    Attributes:
        time_ns: Event time of that sample, or None.
    """

    def __init__(self, series: str) -> None:
        self._series = series
        self._highest = -np.inf
        self.time_ns: int | None = None

    def take(self, taken: Taken) -> None:
        """See `detector.replay.ReplaySink`."""
        for rows in taken.scores:
            mine = _scored(rows, self._series)
            if mine.any():
                index = int(np.argmax(np.where(mine, rows.score, -np.inf)))
                if rows.score[index] > self._highest:
                    self._highest, self.time_ns = float(rows.score[index]), int(rows.time_ns[index])


class ScoredTimes:
    """A sink of a replay that remembers when a series was scored.

    Args:
        series: Name.

    Attributes:
        found_ns: Event times of the first and the last sample with a score, or None.
    """

    def __init__(self, series: str) -> None:
        self._series = series
        self.found_ns: tuple[int, int] | None = None

    def take(self, taken: Taken) -> None:
        """See `detector.replay.ReplaySink`."""
        for rows in taken.scores:
            mine = _scored(rows, self._series)
            if mine.any():
                times = rows.time_ns[mine]
                before = self.found_ns or (int(times[0]), int(times[0]))
                self.found_ns = min(before[0], int(times.min())), max(before[1], int(times.max()))


def _scored(rows: ScoreRows, series: str) -> npt.NDArray[np.bool_]:
    """Which rows are of the series and have a score."""
    return np.array([name == series for name in rows.series], np.bool_) & ~np.isnan(rows.score)
