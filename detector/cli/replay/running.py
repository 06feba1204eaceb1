"""A replay from what was asked for to its summary."""

from __future__ import annotations

import contextlib
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import typer

from detector.cli.common.progress import RecordProgress
from detector.cli.replay.asked import Asked
from detector.cli.replay.comparison_summary import comparison_document
from detector.cli.replay.opened import NOBODY, Watching
from detector.cli.replay.outputs import Destinations, Outputs
from detector.cli.replay.summary import as_document
from detector.comparison.thresholds import WhatIf
from detector.replay import ReplaySink
from detector.settings import Settings


def run_replay(asked: Asked, wanted: Destinations, report: Path | None) -> dict[str, Any]:
    """Replay, and write what is to be written.

    Args:
        asked: What is replayed.
        wanted: Where it goes.
        report: Path of the page that shows what was found.

    Returns:
        The summary as plain values; the fields are documented in ``docs/commands.md``.

    Raises:
        DetectorError: it cannot be replayed, or not be written.
    """
    wanted.check(from_files=bool(asked.files))
    settings, asked_range = asked.settings(), asked.range()
    with contextlib.ExitStack() as stack:
        page, watching = None, NOBODY
        if report is not None:
            from detector.cli.replay.report import ReplayReport, other_threshold

            untried = asked.untried()
            page = ReplayReport(report, asked.again(), None if untried is None else other_threshold(untried))
            stack.callback(page.writer.discard)
            watching = Watching(page.watch, page.watch_challenger, [page.challenger])
        opened = asked.open(settings, asked_range, watching)
        stack.callback(opened.close)
        outputs = Outputs()
        stack.callback(outputs.discard)
        sinks = outputs.open(wanted, opened, settings, from_files=bool(asked.files))
        counts_others = asked.what_if or (page is not None and not asked.as_lived and len(settings.streams) == 1)
        tried = WhatIf(next(iter(opened.contexts.values()))) if counts_others else None
        others: list[ReplaySink] = [] if tried is None else [tried]
        if page is not None:
            others += page.sinks(opened)
        with RecordProgress("replaying", opened.records) as progress:
            result = opened.run([*sinks, *others], progress.advance)
        outputs.close()
        if wanted.openmetrics is not None:
            typer.echo(
                f"openmetrics: {wanted.openmetrics}, {wanted.openmetrics.stat().st_size / 1e6:.1f} MB; next: "
                f"promtool tsdb create-blocks-from openmetrics {wanted.openmetrics} DIRECTORY",
                err=True,
            )
        if result.first_time_ns is None and not (result.records and result.records == sum(result.rejected.values())):
            for held in opened.held():
                typer.echo(f"note: {held}", err=True)
        document = as_document(result, opened.contexts, opened.started)
        if opened.shadow is not None:
            document["shadow"] = comparison_document(opened.shadow)
        if tried is not None and asked.what_if:
            document["what_if"] = tried.document()
        if page is not None:
            source = asked.source or _topics(settings)
            page.write(opened, result, document, tried, source, asked.names_streams, datetime.now(UTC))
            typer.echo(f"report: {report}, {page.size / 1e6:.1f} MB", err=True)
    return document


def _topics(settings: Settings) -> str:
    """What is replayed, for people."""
    topics = list(dict.fromkeys(stream.topic for stream in settings.streams))
    return f"{'topic' if len(topics) == 1 else 'topics'} {', '.join(topics)}"
