"""What the events and the feedback topics tell, folded by incident, in memory and bounded."""

from __future__ import annotations

import secrets
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace

from detector.alerting.events import Event, InvalidEventError, decode
from detector.alerting.summaries import IncidentSummary
from detector.feedback.verdicts import InvalidFeedbackError, Verdict, VerdictFold, decode_verdict
from detector.records.values import Record

MOST_EVENTS = 100
"""Most events that are kept of an incident; in between the first and the latest ones are left out."""
MOST_SAID = 50
"""Most verdicts that are kept of an incident, for people to read."""
# Brokers before Kafka 4 take records of any time, such as one in microseconds; event times end here, too.
_LATEST_MS = (2**63 - 1) // 1_000_000
# So many more than allowed gather before some are left out, so that looking for them costs little.
_SLACK = 20


@dataclass(frozen=True, slots=True)
class Told:
    """An event as it stands on the events topic.

    Attributes:
        event: What it says.
        written_ns: When it was written, wall time, nanoseconds since the epoch.
        partition: Of the events topic.
        offset: On the events topic.
    """

    event: Event
    written_ns: int
    partition: int
    offset: int


@dataclass(frozen=True, slots=True)
class Incident:
    """All that is known of an incident; a new value takes its place with everything that is heard of it.

    Attributes:
        summary: As of its latest event.
        told: Its events, first to latest; at most `MOST_EVENTS`.
        left_out: Events in between that are not kept.
        said: What people said of it, in order; at most `MOST_SAID`, the latest.
        verdict: The verdict that counts.
        acknowledged: Who looks after it.
        revision: Of the board, when something was last heard of it.
    """

    summary: IncidentSummary
    told: tuple[Told, ...]
    left_out: int = 0
    said: tuple[Verdict, ...] = ()
    verdict: Verdict | None = None
    acknowledged: Verdict | None = None
    revision: int = 0

    @property
    def latest(self) -> Told:
        """The event that tells all that came before."""
        return self.told[-1]

    @property
    def reported_ns(self) -> int:
        """When people could first know of it: wall time at which its first known event was written."""
        return self.told[0].written_ns


@dataclass(frozen=True, slots=True)
class View:
    """The board at one moment.

    Attributes:
        incidents: In no order.
        revision: Grows with each change.
        left_out: Incidents that were more than the board may hold.
        bad_records: Records that were none of what their topic should hold, by topic.
        latest_written_ns: Wall time of the latest event; None without any.
    """

    incidents: Sequence[Incident]
    revision: int
    left_out: int
    bad_records: dict[str, int]
    latest_written_ns: int | None


@dataclass(slots=True)
class _State:
    incidents: dict[str, Incident] = field(default_factory=dict)
    said: dict[str, tuple[Verdict, ...]] = field(default_factory=dict)
    verdicts: VerdictFold = field(default_factory=VerdictFold)
    bad_records: Counter[str] = field(default_factory=Counter)
    revision: int = 0
    left_out: int = 0
    latest_written_ns: int | None = None


class Board:
    """Folds records into incidents; may be written and read by any thread.

    Args:
        most: Incidents to hold. Beyond them those that closed longest ago are left out, then those that are open.

    Attributes:
        life: Tells this board from the one before a restart, whose revisions mean nothing here.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._lock = threading.Lock()
        self._state = _State()
        self._listeners: list[Callable[[], None]] = []
        self.life = secrets.token_hex(4)

    def listen(self, listener: Callable[[], None]) -> None:
        """Have a function called after each change, by the thread that made it; it must not block."""
        self._listeners.append(listener)

    def take_events(self, records: Iterable[Record]) -> None:
        """Take records of the events topic. One that is no event is counted; a repetition says nothing new."""
        with self._lock:
            for record in records:
                try:
                    event = decode(record.value or b"")
                    summary = IncidentSummary.of(event)
                except (InvalidEventError, ValueError):
                    self._state.bad_records[record.topic] += 1
                    continue
                written_ns = min(max(record.timestamp, 0), _LATEST_MS) * 1_000_000
                told = Told(event, written_ns, record.partition, record.offset)
                self._take(told, summary)
            self._cut()
        self._tell()

    def take_feedback(self, records: Iterable[Record]) -> None:
        """Take records of the feedback topic; one that is no verdict is counted."""
        state = self._state
        with self._lock:
            for record in records:
                try:
                    said = decode_verdict(record.value or b"")
                except InvalidFeedbackError:
                    state.bad_records[record.topic] += 1
                    continue
                state.verdicts.add(said)
                subject = said.subject_id
                state.said[subject] = (*state.said.get(subject, ()), said)[-MOST_SAID:]
                known = state.incidents.get(subject)
                if known is not None:
                    state.incidents[subject] = self._judged(known)
        self._tell()

    def incident(self, name: str) -> Incident | None:
        """An incident by its id."""
        with self._lock:
            return self._state.incidents.get(name)

    def view(self) -> View:
        """Everything, as it is now."""
        with self._lock:
            state = self._state
            return View(
                list(state.incidents.values()), state.revision, state.left_out, dict(state.bad_records),
                state.latest_written_ns,
            )  # fmt: skip

    def _take(self, told: Told, summary: IncidentSummary) -> None:
        state, event = self._state, told.event
        state.latest_written_ns = max(state.latest_written_ns or 0, told.written_ns)
        known = state.incidents.get(event.incident_id)
        if known is None:
            state.incidents[event.incident_id] = self._judged(Incident(summary, (told,)))
            return
        if any(other.event.sequence == event.sequence for other in known.told):
            return
        if known.left_out and event.sequence < known.latest.event.sequence:
            return  # repeated, after it was left out
        events = sorted((*known.told, told), key=lambda one: one.event.sequence)
        left_out = known.left_out
        if len(events) > MOST_EVENTS:
            del events[1]
            left_out += 1
        if event.sequence < known.latest.event.sequence:
            summary = known.summary
        changed = replace(known, summary=summary, told=tuple(events), left_out=left_out)
        state.incidents[event.incident_id] = self._judged(changed)

    def _judged(self, incident: Incident) -> Incident:
        """The incident with what people said of it by now, at the next revision."""
        state, name = self._state, incident.summary.incident_id
        state.revision += 1
        return replace(
            incident,
            said=state.said.get(name, ()),
            verdict=state.verdicts.verdict(name),
            acknowledged=state.verdicts.acknowledgement(name),
            revision=state.revision,
        )

    def _cut(self) -> None:
        """Leave out what is more than the board may hold."""
        found = self._state.incidents
        if len(found) <= self._most + self._most // _SLACK:
            return
        by_worth = sorted(found.values(), key=lambda one: (one.summary.is_open, one.latest.written_ns))
        for incident in by_worth[: len(found) - self._most]:
            del found[incident.summary.incident_id]
            self._state.left_out += 1

    def _tell(self) -> None:
        for listener in self._listeners:
            listener()
