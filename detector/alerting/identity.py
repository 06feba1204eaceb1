"""Ids of incidents and events: the same input, model and settings give the same ids, on any machine."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

_ID_HEX_DIGITS = 32


@dataclass(frozen=True, slots=True)
class Identity:
    """Where scores come from; part of every incident's identity but ``model_version``, which is for people.

    Attributes:
        stream: Name of the stream in the settings.
        cluster: Id of the Kafka cluster, or the digest of a replayed file.
        topic: Input topic, or name of the file.
        partition: Of the input topic; 0 for a file.
        model: Digest of the bundle.
        model_version: Short text.
        fingerprint: Of the settings that shape outcomes.
    """

    stream: str
    cluster: str
    topic: str
    partition: int
    model: str
    model_version: str
    fingerprint: str


def incident_id(identity: Identity, series: str, kind: str, opening_offset: int) -> str:
    """Id of the incident that the record at ``opening_offset`` opened: 32 hex digits."""
    return _digest(
        "reconstream incident",
        identity.stream,
        identity.cluster,
        identity.topic,
        str(identity.partition),
        series,
        kind,
        str(opening_offset),
        identity.model,
        identity.fingerprint,
    )


def event_id(incident: str, event: str, sequence: int) -> str:
    """Id of an incident's event: 32 hex digits."""
    return _digest("reconstream event", incident, event, str(sequence))


def _digest(*parts: str) -> str:
    # Each part is preceded by its length, so that no two lists of parts give the same bytes.
    digest = hashlib.sha256()
    for part in parts:
        data = part.encode("utf-8", "surrogatepass")
        digest.update(b"%d:" % len(data))
        digest.update(data)
    return digest.hexdigest()[:_ID_HEX_DIGITS]
