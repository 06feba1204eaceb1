"""Records to arrays: the training part of a topic's history, assembled exactly as the live worker would."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from detector.errors import InvalidRecordError
from detector.records.decoders import Decoder
from detector.records.paths import MISSING, FieldPath, path_text
from detector.records.reader import RecordReader
from detector.records.values import InputPartition, Record
from detector.series.spec import WindowSpec
from detector.series.store import SeriesStore
from detector.settings import RecordSettings

_FLUSH_AT = 1000
_DEEPEST = 5
_FAR_NS = 2**62
SeriesData = dict[str, tuple[npt.NDArray[np.int64], npt.NDArray[np.float64]]]
Chunk = tuple[InputPartition, Sequence[Record]]


@dataclass(slots=True)
class Collected:
    """Series of a topic.

    Attributes:
        data: Series -> int64[rows] event times in nanoseconds, ascending, and float64[rows, channels], NaN where
        missing.
        records: Read, valid or not.
        rejected: Invalid records by reason.
    """

    data: SeriesData = field(default_factory=dict)
    records: int = 0
    rejected: dict[str, int] = field(default_factory=dict)


def collect(
    chunks: Iterable[Chunk | None],
    reader: RecordReader,
    channels: int,
    since_ns: int | None = None,
    until_ns: int | None = None,
    progress: Callable[[int], None] = lambda _: None,
) -> Collected:
    """Read records into arrays; late and duplicate samples are dropped and tall ones assembled, as in live operation.

    Args:
        chunks: Records of one partition each, in offset order; None means that nothing came for a moment.
        reader: Of the stream.
        channels: How many the reader gives.
        since_ns: First event time to keep.
        until_ns: First event time that is too late.
        progress: Called with the number of records after each chunk.
    """
    collected = Collected()
    stores: dict[int, SeriesStore] = {}
    rows: dict[str, list[tuple[int, npt.NDArray[np.float64]]]] = {}
    # Windows of one row: the store does the assembling and ordering, and hands every row on.
    spec = WindowSpec(
        length=1, channels=channels, period_ns=None, stride=1, max_gap_steps=0, lateness_ns=0, max_jump_ns=_FAR_NS,
        stale_after_ns=_FAR_NS, forget_after_ns=_FAR_NS, min_coverage=1e-9, max_series=1_000_000,
    )  # fmt: skip

    def flush(store: SeriesStore) -> None:
        if not store.pending:
            return
        batch = store.take()
        for series, time_ns, values in zip(batch.series, batch.time_ns.tolist(), batch.values[:, 0], strict=True):
            if (since_ns is None or time_ns >= since_ns) and (until_ns is None or time_ns < until_ns):
                rows.setdefault(series, []).append((time_ns, values))

    for chunk in chunks:
        if chunk is None:
            progress(0)
            continue
        partition, records = chunk
        store = stores.setdefault(partition.partition, SeriesStore(spec))
        for record in records:
            try:
                sample = reader.read(record)
                if sample is not None:
                    store.add(sample, record.offset)
            except InvalidRecordError as error:
                collected.rejected[error.reason] = collected.rejected.get(error.reason, 0) + 1
            if store.pending >= _FLUSH_AT:
                flush(store)
        flush(store)
        collected.records += len(records)
        progress(len(records))
    for series, found in sorted(rows.items()):
        # A series in two partitions has no defined order; time it is.
        found.sort(key=lambda row: row[0])
        collected.data[series] = (
            np.fromiter((time_ns for time_ns, _ in found), np.int64, len(found)),
            np.stack([values for _, values in found]),
        )
    return collected


def discover_channels(records: Iterable[Record], settings: RecordSettings, decode: Decoder) -> tuple[str, ...]:
    """Names of the channels in some records, sorted: numeric fields of wide records, channel names of tall ones.

    Records that cannot be read are passed over.
    """
    found: set[str] = set()
    apart = {
        path.split(".")[0]
        for path in (*settings.series_fields, *((settings.time_field,) if settings.time_field else ()))
    }
    under = None if settings.channels_under is None else FieldPath(settings.channels_under)
    name = FieldPath(settings.channel_name_field)
    for record in records:
        try:
            document = decode(record.value or b"")
        except InvalidRecordError:
            continue
        if settings.layout == "tall":
            channel = name.get(document)
            if channel is not MISSING and isinstance(channel, str):
                found.add(channel)
            continue
        fields = document if under is None else under.get(document)
        if isinstance(fields, dict):
            found.update(
                key
                for key, value in fields.items()
                if isinstance(value, int | float)
                and not isinstance(value, bool)
                and (under is not None or key not in apart)
            )
    return tuple(sorted(found))


def places_of_numbers(records: Iterable[Record], decode: Decoder) -> list[str]:
    """Paths of the objects within some records that hold numbers, those with most of them first."""
    counts: dict[tuple[str, ...], int] = {}

    def look(found: dict[str, Any], way: tuple[str, ...]) -> None:
        numbers = sum(isinstance(value, int | float) and not isinstance(value, bool) for value in found.values())
        if way and numbers:
            counts[way] = counts.get(way, 0) + numbers
        if len(way) < _DEEPEST:
            for name, value in found.items():
                if isinstance(value, dict):
                    look(value, (*way, name))

    for record in records:
        try:
            document = decode(record.value or b"")
        except InvalidRecordError:
            continue
        if isinstance(document, dict):
            look(document, ())
    return [path_text(way) for way, _ in sorted(counts.items(), key=lambda item: -item[1])]


def _steps_ns(data: SeriesData) -> npt.NDArray[np.int64]:
    every = np.concatenate([np.empty(0, np.int64), *(np.diff(times) for times, _ in data.values())])
    return every[every > 0]


def median_step_seconds(data: SeriesData) -> float | None:
    """The median difference of samples' times, kept or not; None where there are no two times."""
    every = _steps_ns(data)
    return float(np.median(every)) / 1e9 if len(every) else None


def median_period_seconds(data: SeriesData) -> float | None:
    """The step that samples keep, if they do: the median difference, when nine in ten are about a multiple of it."""
    every = _steps_ns(data)
    if not len(every):
        return None
    median = float(np.median(every))
    # Steps that are whole multiples are gaps of a regular series.
    multiples = every / median
    regular = (multiples > 0.5) & (np.abs(multiples - np.round(multiples)) <= 0.1)
    return median / 1e9 if regular.mean() >= 0.9 else None
