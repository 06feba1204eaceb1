"""Copies a topic into one whose records are keyed by series, so that each series is in one partition."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Protocol

from detector.alerting.dead_letter import dead_letter
from detector.errors import ConfigError, InvalidRecordError, StateMismatchError
from detector.kafka.copying import Copied
from detector.records.decoders import Decoder
from detector.records.identity import SeriesName
from detector.records.values import InputPartition, Record
from detector.settings import RecordSettings

_BATCH_RECORDS = 5_000
_BATCH_BYTES = 8 * 1024 * 1024
_REMEMBERED_KEYS = 100_000
# A key of up to 1,024 bytes may come to a record that had none; a rejected record gets up to 2 KB of headers.
_ROOM_BYTES = 8 * 1024


@dataclass(frozen=True, slots=True)
class Plan:
    """What is copied where.

    Attributes:
        partitions: Of the target.
        rejects: Topic for records without a series, partitioned like the source; None stops at the first of them.
        max_record_bytes: Largest record of the source.
    """

    source: str
    target: str
    partitions: int
    rejects: str | None
    max_record_bytes: int

    @property
    def name(self) -> str:
        """Of the copy: its consumer group and transactional id."""
        return f"reconstream-repartition.{self.source}.{self.target}"

    @property
    def room(self) -> int:
        """Bytes by which a record of the copy may be larger than its original."""
        return _ROOM_BYTES


@dataclass(slots=True)
class Tally:
    """What was copied by this run.

    Attributes:
        rejected: Records without a series, by reason.
        into: Records by partition of the target.
    """

    copied: int = 0
    rejected: dict[str, int] = field(default_factory=dict)
    into: dict[int, int] = field(default_factory=dict)


class Writer(Protocol):
    """Commits records and progress together; `detector.kafka.copying.CopyWriter` is one."""

    def write(self, records: list[Copied], offsets: Mapping[InputPartition, int], note: str) -> None: ...  # noqa: D102


class SeriesOf:
    """Names the series of a record as the worker would, without asking for its channels.

    Args:
        settings: How the stream's records are laid out.
        decode: Bytes to fields; not used where the key names the series.

    Raises:
        ConfigError: a path cannot be parsed.
    """

    def __init__(self, settings: RecordSettings, decode: Decoder) -> None:
        self._name = SeriesName(settings.series_fields)
        self._decode = decode if settings.series_fields else None

    def __call__(self, record: Record) -> str:
        """The name.

        Raises:
            InvalidRecordError: it has none that can be read.
        """
        if self._decode is None:
            return self._name.of_key(record.key)
        if record.value is None:
            raise InvalidRecordError("null_value", "the record has no value (a tombstone)")
        document = self._decode(record.value)
        if not isinstance(document, dict):
            raise InvalidRecordError("not_an_object", "the value is not an object with fields")
        return self._name(document, record)


def note_of(source_id: str, target_id: str, partitions: int, settings: RecordSettings) -> str:
    """What a copy depends on, besides its offsets: going on with anything else would spread series again."""
    layout = json.dumps([settings.decoder, *settings.series_fields]).encode()
    return f"{source_id}/{target_id}/{partitions}/{hashlib.sha256(layout).hexdigest()[:16]}"


def starting_offsets(
    plan: Plan,
    note: str,
    first: Mapping[InputPartition, int],
    progress: Mapping[InputPartition, tuple[int, str]],
    target_records: int,
    append: bool,
) -> dict[InputPartition, int]:
    """Where the copy begins, or goes on.

    Args:
        plan: Of the copy.
        note: From `note_of`, now.
        first: Oldest offset of each partition of the source.
        progress: Next offset and note of an earlier run.
        target_records: Offsets between the target's beginnings and ends.
        append: Whether a target that holds records of others may be written to.

    Raises:
        ConfigError: the target holds records of others.
        StateMismatchError: an earlier run copied something else, or records that it had not reached are gone.
    """
    if not progress:
        if target_records and not append:
            raise ConfigError(
                f"the topic {plan.target!r} holds records already, and not of an earlier run of this copy; name a new "
                "topic, or add --append to write behind them"
            )
        return dict(first)
    if any(found != note for _, found in progress.values()):
        raise StateMismatchError(
            f"an earlier run copied {plan.source!r} to {plan.target!r} with other series fields, or one of the topics "
            "was created anew or got more partitions since; going on would spread series over partitions. Name another "
            f"TARGET, or delete the target and the consumer group {plan.name!r} and begin anew"
        )
    starts = {partition: progress.get(partition, (offset, ""))[0] for partition, offset in first.items()}
    for partition, offset in starts.items():
        if offset < first[partition]:
            raise StateMismatchError(
                f"records {offset} to {first[partition] - 1} of {partition.topic}/{partition.partition} were deleted "
                "by retention since the earlier run and can not be copied any more. To copy what is left, name another "
                "TARGET"
            )
    return starts


def repartition(
    records: Iterable[Record],
    starts: Mapping[InputPartition, int],
    ends: Mapping[InputPartition, int],
    plan: Plan,
    series_of: SeriesOf,
    partition_of: Callable[[bytes, int], int],
    writer: Writer,
    note: str,
    progress: Callable[[int], None] = lambda _: None,
) -> Tally:
    """Copy records, in the order in which they come, in transactions of a few thousand.

    Args:
        records: Of the source, from ``starts`` to ``ends``.
        starts: First offsets.
        ends: Offsets at which the copy ends.
        plan: What goes where.
        series_of: Names a record's series.
        partition_of: From key and number of partitions to a partition.
        writer: Open.
        note: Written with the offsets.
        progress: Called with the number of records after each transaction.

    Raises:
        ConfigError: a record has no series and ``plan.rejects`` is None; what came before it is copied.
        KafkaUnavailableError: the cluster failed; another run goes on.
    """
    place = lru_cache(_REMEMBERED_KEYS)(partition_of)
    tally = Tally()
    offsets = dict(starts)
    batch: list[Copied] = []
    size = read = 0

    def commit() -> None:
        nonlocal batch, size, read
        writer.write(batch, offsets, note)
        progress(read)
        batch, size, read = [], 0, 0

    # At once, even if it says nothing yet: a target with records of this copy is told from one of others by it.
    commit()
    for record in records:
        try:
            key = series_of(record).encode()
        except InvalidRecordError as error:
            if plan.rejects is None:
                commit()
                raise ConfigError(
                    f"record {record.offset} of {record.topic}/{record.partition} has no series that can be read "
                    f"({error}); to keep such records in a topic of their own add --rejects TOPIC and run this again: "
                    "it goes on there. If most are like that, look at the series fields"
                ) from error
            letter = dead_letter(record, plan.source, error.reason, error.detail, plan.max_record_bytes)
            tally.rejected[error.reason] = tally.rejected.get(error.reason, 0) + 1
            batch.append(
                Copied(plan.rejects, record.partition, record.timestamp, letter.key, letter.value, list(letter.headers))
            )
        else:
            partition = place(key, plan.partitions)
            tally.copied += 1
            tally.into[partition] = tally.into.get(partition, 0) + 1
            batch.append(Copied(plan.target, partition, record.timestamp, key, record.value, list(record.headers)))
        offsets[InputPartition(record.topic, record.partition)] = record.offset + 1
        size += len(record.value or b"")
        read += 1
        if len(batch) >= _BATCH_RECORDS or size >= _BATCH_BYTES:
            commit()
    # The end itself: it steps past transaction markers.
    offsets.update(ends)
    commit()
    return tally
