"""``detector feedback``: saying what was a false alarm, what was right, and what was missed."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from detector.feedback.verdicts import Verdict, VerdictName
    from detector.settings import Settings

_HELP = """Say which incidents were false alarms, which were right, and what was missed.

A verdict goes to the feedback topic, or to a file. It changes nothing by itself: 'detector recalibrate' makes a bundle
of it, which takes effect as any other bundle does.

Examples:
    detector feedback mark 99ac21ceaa6f -c detector.yaml --verdict false-alarm --note "planned maintenance"
    detector feedback missed web-1 -c detector.yaml --since 2026-01-02T03:00 --until 2026-01-02T03:20
    detector feedback list -c detector.yaml
"""

app = typer.Typer(no_args_is_help=True, help=_HELP)

_CONFIG = Annotated[Path | None, typer.Option("--config", "-c", help="Configuration file of the worker.")]
_FILE = Annotated[
    Path | None, typer.Option("--file", help="File of JSON Lines instead of the topic.", show_default=False)
]
_NOTE = Annotated[str, typer.Option(help="Why, for people.", show_default=False)]
_AUTHOR = Annotated[
    str | None, typer.Option(help="Who says so; user and machine without it.", show_default=False)
]  # fmt: skip


class Said(StrEnum):
    """What may be said of an incident, as the command line has it."""

    FALSE_ALARM = "false-alarm"
    CONFIRMED = "confirmed"
    ACKNOWLEDGED = "acknowledged"
    WITHDRAWN = "withdrawn"


@app.command()
def mark(
    incident: Annotated[
        str,
        typer.Argument(metavar="INCIDENT", help="Id of an incident, or of a miss to withdraw; its beginning will do."),
    ],
    verdict: Annotated[Said, typer.Option(help="What it was.", show_default=False)],
    config: _CONFIG = None,
    events: Annotated[
        Path | None,
        typer.Option(help="Look for the incident in a replay's events instead of the topic.", show_default=False),
    ] = None,
    file: _FILE = None,
    note: _NOTE = "",
    author: _AUTHOR = None,
) -> None:
    """Say of an incident that it was a false alarm, or right; that you look after it; or withdraw what was said.

    Examples:
        detector feedback mark 99ac21ceaa6f -c detector.yaml --verdict false-alarm --note "planned maintenance"

        detector feedback mark 99ac21ceaa6f -c detector.yaml --verdict acknowledged --note "looking at it"

        detector feedback mark 99ac21ceaa6f --events replayed.jsonl --file verdicts.jsonl --verdict confirmed
    """
    from detector.cli.feedback.topic import event_file, event_topic, find_incident
    from detector.errors import ConfigError
    from detector.feedback.verdicts import verdict_on

    settings = _settings(config, needed=events is None or file is None)
    said: dict[str, Any] = {"author": author or _somebody(), "note": note, "given_at": _now()}
    if verdict is Said.WITHDRAWN:
        from msgspec.structs import replace

        about = [found for found in _read(settings, file) if found.subject_id.startswith(incident)]
        if len({found.subject_id for found in about}) != 1 or len(incident) < 6:
            raise ConfigError(
                f"there is no feedback on {incident}, or on several that begin so; 'detector feedback list' shows all"
            )
        _write(settings, file, replace(about[-1], verdict="withdrawn", **said))
        return
    if events is not None:
        found = find_incident(event_file(events), incident, str(events))
    else:
        assert settings is not None  # noqa: S101 - needed, as said above
        found = find_incident(event_topic(settings), incident, f"topic {settings.topics.events}")
    names: dict[Said, VerdictName] = {
        Said.FALSE_ALARM: "false_alarm",
        Said.CONFIRMED: "confirmed",
        Said.ACKNOWLEDGED: "acknowledged",
    }
    _write(settings, file, verdict_on(found, names[verdict], **said))


@app.command()
def missed(
    series: Annotated[str, typer.Argument(help="Name of the series.")],
    since: Annotated[str, typer.Option(help="Event time from which there should have been an incident.")],
    until: Annotated[str, typer.Option(help="Event time until which.")],
    stream: Annotated[
        str | None, typer.Option(help="Name of its stream; the configuration's, if it has one only.")
    ] = None,
    config: _CONFIG = None,
    file: _FILE = None,
    note: _NOTE = "",
    author: _AUTHOR = None,
) -> None:
    """Say that there should have been an incident.

    Examples:
        detector feedback missed web-1 -c detector.yaml --since 2026-01-02T03:00 --until 2026-01-02T03:20
    """
    from datetime import UTC, datetime

    from detector.alerting.timestamps import format_time
    from detector.errors import ConfigError
    from detector.feedback.verdicts import Verdict, missed_id
    from detector.moments import parse_moment

    settings = _settings(config, needed=file is None)
    names = [] if settings is None else [item.name for item in settings.streams]
    if stream is None and len(names) != 1:
        raise ConfigError("say which stream the series belongs to, with --stream")
    if stream is not None and names and stream not in names:
        raise ConfigError(f"--stream: there is no stream {stream!r}; there is {', '.join(names)}")
    now = datetime.now(UTC)
    start, stop = parse_moment(since, "--since", now), parse_moment(until, "--until", now)
    if start >= stop:
        raise ConfigError(f"--since {since} is not before --until {until}")
    chosen, times = stream or names[0], (format_time(start), format_time(stop))
    _write(
        settings,
        file,
        Verdict(
            subject_id=missed_id(chosen, series, *times),
            verdict="missed",
            incident_id=None,
            kind="reconstruction",
            stream=chosen,
            series=series,
            started_at=times[0],
            ended_at=times[1],
            author=author or _somebody(),
            note=note,
            given_at=_now(),
        ),
    )


@app.command(name="list")
def list_(
    config: _CONFIG = None,
    file: _FILE = None,
    everything: Annotated[
        bool, typer.Option("--all", help="Also what was replaced or withdrawn, in the order in which it was said.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document a line.")] = False,
) -> None:
    """Show the verdicts that count, and who looks after incidents that nobody has judged yet.

    Examples:
        detector feedback list -c detector.yaml

        detector feedback list --file verdicts.jsonl --json
    """
    from detector.cli.models.registry import print_table
    from detector.feedback.verdicts import encode_verdict, standing
    from detector.printable import printable

    said = _read(_settings(config, needed=file is None), file)
    shown = said if everything else standing(said)
    if as_json:
        for verdict in shown:
            typer.echo(encode_verdict(verdict).decode())
        return
    if shown:
        print_table(
            ("SUBJECT", "VERDICT", "STREAM", "SERIES", "STARTED", "ENDED", "AUTHOR", "NOTE"),
            [
                (
                    verdict.subject_id[:12], verdict.verdict.replace("_", " "), verdict.stream,
                    printable(verdict.series), verdict.started_at[:19].replace("T", " "),
                    verdict.ended_at[:19].replace("T", " "), printable(verdict.author), printable(verdict.note),
                )
                for verdict in shown
            ],
        )  # fmt: skip
    typer.echo(f"{len(shown)} verdict{'s' * (len(shown) != 1)}")


def _settings(config: Path | None, *, needed: bool) -> Settings | None:
    import os

    from detector.errors import ConfigError
    from detector.settings_file import load_settings

    if config is not None:
        return load_settings(config, os.environ)
    if needed:
        raise ConfigError("give the worker's configuration with -c, or a file instead of its topics (see --help)")
    return None


def _read(settings: Settings | None, file: Path | None) -> list[Verdict]:
    from detector.cli.feedback.topic import read_files, read_topic

    if file is not None:
        return read_files([file])
    assert settings is not None  # noqa: S101 - needed where there is no file
    return read_topic(settings)


def _write(settings: Settings | None, file: Path | None, verdict: Verdict) -> None:
    from detector.cli.feedback.topic import write_file, write_topic

    if file is not None:
        write_file(file, verdict)
    else:
        assert settings is not None  # noqa: S101 - needed where there is no file
        write_topic(settings, verdict)
    typer.echo(verdict.subject_id)


def _somebody() -> str:
    from detector.cli.models.registry import somebody

    return somebody()


def _now() -> str:
    import time

    from detector.alerting.timestamps import format_time

    return format_time(time.time_ns() // 1_000_000 * 1_000_000)
