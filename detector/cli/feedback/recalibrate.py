"""``detector recalibrate``: from verdicts and history to a bundle with another threshold."""

from __future__ import annotations

from array import array
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from detector.alerting.events import Event
    from detector.alerting.policy import IncidentPolicy
    from detector.cli.replay.opened import Opened
    from detector.feedback.recalibration import ScoredSeries
    from detector.feedback.verdicts import Verdict
    from detector.model_address import ModelPlace
    from detector.replay import Taken
    from detector.settings import Settings


def recalibrate(
    bundle: Annotated[
        str,
        typer.Argument(metavar="BUNDLE", help="The present one: a directory or a registry reference."),
    ],
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="Directory of the bundle to write; without it, only look.")
    ] = None,
    feedback: Annotated[
        list[Path] | None,
        typer.Option(help="Verdicts in a file of JSON Lines, instead of the feedback topic.", show_default=False),
    ] = None,
    history: Annotated[
        list[Path] | None,
        typer.Option(help="Parquet, CSV or JSON Lines, instead of the stream's topic.", show_default=False),
    ] = None,
    config: Annotated[Path | None, typer.Option("--config", "-c", help="Configuration file of the worker.")] = None,
    stream: Annotated[str | None, typer.Option(help="Which stream's verdicts and settings.")] = None,
    since: Annotated[
        str | None, typer.Option(help="Topic: first event time; ISO 8601, or a duration before now such as 30d.")
    ] = None,
    until: Annotated[str | None, typer.Option(help="Topic: first event time that is too late.")] = None,
    alerts_per_week: Annotated[
        float, typer.Option(min=0.0, help="Incidents per series that a lower threshold may lead to, besides misses.")
    ] = 1.0,
    set_aside: Annotated[
        bool,
        typer.Option("--set-aside", help="Leave out as few verdicts as possible where some contradict each other."),
    ] = False,
    time_column: Annotated[str | None, typer.Option(help="Files: column of the event time.")] = None,
    series_column: Annotated[str | None, typer.Option(help="Files: column that names the series.")] = None,
    series: Annotated[str | None, typer.Option(help="Files: name of the series of the whole file.")] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace a bundle that is there.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Make a bundle whose threshold does what people said: the same model, another calibration.

    Runs the history through the worker's pipeline, raises the threshold until no false alarm would have opened, or
    lowers it until misses would have, as far as the alerts of the history allow. Verdicts that contradict each other
    are refused, unless --set-aside leaves out as few as possible. Nothing changes until the new bundle is put in force,
    which begins an epoch.

    Examples:
        detector recalibrate models/pumps -c detector.yaml --since 30d --out models/pumps-june

        detector recalibrate models/pumps --feedback verdicts.jsonl --history may.parquet --out models/pumps-june
    """
    import json
    from datetime import UTC, datetime

    from detector.cli.common.assemble import open_bundle
    from detector.cli.common.bundles import model_errors, place_of
    from detector.cli.feedback.recalibrated import as_document, let_pass, print_document, recalibrated, rows_of
    from detector.errors import ConfigError
    from detector.feedback.recalibration import recalibrate as find
    from models.bundle import check_target, write_recalibrated

    if config is None and not (feedback and history):
        raise ConfigError("give the worker's configuration with -c, or files with --feedback and --history")
    if history and (since or until):
        raise ConfigError("--since and --until choose a part of a topic; with --history give the files that count")
    if out is not None:
        with model_errors():
            check_target(out, force)
    place = place_of(bundle, "BUNDLE")
    verdicts, settings = _verdicts(feedback, config, stream, place)
    present = open_bundle(place, settings.registry)
    opened = _open(settings, history, since, until, time_column, series_column, series)
    replayed = _run(opened)
    scored = [verdict for verdict in verdicts if verdict.kind == "reconstruction"]
    others = [verdict for verdict in verdicts if verdict.kind != "reconstruction"]
    threshold = find(scored, replayed.scores, replayed.policy, alerts_per_week, set_aside)
    rest = let_pass(others, replayed.events, present, settings.streams[0])
    rows = rows_of(threshold, rest)
    if all(row["level"] is None for row in rows):
        raise ConfigError(
            "the history holds nothing of what the feedback is about; give the history of those times with --history, "
            "or a longer --since"
        )
    digest = None
    if out is not None and (threshold.after != threshold.before or rest.habits != present.habits):
        calibration = recalibrated(present, threshold, rest, len(replayed.scores))
        with model_errors():
            digest = write_recalibrated(out, present, calibration, rest.habits, datetime.now(UTC), force)
    document = as_document(threshold, rest, present, len(replayed.scores), None if digest is None else out, digest)
    if as_json:
        typer.echo(json.dumps(document, indent=2))
    else:
        print_document(document)


def _verdicts(
    feedback: Sequence[Path] | None, config: Path | None, stream: str | None, place: ModelPlace
) -> tuple[list[Verdict], Settings]:
    """The verdicts that count on one stream, and settings of that stream alone, with the bundle as its model."""
    import os

    from detector.cli.feedback.topic import read_files, read_topic
    from detector.errors import ConfigError
    from detector.feedback.verdicts import latest
    from detector.settings import Settings
    from detector.settings_file import load_settings

    settings = None if config is None else load_settings(config, os.environ)
    if feedback:
        said = latest(read_files(feedback))
    else:
        assert settings is not None  # noqa: S101 - there is a configuration where there are no files
        said = latest(read_topic(settings))
    names = sorted({verdict.stream for verdict in said} if settings is None else {s.name for s in settings.streams})
    if stream is None and len(names) > 1:
        raise ConfigError(f"say which stream it is about with --stream; there is {', '.join(names)}")
    name = stream or (names[0] if names else "")
    mine = [verdict for verdict in said if verdict.stream == name]
    if not mine:
        raise ConfigError(
            f"there is no feedback on stream {name!r}; give some with 'detector feedback mark' or 'detector feedback "
            "missed'"
        )
    if settings is None:
        settings = Settings.model_validate({"streams": [{"name": name, "topic": "files", "model": str(place)}]})
    chosen = [item for item in settings.streams if item.name == name]
    if not chosen:
        raise ConfigError(f"--stream: {config} has no stream {name!r}; it has {', '.join(names)}")
    if chosen[0].incidents.threshold is not None:
        raise ConfigError(
            f"stream {name}: incidents.threshold overrides the threshold of every bundle; remove it from the "
            "configuration first"
        )
    one = chosen[0].model_copy(update={"model": place, "shadow": None})
    return mine, settings.model_copy(update={"streams": (one,)})


def _open(
    settings: Settings,
    history: Sequence[Path] | None,
    since: str | None,
    until: str | None,
    time_column: str | None,
    series_column: str | None,
    series: str | None,
) -> Opened:
    from datetime import UTC, datetime

    from detector.cli.replay.from_files import open_files
    from detector.cli.replay.from_topics import open_topics
    from detector.cli.replay.opened import Range
    from detector.moments import parse_moment

    if history:
        return open_files(history, settings, time_column, series_column, series, Range())
    now = datetime.now(UTC)
    return open_topics(
        settings,
        Range(
            None if since is None else parse_moment(since, "--since", now),
            None if until is None else parse_moment(until, "--until", now),
        ),
    )


class _Sink:
    """Keeps the scores of a replay, by series, and its events."""

    def __init__(self) -> None:
        self.parts: dict[str, tuple[array[float], array[int]]] = {}
        self.events: list[Event] = []

    def take(self, taken: Taken) -> None:
        """See `detector.replay.ReplaySink`."""
        self.events += [event for _, event in taken.events]
        for rows in taken.scores:
            for name, score, time_ns in zip(rows.series, rows.score.tolist(), rows.time_ns.tolist(), strict=True):
                part = self.parts.get(name)
                if part is None:
                    part = self.parts[name] = array("d"), array("q")
                part[0].append(score)
                part[1].append(time_ns)


@dataclass(frozen=True, slots=True)
class _Replayed:
    scores: Mapping[str, ScoredSeries]
    events: Sequence[Event]
    policy: IncidentPolicy


def _run(opened: Opened) -> _Replayed:
    import numpy as np

    from detector.cli.common.progress import RecordProgress
    from detector.feedback.recalibration import ScoredSeries

    sink = _Sink()
    try:
        with RecordProgress("scoring", opened.records) as progress:
            opened.run([sink], progress.advance)
    finally:
        opened.close()
    scored = {}
    for name, part in sorted(sink.parts.items()):
        scores, times_ns = np.array(part[0], np.float64), np.array(part[1], np.int64)
        by_time = np.argsort(times_ns, kind="stable")  # a series may be in several files or partitions
        scored[name] = ScoredSeries(scores[by_time], times_ns[by_time])
    return _Replayed(scored, sink.events, next(iter(opened.contexts.values())).policy)
