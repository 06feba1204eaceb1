"""``detector dashboard``: incidents as a web page."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def dashboard(
    config: Annotated[Path, typer.Option("--config", "-c", help="Configuration file.", show_default=False)],
    host: Annotated[
        str | None, typer.Option(help="Address to listen on, instead of dashboard.host; 0.0.0.0 for all.")
    ] = None,
    port: Annotated[
        int | None, typer.Option(min=0, max=65535, help="Port, instead of dashboard.port; 0 takes a free one.")
    ] = None,
    since: Annotated[
        str | None,
        typer.Option(help="Show events written from this time on: ISO 8601, or a duration such as 7d; 30d without it."),
    ] = None,
    read_only: Annotated[
        bool, typer.Option("--read-only", help="Only show: nobody acknowledges incidents or gives verdicts here.")
    ] = False,
    open_browser: Annotated[bool, typer.Option("--open", help="Open the page in this machine's browser.")] = False,
) -> None:
    """Serve a web page of incidents, live from the topics, until SIGTERM or Ctrl-C.

    Lists what is open and what was, and shows for each incident the channels it blames, what was seen against what was
    expected, and the score with its threshold. Incidents can be acknowledged and judged there; verdicts go to the
    feedback topic, where 'detector recalibrate' finds them. Reads the topics, joins no group and keeps nothing. Needs
    the extra dashboard.

    Examples:
        detector dashboard -c detector.yaml

        detector dashboard -c detector.yaml --host 0.0.0.0 --port 8080 --read-only

        detector dashboard -c detector.yaml --since 7d --open
    """
    import os
    import sys
    import time
    from datetime import UTC, datetime

    from detector.cli.dashboard.assembly import run_dashboard
    from detector.moments import parse_moment
    from detector.observability.logs import configure_logging
    from detector.settings_file import load_settings

    settings = load_settings(config, os.environ)
    given = {"host": host, "port": port, "read_only": read_only or None}
    wanted = settings.dashboard.model_copy(update={name: value for name, value in given.items() if value is not None})
    now_ns = time.time_ns()
    if since is None:
        since_ns = now_ns - round(wanted.look_back_seconds * 1e9)
    else:
        since_ns = parse_moment(since, "--since", datetime.fromtimestamp(now_ns / 1e9, UTC))
    since_ns = max(0, since_ns)  # records have no earlier timestamps, however far somebody looks back
    configure_logging(settings.log, sys.stderr)

    def started(url: str) -> None:
        typer.echo(f"dashboard: {url}")
        sys.stdout.flush()
        if open_browser:
            typer.launch(url)

    run_dashboard(settings.model_copy(update={"dashboard": wanted}), str(config), since_ns, started)
