"""Topics to replay: with one model, or as they were lived."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from detector.cli.common.assemble import open_bundle, residency, stream_context
from detector.cli.common.held import held_by
from detector.cli.common.listening import Listener
from detector.cli.replay.as_lived import LivedReplay
from detector.cli.replay.beside import replay_beside
from detector.cli.replay.offsets import bounds_of, look_back_seconds
from detector.cli.replay.opened import NOBODY, Opened, Range, Watching
from detector.comparison.models import ShadowReplay
from detector.kafka.client import consumer_config
from detector.kafka.history import History
from detector.kafka.preflight import check_cluster, check_topics
from detector.lived.past import Begun, Past, unknown
from detector.model_address import ModelPlace
from detector.records.values import InputPartition
from detector.replay import EventTimeRange, replay_as_lived
from detector.settings import Settings


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
        in_field = item.record.time_field is not None
        bounds = bounds_of(history, partitions, wanted, 0.0, stamped_later=in_field)
        seconds = max(look_back_seconds(bundle, wanted) for bundle in (bundles[item.name], other) if bundle is not None)
        looking_back = bounds_of(history, partitions, wanted, seconds, stamped_later=in_field)
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
        lambda sinks, progress: replay_beside(shadow, history.read(ranges), contexts, counted, sinks, progress, begun),
        sum(max(0, stop - start) for start, stop in ranges.values()),
        {context.name: context for context in contexts.values()},
        len(ranges),
        history.close,
        started,
        shadow,
        counted,
        lambda: _held(history, settings),
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
        in_field = item.record.time_field is not None
        found = bounds_of(history, partitions, wanted, 0.0, stamped_later=in_field)
        for partition, (begin, stop) in found.items():
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
        held=lambda: _held(notes, settings),
    )


def _held(history: History, settings: Settings) -> list[str]:
    return [held_by(history, topic) for topic in dict.fromkeys(item.topic for item in settings.streams)]
