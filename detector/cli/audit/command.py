"""``detector audit``: does what was written follow from the input?"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def audit(
    config: Annotated[Path, typer.Option("--config", "-c", help="Configuration file of the worker.")] = Path(
        "detector.yaml"
    ),
    stream: Annotated[str | None, typer.Option(help="Only this stream of the configuration.")] = None,
    model: Annotated[
        list[str] | None,
        typer.Option(help="Bundle that was in force once; may be given several times.", show_default=False),
    ] = None,
    registry: Annotated[
        list[str] | None,
        typer.Option(
            help="Registry that has bundles that were in force, besides those of the streams; a directory or an "
            "address; may be given several times.",
            show_default=False,
        ),
    ] = None,
    since: Annotated[
        str | None,
        typer.Option(help="First record, by its timestamp: ISO 8601, or a duration before now such as 14d."),
    ] = None,
    until: Annotated[str | None, typer.Option(help="Timestamp from which on records are too late.")] = None,
    from_offset: Annotated[int | None, typer.Option(min=0, help="First offset, in every partition.")] = None,
    to_offset: Annotated[
        int | None, typer.Option(min=0, help="First offset that is too late, in every partition.")
    ] = None,
    look_back: Annotated[
        int | None,
        typer.Option(
            min=0,
            help="Records to read silently where the state is not known; worker.state.max_replay_records without it.",
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the report as JSON.")] = False,
) -> None:
    """Recompute from the input what the worker should have written, and compare.

    Looks for gaps, repetitions and differences in events, dead letters and state, up to the offsets that the group has
    committed, and follows the models and settings that were in force. Only reads; joins no group. May be run while the
    worker runs. Ends with 0 when all is as it should be, with 8 when something is not, and with 9 when nothing is
    wrong but something could not be known.

    Examples:
        detector audit -c detector.yaml

        detector audit -c detector.yaml --since 2d --json

        detector audit -c detector.yaml --from-offset 20000 --to-offset 50000 --model models/before
    """
    import json
    import os
    import sys

    from detector.audit.range import AuditRange
    from detector.audit.run import Audit, Readers
    from detector.cli.audit.summary import as_document, conclusion, print_report
    from detector.cli.common.bundles import place_of
    from detector.cli.common.lived import LivedContexts
    from detector.cli.common.options import named_stream
    from detector.cli.common.progress import RecordProgress
    from detector.errors import ConfigError
    from detector.kafka.client import consumer_config
    from detector.kafka.history import History
    from detector.kafka.positions import Positions
    from detector.kafka.preflight import check_cluster, check_topics
    from detector.settings_file import load_settings

    if (since or until) and (from_offset is not None or to_offset is not None):
        raise ConfigError("give either times (--since, --until) or offsets (--from-offset, --to-offset)")
    if from_offset is not None and to_offset is not None and from_offset >= to_offset:
        raise ConfigError(f"--from-offset {from_offset} is not before --to-offset {to_offset}")
    settings = load_settings(config, os.environ)
    if stream is not None:
        settings = settings.model_copy(update={"streams": (named_stream(settings, stream, config),)})
    since_ms, until_ms = _moments(since, until)
    cluster = check_cluster(settings.kafka).cluster_id
    topics = settings.topics
    outputs = [topics.events, topics.dead_letters, topics.state, topics.epochs]
    counts = check_topics(settings.kafka, [*(item.topic for item in settings.streams), *outputs])
    largest = max(settings.streams, key=lambda item: counts[item.topic]).topic
    small = [name for name in outputs if counts[name] < counts[largest]]
    if small:
        raise ConfigError(
            f"topic {largest} has {counts[largest]} partitions, more than {', '.join(small)}: partitions were added to "
            "the input. Add them to these topics too (the worker does not start before that either), and audit again"
        )
    contexts = LivedContexts(settings, [place_of(text, "--model") for text in model or []], cluster, registry or [])
    wanted = AuditRange(
        since_ms, until_ms, from_offset, to_offset,
        settings.worker.state.max_replay_records if look_back is None else look_back,
    )  # fmt: skip
    client, most = consumer_config(settings.kafka), settings.worker.max_poll_records
    readers = Readers(*(History(client, most) for _ in range(4)))
    try:
        with RecordProgress("auditing", None) as progress:
            report = Audit(
                settings, cluster, readers, Positions(settings.kafka), contexts.resolve, progress.advance,
                lambda _, records: progress.expect(records),
            ).run(wanted)  # fmt: skip
    finally:
        readers.close()
    if as_json:
        typer.echo(json.dumps(as_document(report), indent=2))
    else:
        print_report(report, sys.stdout, str(config))
    ending = conclusion(report)
    if ending is not None:
        raise ending


def _moments(since: str | None, until: str | None) -> tuple[int | None, int | None]:
    """Milliseconds since the epoch of Unix."""
    from datetime import UTC, datetime

    from detector.errors import ConfigError
    from detector.moments import parse_moment

    now = datetime.now(UTC)
    start = None if since is None else max(0, parse_moment(since, "--since", now) // 1_000_000)
    stop = None if until is None else max(0, parse_moment(until, "--until", now) // 1_000_000)
    if start is not None and stop is not None and start >= stop:
        raise ConfigError(f"--since {since} is not before --until {until}")
    return start, stop
