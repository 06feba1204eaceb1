"""Series for training and measuring: from files, or from a topic's history."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from detector.records.decoders import Decoder
    from detector.records.values import Record
    from detector.training_data import SeriesData

_DISCOVERY_RECORDS = 2000
_MOST_PLACES = 3


def from_files(
    files: list[Path],
    time_column: str | None,
    series_column: str | None,
    series: str | None,
    channels: tuple[str, ...] | None,
) -> tuple[SeriesData, tuple[str, ...]]:
    """Series of all files, by name; a series may go on in the next file.

    Args:
        files: Parquet, CSV or JSON Lines.
        time_column: Of the event time; found by itself without it.
        series_column: Names the series.
        series: Name of the series of all rows.
        channels: Those to read; all that hold numbers without it.

    Returns:
        By series, times and values; and the names of the channels, in the order of the values.

    Raises:
        ConfigError: a file or a column is missing, or two files have different channels.
    """
    import numpy as np

    from detector.errors import ConfigError
    from detector.files.table import open_table

    tables = [open_table(path, time_column, series_column, channels, series) for path in files]
    names = tables[0].channels
    parts: dict[str, list[tuple[npt.NDArray[np.int64], npt.NDArray[np.float64]]]] = {}
    for table in tables:
        if set(table.channels) != set(names):
            odd = sorted(set(table.channels) ^ set(names))
            raise ConfigError(
                f"{table.path} has other channels than {tables[0].path} ({', '.join(odd)}); "
                "name those to use with --channels"
            )
        order = [table.channels.index(name) for name in names]
        for chunk in table.chunks():
            labels = np.asarray(chunk.series)
            for name in dict.fromkeys(chunk.series):
                rows = labels == name
                parts.setdefault(name, []).append((chunk.time_ns[rows], chunk.values[rows][:, order]))
    data: SeriesData = {}
    for name, found in sorted(parts.items()):
        times = np.concatenate([part[0] for part in found])
        values = np.concatenate([part[1] for part in found])
        by_time = np.argsort(times, kind="stable")
        data[name] = (times[by_time], values[by_time])
    return data, names


def between(data: SeriesData, since_ns: int | None, until_ns: int | None) -> SeriesData:
    """The samples from ``since_ns`` to before ``until_ns``.

    Raises:
        ConfigError: there are samples, and all are at other times.
    """
    import numpy as np

    from detector.alerting.timestamps import format_time
    from detector.errors import ConfigError

    kept: SeriesData = {}
    for name, (times, values) in data.items():
        inside = np.ones(len(times), bool)
        if since_ns is not None:
            inside &= times >= since_ns
        if until_ns is not None:
            inside &= times < until_ns
        kept[name] = (times[inside], values[inside])
    there = [times for times, _ in data.values() if len(times)]
    if there and not any(len(times) for times, _ in kept.values()):
        first, last = min(int(times[0]) for times in there), max(int(times[-1]) for times in there)
        raise ConfigError(
            f"no sample is in that range: there are some from {format_time(first)} to {format_time(last)}; look at "
            "--since and --until"
        )
    return kept


def from_topic(
    topic: str,
    config: Path | None,
    bootstrap_server: str | None,
    channels: tuple[str, ...] | None,
    since_ns: int | None,
    until_ns: int | None,
) -> tuple[SeriesData, tuple[str, ...]]:
    """Series of a topic's history, read as the worker would read it; says on stderr what was left out.

    Raises:
        ConfigError: the range is empty, or no channels are found.
        KafkaUnavailableError: the cluster or the topic is missing.
    """
    import os
    from itertools import islice

    from detector.cli.common.held import held_by
    from detector.cli.common.options import cluster_at
    from detector.cli.common.progress import RecordProgress
    from detector.errors import ConfigError
    from detector.kafka.client import consumer_config
    from detector.kafka.history import History
    from detector.kafka.preflight import check_cluster, check_topics
    from detector.moments import NS_PER_SECOND
    from detector.records.decoders import decoder
    from detector.records.reader import RecordReader
    from detector.settings import KafkaSettings, RecordSettings
    from detector.settings_file import load_settings
    from detector.training_data import collect, discover_channels

    kafka, record = KafkaSettings(), RecordSettings()
    if config is not None:
        settings = load_settings(config, os.environ)
        kafka = settings.kafka
        record = next((stream.record for stream in settings.streams if stream.topic == topic), record)
    kafka = cluster_at(kafka, bootstrap_server)
    check_cluster(kafka)
    check_topics(kafka, [topic])
    decode = decoder(record.decoder)
    history = History(consumer_config(kafka))
    try:
        partitions = history.partitions(topic)
        first, end = history.first_offsets(partitions), history.end_offsets(partitions)
        ranges = {partition: (first[partition], end[partition]) for partition in partitions}
        if since_ns is not None:
            # Record timestamps may differ a little from event times; what is too early is left out afterwards.
            found = history.offsets_at(partitions, max(0, (since_ns - 3600 * NS_PER_SECOND) // 1_000_000))
            ranges = {p: (end[p] if (offset := found[p]) is None else offset, end[p]) for p in partitions}
        total = sum(stop - start for start, stop in ranges.values())
        if not total:
            held = held_by(history, topic)
            if since_ns is None:
                raise ConfigError(f"{held}; publish to it first")
            raise ConfigError(f"no record is in that range: {held}; look at --since")
        if channels is None:
            sample = (item for chunk in history.read(ranges) if chunk is not None for item in chunk[1])
            looked_at = list(islice(sample, _DISCOVERY_RECORDS))
            channels = discover_channels(looked_at, record, decode)
            if not channels:
                raise ConfigError(
                    f"the records of {topic} hold no numbers where channels are expected; describe them in the record "
                    f"section of a configuration file (-c), or name them with --channels{_elsewhere(looked_at, decode)}"
                )
        reader = RecordReader(record, channels, decode)
        with RecordProgress(f"reading {topic}", total) as progress:
            collected = collect(history.read(ranges), reader, len(channels), since_ns, until_ns, progress.advance)
    finally:
        history.close()
    if collected.rejected:
        reasons = ", ".join(f"{count:,} {reason}" for reason, count in sorted(collected.rejected.items()))
        if collected.records == sum(collected.rejected.values()):
            raise ConfigError(
                f"all {collected.records:,} records that were read of {topic} are invalid ({reasons}); look at "
                "--channels, and at the record section of the stream that reads this topic (-c)"
            )
        typer.echo(f"note: left out of {collected.records:,} records: {reasons}", err=True)
    return collected.data, channels


def _elsewhere(records: Sequence[Record], decode: Decoder) -> str:
    """Where else records hold numbers, as a hint for the configuration; empty if nowhere."""
    from detector.printable import printable
    from detector.training_data import places_of_numbers

    places = places_of_numbers(records, decode)[:_MOST_PLACES]
    if not places:
        return ""
    return f". There are numbers below {' and '.join(map(printable, places))}: set record.channels_under to it"
