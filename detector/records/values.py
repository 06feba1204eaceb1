"""What travels from the wire to the windows: records in, samples out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol


class InputPartition(NamedTuple):
    """A partition of an input topic: the unit of ownership, order and state."""

    topic: str
    partition: int


class Record(Protocol):
    """The part of a Kafka record that the pipeline reads; kafka-python's ``ConsumerRecord`` fits as it is."""

    @property
    def topic(self) -> str: ...  # noqa: D102
    @property
    def partition(self) -> int: ...  # noqa: D102
    @property
    def offset(self) -> int: ...  # noqa: D102
    @property
    def timestamp(self) -> int:
        """Milliseconds since the epoch, or -1."""

    @property
    def key(self) -> bytes | None: ...  # noqa: D102
    @property
    def value(self) -> Any:
        """``bytes`` from Kafka, ``None`` for a tombstone; a row of numbers when a file is replayed."""

    @property
    def headers(self) -> Sequence[tuple[str, bytes]]: ...  # noqa: D102


class PlainRecord(NamedTuple):
    """A record that does not come from kafka-python: a row of a file, or a test's."""

    topic: str
    partition: int
    offset: int
    timestamp: int
    key: bytes | None
    value: Any
    headers: Sequence[tuple[str, bytes]] = ()


class WideSample(NamedTuple):
    """All channels of a series at one time.

    Attributes:
        series: Name of the series.
        time_ns: Event time, nanoseconds since the epoch, UTC.
        values: One float per channel of the model, in its order; NaN where the channel is missing.
    """

    series: str
    time_ns: int
    values: Sequence[float]


class TallSample(NamedTuple):
    """One channel of a series at one time; ``series/`` assembles them by event time."""

    series: str
    time_ns: int
    channel: int
    value: float


Sample = WideSample | TallSample
