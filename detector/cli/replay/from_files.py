"""Files to replay."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from detector.cli.common.assemble import for_source, open_bundle, stream_context
from detector.cli.common.listening import Listener
from detector.cli.replay.beside import Adapt, as_it_is, replay_beside
from detector.cli.replay.opened import NOBODY, Opened, Range, Watching
from detector.comparison.models import ShadowReplay
from detector.files.source import FileSource
from detector.files.table import open_table
from detector.model_address import ModelPlace
from detector.records.values import PlainRecord, Record
from detector.replay import EventTimeRange
from detector.settings import Settings


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
        shadow = ShadowReplay(of_other, counted, channels_of(channels, other.spec.channels), watching.found)
    return Opened(
        lambda sinks, progress: replay_beside(
            shadow, source.chunks(), contexts, counted, sinks, progress, own=channels_of(channels, bundle.spec.channels)
        ),
        source.rows,
        {context.name: context for context in contexts.values()},
        0,
        lambda: None,
        shadow=shadow,
        counted=counted,
    )


def channels_of(there: Sequence[str], wanted: Sequence[str]) -> Adapt:
    """Rows of files hold values by position: those of the channels that a model wants, out of those that were read."""
    if tuple(there) == tuple(wanted):
        return as_it_is
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
