"""``--report``: remembers what a page is made of while a replay goes on, and writes the page in the end."""

from __future__ import annotations

import math
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np

from detector.alerting.events import Event
from detector.alerting.summaries import IncidentFold, IncidentSummary, summarise
from detector.alerting.timestamps import format_time
from detector.cli.common.assemble import open_bundle
from detector.cli.common.progress import RecordProgress
from detector.cli.replay.drift import DriftWatch
from detector.cli.replay.opened import Opened
from detector.comparison.models import ShadowReplay, match
from detector.comparison.second_threshold import SecondThreshold
from detector.comparison.thresholds import WhatIf
from detector.errors import ConfigError
from detector.files.whole import WholeFile
from detector.pages.render import render_report
from detector.pictures.words import duration, number
from detector.pipeline.context import StreamContext
from detector.records.values import InputPartition
from detector.replay import ReplayResult, ReplaySink
from detector.reports.replay import MOST_LISTED, Findings, Second, View, replay_report
from detector.settings import Settings
from detector.shadow import VERDICTS
from detector.stretches.beside import SideBySide
from detector.stretches.recorder import Recorder
from detector.stretches.stretch import Stretch

SUFFIXES = (".html", ".htm")
_AROUND_NS = 3600 * 1_000_000_000


def other_threshold(settings: Settings) -> Mapping[str, float] | None:
    """By stream, the threshold that is in force where none is tried; None where there is nothing to compare with.

    Args:
        settings: Of the replay, without the threshold that is tried.

    Raises:
        BundleError: the model is missing or damaged.
    """
    if len(settings.streams) != 1:
        return None
    (stream,) = settings.streams
    found = stream.incidents.threshold or open_bundle(stream.model, settings.registry).calibration.threshold
    return {stream.name: found} if 0 < found < math.inf else None


