"""What the events topic and the dead-letter topic hold of one partition of a stream, read piece by piece."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import msgspec

from detector.alerting.dead_letter import HEADER_PREFIX, DeadLetter
from detector.alerting.events import Event, InvalidEventError, decode
from detector.audit.matching import Output
from detector.kafka.history import History
from detector.records.values import InputPartition, Record


@dataclass(frozen=True, slots=True)
class Origin:
    """Whose outputs are wanted.

    Attributes:
        stream: Name of the stream.
        cluster: Id of the cluster.
        partition: Of the input.
    """

    stream: str
    cluster: str
    partition: InputPartition


@dataclass(frozen=True, slots=True)
class WrittenEvent:
    """An event together with the key that it has on its topic."""

    event: Event
    key: bytes | None


Odd = Callable[[Literal["unreadable", "unexpected"], int, str, str | None], None]
"""Told of a record that cannot be compared: ``unreadable`` or ``unexpected``, offset, why, and id of the event."""

Pieces = Iterator[Sequence[Record] | None]


def read_outputs(history: History, topic: str, partition: int, end: int) -> Pieces:
    """Records of a partition of an output topic, from its beginning to before ``end``.

    Raises:
        KafkaUnavailableError: a transaction stays open, or the cluster does not answer.
    """
    where = InputPartition(topic, partition)
    first = history.first_offsets([where])[where]
    for chunk in history.read({where: (first, end)}):
        yield None if chunk is None else chunk[1]


def events(pieces: Pieces, origin: Origin, odd: Odd) -> Iterator[Output[WrittenEvent] | None]:
    """The events of one partition of a stream; those of other streams and clusters are passed over."""
    for records in pieces:
        if records is None:
            yield None
            continue
        for record in records:
            try:
                event = decode(record.value or b"")
            except InvalidEventError as error:
                odd("unreadable", record.offset, f"record {record.offset} of topic {record.topic}: {error}", None)
                continue
            source = event.source
            if (event.stream, source.cluster, source.topic) != (
                origin.stream, origin.cluster, origin.partition.topic,
            ):  # fmt: skip
                continue
            if source.partition != origin.partition.partition:
                odd(
                    "unexpected",
                    source.last_offset,
                    f"it is of input partition {source.partition} and stands in partition {record.partition} of topic "
                    f"{record.topic}",
                    event.event_id,
                )
                continue
            yield event_output(event, record.key)


def event_output(event: Event, key: bytes | None) -> Output[WrittenEvent]:
    """An event as one side of the comparison."""
    return Output(event.event_id, event.source.last_offset, event.series, WrittenEvent(event, key))


def event_differences(expected: WrittenEvent, written: WrittenEvent) -> list[str]:
    """Paths of the fields in which two events differ."""
    found = [] if expected.key == written.key else ["key"]
    one, other = msgspec.to_builtins(expected.event), msgspec.to_builtins(written.event)
    for name, value in one.items():
        if value == other[name]:
            continue
        if isinstance(value, dict):
            found += [f"{name}.{part}" for part in value if value[part] != other[name].get(part)]
        else:
            found.append(name)
    return found


def dead_letters(pieces: Pieces, origin: Origin, odd: Odd) -> Iterator[Output[DeadLetter] | None]:
    """The dead letters of one partition of a stream."""
    for records in pieces:
        if records is None:
            yield None
            continue
        for record in records:
            headers = tuple((name, bytes(value or b"")) for name, value in record.headers)
            place = dict(reversed(headers))  # of two headers of one name the first is ours
            stream, topic, partition, offset = (
                place.get(HEADER_PREFIX + name, b"").decode("utf-8", "replace")
                for name in ("stream", "topic", "partition", "offset")
            )
            if (stream, topic) != (origin.stream, origin.partition.topic):
                continue
            found = _offset(offset)
            if partition != str(origin.partition.partition) or found is None:
                odd(
                    "unexpected",
                    -1 if found is None else found,
                    f"record {record.offset} in partition {record.partition} of topic {record.topic} says that it is "
                    f"of input partition {partition[:20]!r}, offset {offset[:20]!r}",
                    None,
                )
                continue
            yield dead_letter_output(found, DeadLetter(record.key, record.value, headers))


def _offset(text: str) -> int | None:
    # str.isdigit() alone holds for superscripts, and int() refuses thousands of digits.
    return int(text) if text.isascii() and text.isdigit() and len(text) < 20 else None


def dead_letter_output(offset: int, letter: DeadLetter) -> Output[DeadLetter]:
    """A dead letter as one side of the comparison."""
    return Output(str(offset), offset, "", letter)


def dead_letter_differences(expected: DeadLetter, written: DeadLetter) -> list[str]:
    """Names of the parts in which two dead letters differ: key, value, or a header."""
    found = []
    if expected.key != written.key:
        found.append("key")
    if expected.value != written.value:
        found.append("value")
    if expected.headers != written.headers:
        names = dict.fromkeys(name for name, _ in (*expected.headers, *written.headers))
        found += [
            f"header {name}"
            for name in names
            if [v for n, v in expected.headers if n == name] != [v for n, v in written.headers if n == name]
        ] or ["order of headers"]
    return found
