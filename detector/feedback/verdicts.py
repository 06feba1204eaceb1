"""What somebody says about an incident, or about one that should have been: one JSON document for each verdict.

The format is public; ``feedback.schema.json`` is generated from the structure here. Of several verdicts on a subject
the latest counts. A verdict changes nothing by itself: it takes effect through a bundle that was calibrated with it.
An acknowledgement judges nothing, so calibration passes over it, and it never takes the place of a verdict.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from detector.alerting.events import Event, Kind
from detector.alerting.timestamps import TIMESTAMP_PATTERN, parse_time
from detector.errors import DetectorError

SCHEMA_VERSION: Literal[1] = 1
VerdictName = Literal["false_alarm", "confirmed", "missed", "acknowledged", "withdrawn"]

_Id = Annotated[str, Meta(pattern="^[0-9a-f]{32}$")]
_Time = Annotated[str, Meta(pattern=TIMESTAMP_PATTERN, extra_json_schema={"format": "date-time"})]


class InvalidFeedbackError(DetectorError):
    """Bytes that are not a verdict of this schema version."""


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """What somebody says about an incident, or about one that should have been."""

    schema_version: Annotated[Literal[1], Meta(description="Version of this format.")] = SCHEMA_VERSION
    subject_id: Annotated[
        _Id,
        Meta(
            description="What it is about, and the record's key: the incident's id; for missed, a digest of stream, "
            "series and times. Of several verdicts on a subject the latest counts; an acknowledgement is none."
        ),
    ]
    verdict: Annotated[
        VerdictName,
        Meta(
            description="false_alarm: it should not have opened. confirmed: it was right. missed: there should have "
            "been one. acknowledged: somebody looks after it; no judgement, and beside any. withdrawn: forget what was "
            "said about the subject."
        ),
    ]
    incident_id: Annotated[_Id | None, Meta(description="Of the incident; null for missed.")]
    kind: Annotated[Kind, Meta(description="Of the incident; reconstruction for missed.")]
    stream: Annotated[str, Meta(description="Name of the stream in the worker's settings.")]
    series: Annotated[str, Meta(description="Name of the series.")]
    started_at: Annotated[
        _Time, Meta(description="Event time: the incident's, or from when there should have been one.")
    ]
    ended_at: Annotated[
        _Time, Meta(description="Event time: the incident's end as far as it was known, or until when.")
    ]
    author: Annotated[str, Meta(description="Who says so.")]
    note: Annotated[str, Meta(description="Why, for people.")] = ""
    given_at: Annotated[_Time, Meta(description="Wall time of the verdict.")]

    @property
    def started_ns(self) -> int:
        """Event time, nanoseconds since the epoch."""
        return parse_time(self.started_at)

    @property
    def ended_ns(self) -> int:
        """Event time, nanoseconds since the epoch."""
        return parse_time(self.ended_at)


def verdict_on(event: Event, verdict: VerdictName, *, author: str, note: str, given_at: str) -> Verdict:
    """What somebody says about the incident that an event tells of.

    Args:
        event: The incident's latest event.
        verdict: Any but ``missed``.
        author: Who says so.
        note: Why.
        given_at: Wall time, as events have times.
    """
    return Verdict(
        subject_id=event.incident_id,
        verdict=verdict,
        incident_id=event.incident_id,
        kind=event.kind,
        stream=event.stream,
        series=event.series,
        started_at=event.started_at,
        ended_at=event.ended_at or event.updated_at,
        author=author,
        note=note,
        given_at=given_at,
    )


def missed_id(stream: str, series: str, started_at: str, ended_at: str) -> str:
    """Id of what was missed: the same series and times give the same id."""
    digest = hashlib.sha256(b"reconstream missed")
    for part in (stream, series, started_at, ended_at):
        data = part.encode("utf-8", "surrogatepass")
        digest.update(b"%d:" % len(data) + data)
    return digest.hexdigest()[:32]


_encode = msgspec.json.Encoder().encode
_decoder = msgspec.json.Decoder(Verdict)


class _Versioned(msgspec.Struct):
    schema_version: int


_version_decoder = msgspec.json.Decoder(_Versioned)


def encode_verdict(verdict: Verdict) -> bytes:
    """Compact JSON in UTF-8."""
    return _encode(verdict)


def decode_verdict(data: bytes) -> Verdict:
    """Read a verdict; fields that are not known are skipped, as later releases may add some.

    Raises:
        InvalidFeedbackError: not JSON, of another schema version, or not a verdict; the message says which.
    """
    try:
        version = _version_decoder.decode(data).schema_version
        if version != SCHEMA_VERSION:
            raise InvalidFeedbackError(
                f"feedback of schema version {version}, but this release reads {SCHEMA_VERSION}; use the one that "
                "wrote it"
            )
        found = _decoder.decode(data)
        if found.ended_ns < found.started_ns:
            raise InvalidFeedbackError(f"feedback on {found.subject_id} ends before it starts")
    except (ValueError, RecursionError) as error:
        raise InvalidFeedbackError(f"not feedback: {error}") from error
    if (found.verdict == "missed") != (found.incident_id is None) and found.verdict != "withdrawn":
        raise InvalidFeedbackError(
            f"feedback on {found.subject_id} is {found.verdict} with the incident_id {found.incident_id}; that is null "
            "for missed, and only then"
        )
    return found


class VerdictFold:
    """Folds verdicts, in the order in which they were given, into what stands of each subject."""

    def __init__(self) -> None:
        self._verdicts: dict[str, Verdict] = {}
        self._acknowledgements: dict[str, Verdict] = {}

    def add(self, said: Verdict) -> None:
        """Take what was said next."""
        subject = said.subject_id
        if said.verdict == "withdrawn":
            self._verdicts.pop(subject, None)
            self._acknowledgements.pop(subject, None)
        elif said.verdict == "acknowledged":
            self._acknowledgements[subject] = said
        else:
            self._verdicts[subject] = said

    def verdict(self, subject: str) -> Verdict | None:
        """The verdict that counts on a subject."""
        return self._verdicts.get(subject)

    def acknowledgement(self, subject: str) -> Verdict | None:
        """Who looks after it, whatever the verdict."""
        return self._acknowledgements.get(subject)

    def verdicts(self) -> list[Verdict]:
        """All verdicts that count, by series and time."""
        return sorted(self._verdicts.values(), key=_by_series)

    def standing(self) -> list[Verdict]:
        """The same, with acknowledgements of incidents that nobody has judged yet."""
        waiting = [said for subject, said in self._acknowledgements.items() if subject not in self._verdicts]
        return sorted([*self._verdicts.values(), *waiting], key=_by_series)


def latest(verdicts: Iterable[Verdict]) -> list[Verdict]:
    """What counts: the last verdict on each subject, without those that were withdrawn, by series and time.

    Acknowledgements are no verdicts.
    """
    return _folded(verdicts).verdicts()


def standing(verdicts: Iterable[Verdict]) -> list[Verdict]:
    """What counts, and acknowledgements of incidents that nobody has judged yet, by series and time."""
    return _folded(verdicts).standing()


def _folded(verdicts: Iterable[Verdict]) -> VerdictFold:
    fold = VerdictFold()
    for verdict in verdicts:
        fold.add(verdict)
    return fold


def _by_series(verdict: Verdict) -> tuple[str, str, int, str]:
    return verdict.stream, verdict.series, verdict.started_ns, verdict.subject_id