class ReplayReport:
    """Gathers what a replay finds, and writes it down as a page.

    Args:
        path: Of the page.
        again: Arguments of the command that say what is replayed, for commands that look further.
        calibrated: By stream, the threshold that another one was tried instead of; None: none was.

    Attributes:
        size: Bytes of the page, once it is written.

    Raises:
        ConfigError: the page cannot be written there.
        ModuleNotFoundError: the extra is not installed.
    """

    def __init__(self, path: Path, again: Sequence[str], calibrated: Mapping[str, float] | None = None) -> None:
        import bokeh  # noqa: F401 - better now than when everything is replayed
        import jinja2  # noqa: F401

        if path.suffix.lower() not in SUFFIXES:
            raise ConfigError(f"--report: {path} should end in {SUFFIXES[0]}: it is a page for a browser")
        self.writer = WholeFile(path)
        self._again, self._calibrated = again, calibrated
        self._own, self._other = Recorder(), Recorder()
        self._both = SideBySide(self._own, self._other)
        self._drift = DriftWatch()
        self._second = None if calibrated is None else SecondThreshold(calibrated.__getitem__, self._note)
        self._second_fold = IncidentFold()
        self.size = 0

    def watch(self, context: StreamContext) -> StreamContext:
        """A context of the replay, watched."""
        found = self._drift.watch(self._own.watch(context))
        return found if self._second is None else self._second.watch(found)

    def watch_challenger(self, context: StreamContext) -> StreamContext:
        """A context of the challenger, watched."""
        return self._other.watch(context)

    @property
    def challenger(self) -> ReplaySink:
        """A sink of what the challenger finds."""
        return self._both.challenger

    def sinks(self, opened: Opened) -> list[ReplaySink]:
        """Sinks of the replay, in this order."""
        if self._second is not None:
            self._second.counted = opened.counted
            return [self._second, self._own]
        return [self._own] if opened.shadow is None else [self._both]

    def _note(self, partition: InputPartition, events: Sequence[Event]) -> None:
        for event in events:
            self._second_fold.add(event)
        self._own.note(partition, events)

    def write(
        self,
        opened: Opened,
        result: ReplayResult,
        document: Mapping[str, Any],
        tried: WhatIf | None,
        source: str,
        named: bool,
        now: datetime,
    ) -> None:
        """Write the page, as a whole or not at all.

        Args:
            opened: What was replayed.
            result: What was found.
            document: The summary of it.
            tried: Other thresholds.
            source: What was replayed, for people.
            named: Whether somebody named the streams.
            now: For the foot of the page.
        """
        incidents = summarise(result.events)
        latest: dict[str, Event] = {}
        for event in result.events:
            if (known := latest.get(event.incident_id)) is None or event.sequence > known.sequence:
                latest[event.incident_id] = event
        begun = {partition: f"the {what}" for partition, what in opened.started}
        drawing = RecordProgress("drawing incidents", min(len(incidents), MOST_LISTED))

        def told(name: str) -> Stretch | None:
            drawing.advance(1)
            return self._own.stretch(name, begun)

        found = Findings(
            document=document,
            source=source,
            named=named,
            incidents=incidents,
            events=latest,
            undetermined=result.undetermined,
            since_ns=result.first_time_ns or 0,
            until_ns=result.last_time_ns or 0,
            stretch=told,
            commands=self._commands,
            what_if=None if tried is None else tried.document(),
            drift=self._drift.greatest,
            second=self._compared(opened, incidents, latest, begun),
            made=_made(result, now),
        )
        with drawing:
            page = render_report(replay_report(found)).encode()
        self.size = len(page)
        self.writer.file.write(page)
        self.writer.complete()

    def _compared(
        self,
        opened: Opened,
        incidents: Sequence[IncidentSummary],
        latest: Mapping[str, Event],
        begun: Mapping[InputPartition, str],
    ) -> Second | None:
        if opened.shadow is not None:
            return self._models(opened, opened.shadow, latest, begun)
        if self._calibrated is None:
            return None
        (context,) = opened.contexts.values()
        threshold = self._calibrated[context.name]
        names = f"threshold {number(context.policy.threshold)}", f"threshold {number(threshold)}"
        others = {event.incident_id: event for event in self._second_fold.latest()}

        def views(name: str) -> list[View]:
            stretch = self._own.stretch(name, begun)
            if stretch is None:
                return []
            if name in latest:
                return [View(names[0], latest[name], stretch)]
            return [View(names[1], others[name], replace(stretch, threshold=np.full_like(stretch.score, threshold)))]

        own = [incident for incident in incidents if incident.kind == "reconstruction"]
        second = self._second_fold.summaries()
        return Second("thresholds", names, own, second, match(own, second), (), views)

    def _models(
        self, opened: Opened, shadow: ShadowReplay, latest: Mapping[str, Event], begun: Mapping[InputPartition, str]
    ) -> Second:
        (context,), challenger = opened.contexts.values(), next(iter(shadow.contexts.values()))
        names = context.identity.model_version, challenger.identity.model_version
        if names[0] == names[1]:
            names = f"{names[0]} (model)", f"{names[1]} (challenger)"
        others = {event.incident_id: event for event in shadow.challenger_events()}

        def views(name: str) -> list[View]:
            event = latest.get(name) or others[name]
            found = [(names[0], self._own.stretch(name, begun)), (names[1], self._other.stretch(name, begun))]
            return [View(who, event, stretch) for who, stretch in found if stretch is not None and _has(stretch, event)]

        own, found = summarise(latest.values()), shadow.challenger_summaries()
        return Second("models", names, own, found, shadow.matched(), _facts(shadow), views)

    def _commands(self, incident: IncidentSummary) -> list[str]:
        """That look further into an incident."""
        since = format_time(incident.started_ns - _AROUND_NS)
        until = format_time(incident.last_ns + _AROUND_NS)
        again = ["detector", "replay", *self._again, "--since", since, "--until", until, "--report", "stretch.html"]
        return [shlex.join(again)]


def _has(stretch: Stretch, event: Event) -> bool:
    """Whether a stretch has the channels that an event blames; another model may read others."""
    return all(channel.channel in stretch.channels for channel in event.channels)


def _made(result: ReplayResult, now: datetime) -> str:
    speed = f" ({result.records / result.seconds:,.0f} records a second)" if result.seconds else ""
    return (
        f"reconstream {metadata.version('reconstream')}, {now:%d %b %Y %H:%M} UTC; replayed in "
        f"{duration(result.seconds)}{speed}"
    )


def _facts(shadow: ShadowReplay) -> list[tuple[str, str, str]]:
    tally, correlation, lead = shadow.tally, shadow.correlation.value, shadow.matched().median_lead_seconds
    compared = sum(tally.verdicts.get(verdict, 0) for verdict in VERDICTS)
    agree = tally.verdicts.get("neither", 0) + tally.verdicts.get("both", 0)
    found = []
    if compared:
        found.append(("Windows that agree", f"{agree / compared:.2%}", f"of {compared:,}, by their thresholds"))
    if correlation is not None:
        found.append(("Correlation", f"{correlation:.3f}", "of the scores, on a logarithmic scale"))
    if lead is not None:
        sooner = "earlier" if lead > 0 else "later"
        found.append(("Challenger opens", f"{duration(abs(lead))} {sooner}" if lead else "at once", "at the median"))
    return found
