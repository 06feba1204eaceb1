"""What somebody says about an incident, or about one that should have been: one JSON document for each verdict.

The format is public; ``feedback.schema.json`` is generated from the structure here. Of several verdicts on a subject
the latest counts. A verdict changes nothing by itself: it takes effect through a bundle that was calibrated with it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from detector.alerting.events import Kind
from detector.alerting.timestamps import TIMESTAMP_PATTERN, parse_time
from detector.errors import DetectorError

SCHEMA_VERSION: Literal[1] = 1
VerdictName = Literal["false_alarm", "confirmed", "missed", "withdrawn"]

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
            "series and times. Of several verdicts on a subject the latest counts."
        ),
    ]
    verdict: Annotated[
        VerdictName,
        Meta(
            description="false_alarm: it should not have opened. confirmed: it was right. missed: there should have "
            "been one. withdrawn: forget what was said about the subject."
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


def latest(verdicts: Iterable[Verdict]) -> list[Verdict]:
    """What counts: the last verdict on each subject, without those that were withdrawn, by series and time."""
    found = {verdict.subject_id: verdict for verdict in verdicts}
    counting = (verdict for verdict in found.values() if verdict.verdict != "withdrawn")
    return sorted(
        counting, key=lambda verdict: (verdict.stream, verdict.series, verdict.started_ns, verdict.subject_id)
    )
