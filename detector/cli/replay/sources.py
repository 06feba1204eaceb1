"""What is replayed: files, topics with one model, or topics as they were lived."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from detector.cli.common.assemble import for_source, open_bundle, residency, stream_context
from detector.cli.common.listening import Listener
from detector.cli.replay.as_lived import LivedReplay
from detector.cli.replay.opened import NOBODY, Opened, Range, Watching
from detector.comparison.models import ShadowReplay
from detector.files.source import FileSource
from detector.files.table import open_table
from detector.kafka.client import consumer_config
from detector.kafka.history import History
from detector.kafka.preflight import check_cluster, check_topics
from detector.lived.past import Begun, Past, unknown
from detector.model_address import ModelPlace
from detector.moments import NS_PER_SECOND, parse_span
from detector.pipeline.context import StreamContext
from detector.records.values import InputPartition, PlainRecord, Record
from detector.replay import Chunk, EventTimeRange, ReplayResult, ReplaySink, replay, replay_as_lived
from detector.settings import Settings
from models.bundle import Bundle

_LOOK_BACK_WINDOWS = 3
_LOOK_BACK_MEANS = 5
_LOOK_BACK_WITHOUT_PERIOD_SECONDS = 86_400.0
# Record timestamps may differ from event times by this much; the range is widened by it, and then filtered by event
# time.
_TIMESTAMP_MARGIN_SECONDS = 3600.0


def open_files(
    files: Sequence[Path],
    settings: Settings,
    time_column: str | None,
    series_column: str | None,
    series: str | None,
    wanted: Range,
    challenger: ModelPlace | None = None,
    listener: Listener | None = None,
    watching: Watching = NOBODY,
) -> Opened:
    """Files, with the first stream's model, and a challenger beside it if one is named.

    Raises:
        BundleError: the model is missing, damaged or does not open.
        ConfigError: a file or a column is missing.
    """
    configured = settings.streams[0]
    bundle = open_bundle(configured.model, settings.registry)
    other = None if challenger is None else open_bundle(challenger, settings.registry)
    channels = tuple(dict.fromkeys([*bundle.spec.channels, *(() if other is None else other.spec.channels)]))
    tables = [open_table(path, time_column, series_column, channels, series) for path in files]
    source = FileSource(tables)
    row_stream = configured.model_copy(
        update={
            "record": configured.record.model_copy(update={"decoder": "row", "layout": "wide", "series_fields": ()})
        }
    )
    context = stream_context(row_stream, bundle, "", keep_scores=True, listener=listener)
    contexts = {name: watching.model(for_source(context, source.digest(name), name)) for name in source.topics}
    counted = EventTimeRange(wanted.since_ns, wanted.until_ns)
    shadow = None
    if other is not None:
        beside = stream_context(row_stream, other, "", keep_scores=True)
        of_other = {name: watching.challenger(for_source(beside, source.digest(name), name)) for name in source.topics}
        shadow = ShadowReplay(of_other, counted, _columns(channels, other.spec.channels), watching.found)
    return Opened(
        lambda sinks, progress: _replay(
            shadow, source.chunks(), contexts, counted, sinks, progress, own=_columns(channels, bundle.spec.channels)
        ),
        source.rows,
        {context.name: context for context in contexts.values()},
        0,
        lambda: None,
        shadow=shadow,
        counted=counted,
    )


Adapt = Callable[[Sequence[Record]], Sequence[Record]]


def _same(records: Sequence[Record]) -> Sequence[Record]:
    return records


def _columns(there: Sequence[str], wanted: Sequence[str]) -> Adapt:
    """Rows of files hold values by position: those of the channels that a model wants, out of those that were read."""
    if tuple(there) == tuple(wanted):
        return _same
    index = [tuple(there).index(name) for name in wanted]

    def chosen(records: Sequence[Record]) -> Sequence[Record]:
        found = []
        for record in records:
            time_ns, values = record.value
            row = [values[place] for place in index]
            found.append(
                PlainRecord(record.topic, record.partition, record.offset, record.timestamp, record.key, (time_ns, row))
            )
        return found

    return chosen


def _replay(
    shadow: ShadowReplay | None,
    chunks: Iterable[Chunk | None],
    contexts: Mapping[str, StreamContext],
    counted: EventTimeRange,
    sinks: Sequence[ReplaySink],
    progress: Callable[[int], None],
    begun: Mapping[InputPartition, Begun] | None = None,
    own: Adapt = _same,
) -> ReplayResult:
    """Replay, with the challenger seeing each chunk first; ``own`` makes of records those that the model reads."""
    if shadow is None:
        return replay(chunks, contexts, counted, sinks, progress, begun=begun)
    seen = (None if chunk is None else (chunk[0], own(chunk[1])) for chunk in shadow.watch(chunks))
    return replay(seen, contexts, counted, [*sinks, shadow], progress, begun=begun)


def open_topics(
    settings: Settings,
    wanted: Range,
    challenger: ModelPlace | None = None,
    listener: Listener | None = None,
    watching: Watching = NOBODY,
) -> Opened:
    """The streams' topics, with one model each for the whole range, and a challenger beside it if one is named.

    With a challenger no checkpoint is used: it has none, and both are to begin alike.

    Raises:
        BundleError: a model is missing, damaged or does not open.
        KafkaUnavailableError: the cluster or a topic is missing.
    """
    bundles = {item.name: open_bundle(item.model, settings.registry) for item in settings.streams}
    cluster = check_cluster(settings.kafka)
    check_topics(settings.kafka, [item.topic for item in settings.streams])
    other = None if challenger is None else open_bundle(challenger, settings.registry)
    resident = residency(settings.worker.state)
    contexts = {
        item.topic: watching.model(
            replace(
                stream_context(item, bundles[item.name], cluster.cluster_id, keep_scores=True, listener=listener),
                residency=resident,
            )
        )
        for item in settings.streams
    }
    history = History(consumer_config(settings.kafka), settings.worker.max_poll_records)
    past = Past(settings, history) if wanted.in_mid_stream and other is None else None
    ranges: dict[InputPartition, tuple[int, int]] = {}
    counted_from: dict[InputPartition, int] = {}
    begun: dict[InputPartition, Begun] = {}
    started: list[tuple[InputPartition, str]] = []
    for item in settings.streams:
        partitions = history.partitions(item.topic)
        first = history.first_offsets(partitions)
        bounds = _bounds(history, partitions, wanted, 0.0)
        seconds = max(_look_back(bundle, wanted) for bundle in (bundles[item.name], other) if bundle is not None)
        looking_back = _bounds(history, partitions, wanted, seconds)
        for partition in partitions:
            begin, stop = bounds[partition]
            retained, context = first[partition], contexts[item.topic]
            counted_from[partition] = 0 if wanted.from_offset is None else max(wanted.from_offset, retained)
            read_from = looking_back[partition][0]
            if wanted.from_offset is not None:
                # How many records fill the windows of all series is not known; a restart of the worker reads as many.
                read_from = max(retained, begin - settings.worker.state.max_replay_records)
            place = None if past is None else past.checkpoint(partition, context, begin, retained)
            if past is not None and place is not None:
                begun[partition] = past.begin(partition, context, place)
                started.append((partition, f"checkpoint at offset {place.next_offset}"))
                read_from = place.next_offset
            elif wanted.in_mid_stream and read_from > 0:
                begun[partition] = unknown(partition, context)
                started.append((partition, f"look-back from offset {read_from}"))
            ranges[partition] = read_from, stop
    counted = EventTimeRange(wanted.since_ns, wanted.until_ns, counted_from)
    shadow = None
    if other is not None:
        beside = {
            item.topic: watching.challenger(
                replace(stream_context(item, other, cluster.cluster_id, keep_scores=True), residency=resident)
            )
            for item in settings.streams
        }
        shadow = ShadowReplay(beside, counted, sinks=watching.found)
    return Opened(
        lambda sinks, progress: _replay(shadow, history.read(ranges), contexts, counted, sinks, progress, begun),
        sum(max(0, stop - start) for start, stop in ranges.values()),
        {context.name: context for context in contexts.values()},
        len(ranges),
        history.close,
        started,
        shadow,
        counted,
    )


def open_lived(
    settings: Settings,
    models: Sequence[ModelPlace],
    registries: Sequence[str],
    wanted: Range,
    watching: Watching = NOBODY,
) -> Opened:
    """The streams' topics, with the models and settings that were in force.

    Raises:
        BundleError: what was in force at a time is not at hand.
        KafkaUnavailableError: the cluster or a topic is missing.
    """
    cluster = check_cluster(settings.kafka)
    check_topics(settings.kafka, [*(item.topic for item in settings.streams), settings.topics.epochs])
    config, most = consumer_config(settings.kafka), settings.worker.max_poll_records
    history, notes = History(config, most), History(config, most)
    lived = LivedReplay(
        settings, models, registries, cluster.cluster_id, history, Past(settings, notes), watching.model
    )
    counted_from: dict[InputPartition, int] = {}
    for item in settings.streams:
        partitions = history.partitions(item.topic)
        first = history.first_offsets(partitions)
        for partition, (begin, stop) in _bounds(history, partitions, wanted, 0.0).items():
            counted_from[partition] = begin
            lived.add(item, partition, begin, stop, first[partition])
    counted = EventTimeRange(wanted.since_ns, wanted.until_ns, counted_from)

    def close() -> None:
        history.close()
        notes.close()

    return Opened(
        lambda sinks, progress: replay_as_lived(lived.walks(), counted, sinks, progress),
        lived.records,
        lived.contexts,
        len(counted_from),
        close,
        lived.started,
        counted=counted,
    )


def _look_back(bundle: Bundle, wanted: Range) -> float:
    """Seconds."""
    if wanted.look_back is not None:
        return parse_span(wanted.look_back, "--look-back")
    period = bundle.spec.period_seconds
    if period is None:
        return _LOOK_BACK_WITHOUT_PERIOD_SECONDS
    # What is carried along a series has no end; behind several times its longest mean it hardly counts any more.
    carried = bundle.warm_up + _LOOK_BACK_MEANS * bundle.rule.scales[-1]
    return period * (_LOOK_BACK_WINDOWS * bundle.spec.window + carried)


def _bounds(
    history: History, partitions: Sequence[InputPartition], wanted: Range, back_seconds: float
) -> dict[InputPartition, tuple[int, int]]:
    """First offset, and first one that is too late, of each partition; times widened by the margin."""
    start, stop = history.first_offsets(partitions), history.end_offsets(partitions)
    end = dict(stop)
    if wanted.since_ns is not None:
        stamp = wanted.since_ns / NS_PER_SECOND - back_seconds - _TIMESTAMP_MARGIN_SECONDS
        found = history.offsets_at(partitions, max(0, int(stamp * 1000)))
        start = {p: end[p] if offset is None else offset for p, offset in found.items()}
    if wanted.until_ns is not None:
        stamp = wanted.until_ns / NS_PER_SECOND + _TIMESTAMP_MARGIN_SECONDS
        found = history.offsets_at(partitions, int(stamp * 1000))
        stop = {p: end[p] if offset is None else offset for p, offset in found.items()}
    if wanted.from_offset is not None:
        start = {p: max(offset, wanted.from_offset) for p, offset in start.items()}
    if wanted.to_offset is not None:
        stop = {p: min(offset, wanted.to_offset) for p, offset in stop.items()}
    return {p: (start[p], stop[p]) for p in partitions}
