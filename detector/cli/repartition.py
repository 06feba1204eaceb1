"""``detector repartition``: a topic whose series are spread over partitions, into one where each has its own."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from collections.abc import Mapping

    from detector.kafka.history import History
    from detector.kafka.topics import TopicInfo
    from detector.records.values import InputPartition
    from detector.repartition import Plan, Tally
    from detector.settings import KafkaSettings, RecordSettings

_NS_PER_MS = 1_000_000
_INTERRUPTED = 130


def repartition(
    source: Annotated[str, typer.Argument(help="Topic to copy.", show_default=False)],
    target: Annotated[str, typer.Argument(help="Topic to write; created if it is missing.", show_default=False)],
    config: Annotated[
        Path | None,
        typer.Option("--config", "-c", help="Configuration file: the cluster, and how the stream names its series."),
    ] = None,
    stream: Annotated[
        str | None, typer.Option(help="Stream whose record settings to use; without it, the one that reads SOURCE.")
    ] = None,
    series_field: Annotated[
        list[str] | None,
        typer.Option(help="Path of a field that names the series, instead of -c; may be given several times."),
    ] = None,
    bootstrap_server: Annotated[str | None, typer.Option(help="host:port of the cluster.")] = None,
    partitions: Annotated[
        int | None, typer.Option(min=1, help="Partitions of a new TARGET; as many as SOURCE without it.")
    ] = None,
    rejects: Annotated[
        str | None, typer.Option(help="Topic for records without a series; without it the first of them ends the copy.")
    ] = None,
    append: Annotated[bool, typer.Option("--append", help="Write even if TARGET holds other records.")] = False,
) -> None:
    """Copy a topic so that every series is in one partition: keyed by its name, as producers do it by default.

    The copy ends at the offsets that SOURCE had at the start. Value, headers and timestamp stay. Records are merged
    over the partitions by timestamp, so a series' records come in their order. Each batch commits together with the
    progress: interrupted or crashed, run it again and it goes on, and no record is lost or repeated. Run it again
    later to copy what has come since.

    Examples:
        detector repartition telemetry telemetry-by-series -c detector.yaml

        detector repartition telemetry by-pump --series-field site --series-field pump --partitions 12 --rejects odd
    """
    from contextlib import ExitStack

    from detector.cli.common.progress import RecordProgress
    from detector.errors import ConfigError
    from detector.kafka.client import consumer_config, producer_config
    from detector.kafka.copying import CopyWriter, default_partition
    from detector.kafka.history import History
    from detector.kafka.merging import MergedHistory
    from detector.kafka.preflight import check_cluster
    from detector.kafka.topics import topic_ids
    from detector.records.decoders import decoder
    from detector.records.values import InputPartition
    from detector.repartition import SeriesOf, note_of, starting_offsets
    from detector.repartition import repartition as copy

    named = [name for name in (source, target, rejects) if name is not None]
    if len(set(named)) < len(named):
        raise ConfigError("SOURCE, TARGET and --rejects must be different topics")
    kafka, record = _settings(config, stream, series_field, bootstrap_server, source)
    series_of = SeriesOf(record, decoder(record.decoder))
    check_cluster(kafka)
    there, into, plan = _topics(kafka, source, target, partitions, rejects)
    ids = topic_ids(kafka, [source, target])
    note = note_of(ids[source], ids[target], plan.partitions, record)
    with ExitStack() as stack:
        history = History(consumer_config(kafka))
        stack.callback(history.close)
        sources = [InputPartition(source, number) for number in range(there.partitions)]
        targets = [InputPartition(target, number) for number in range(into.partitions)]
        ends, first = history.end_offsets(sources), history.first_offsets(sources)
        held = sum(history.end_offsets(targets).values()) - sum(history.first_offsets(targets).values())
        writer = CopyWriter(
            producer_config(kafka), consumer_config(kafka), plan.name, there.max_message_bytes + plan.room
        )
        stack.callback(writer.close)
        writer.open()
        starts = starting_offsets(plan, note, first, writer.progress(sources), held, append)
        if into.retention_ms >= 0 or into.timestamp_type != "CreateTime" or "compact" in into.cleanup_policies:
            _check_target(history, starts, ends, into, kafka)
        merged = MergedHistory(consumer_config(kafka))
        stack.callback(merged.close)
        ranges = {partition: (starts[partition], ends[partition]) for partition in sources}
        progress = stack.enter_context(
            RecordProgress("copying", sum(max(0, end - start) for start, end in ranges.values()))
        )
        try:
            tally = copy(
                merged.read(ranges), starts, ends, plan, series_of, default_partition, writer, note, progress.advance
            )
        except KeyboardInterrupt:
            typer.echo("interrupted: run it again and it goes on where it stopped", err=True)
            raise typer.Exit(_INTERRUPTED) from None
    _report(plan, tally, resumed=starts != first)


def _settings(
    config: Path | None, stream: str | None, series_fields: list[str] | None, bootstrap_server: str | None, source: str
) -> tuple[KafkaSettings, RecordSettings]:
    """The cluster, and how records name their series."""
    import os

    from detector.cli.common.options import cluster_at, named_stream
    from detector.errors import ConfigError
    from detector.settings import KafkaSettings, RecordSettings
    from detector.settings_file import load_settings

    if config is None:
        if stream is not None:
            raise ConfigError("--stream names a stream of a configuration; add -c detector.yaml")
        kafka, record = KafkaSettings(), RecordSettings()
    else:
        settings = load_settings(config, os.environ)
        kafka = settings.kafka
        found = [item for item in settings.streams if item.topic == source]
        if stream is not None:
            record = named_stream(settings, stream, config).record
        elif found:
            record = found[0].record
        elif series_fields:
            record = RecordSettings()
        else:
            raise ConfigError(
                f"no stream of {config} reads the topic {source!r}; say with --stream, or with --series-field, how its "
                "records name their series"
            )
    if series_fields:
        record = record.model_copy(update={"series_fields": tuple(series_fields)})
    return cluster_at(kafka, bootstrap_server), record


def _topics(
    kafka: KafkaSettings, source: str, target: str, partitions: int | None, rejects: str | None
) -> tuple[TopicInfo, TopicInfo, Plan]:
    """Source and target as they are; the latter and the rejects topic are created if they are missing."""
    from dataclasses import replace

    from detector.errors import KafkaUnavailableError
    from detector.kafka.topic_specs import history_topic
    from detector.kafka.topics import describe_topics, ensure_topics
    from detector.repartition import Plan

    found = describe_topics(kafka, [source, target])
    if source not in found:
        raise KafkaUnavailableError(f"the topic {source!r} does not exist; check the name")
    there = found[source]
    plan = Plan(source, target, partitions or there.partitions, rejects, there.max_message_bytes)
    room = there.max_message_bytes + plan.room
    if target not in found:
        spec = replace(history_topic(target, plan.partitions), min_message_bytes=room)
        found.update(ensure_topics(kafka, [spec]))
    into = found[target]
    if partitions is not None and into.partitions != partitions:
        raise KafkaUnavailableError(
            f"the topic {target!r} exists with {into.partitions} partitions, not {partitions}; leave --partitions out, "
            "or name another TARGET"
        )
    if rejects is not None:
        ensure_topics(kafka, [replace(history_topic(rejects, there.partitions), min_message_bytes=room)])
    return there, into, replace(plan, partitions=into.partitions)


def _check_target(
    history: History,
    starts: Mapping[InputPartition, int],
    ends: Mapping[InputPartition, int],
    into: TopicInfo,
    kafka: KafkaSettings,
) -> None:
    """Refuse a target that would delete the copy again, judging by each partition's first record."""
    import time

    from detector.kafka.retention import check_keeps

    oldest_ms: int | None = None
    for partition, start in starts.items():
        for chunk in history.read({partition: (start, ends[partition])}):
            if chunk is not None:
                stamp = chunk[1][0].timestamp
                oldest_ms = stamp if oldest_ms is None else min(oldest_ms, stamp)
                break
    if oldest_ms is not None:
        now_ns = time.time_ns()
        check_keeps(
            into, oldest_ms * _NS_PER_MS, now_ns, now_ns, 0, ",".join(kafka.bootstrap_servers),
            "Name a new TARGET, which keeps records of any time for ever",
        )  # fmt: skip


def _report(plan: Plan, tally: Tally, *, resumed: bool) -> None:
    since = " since the earlier run" if resumed else ""
    used = len(tally.into)
    typer.echo(
        f"copied {tally.copied:,} records{since} from {plan.source!r} to {plan.target!r}, into {used} of its "
        f"{plan.partitions} partitions"
    )
    rejected = sum(tally.rejected.values())
    if rejected:
        reasons = ", ".join(f"{reason} {count:,}" for reason, count in sorted(tally.rejected.items()))
        typer.echo(f"{rejected:,} records without a series went to {plan.rejects!r}: {reasons}")
