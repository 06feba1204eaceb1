"""``detector config``: write, check and describe settings files."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

_HELP = """Write, check and describe configuration files.

Examples:
    detector config init > detector.yaml
    detector config check detector.yaml
    detector config schema > detector.schema.json
"""

app = typer.Typer(no_args_is_help=True, help=_HELP)


@app.command()
def init(
    path: Annotated[
        Path | None, typer.Argument(help="File to write; without it, the text goes to stdout.", show_default=False)
    ] = None,
    topic: Annotated[str, typer.Option(help="Input topic of the first stream.")] = "telemetry",
    model: Annotated[str, typer.Option(help="Bundle of the first stream.")] = "models/telemetry",
    bootstrap_server: Annotated[
        str, typer.Option(help="Some of the brokers, each as host:port, separated by commas.")
    ] = "localhost:9092",
    force: Annotated[bool, typer.Option("--force", help="Overwrite the file if it is there.")] = False,
) -> None:
    """Write a first configuration file: every setting, explained, at its default.

    Examples:
        detector config init detector.yaml
        detector config init detector.yaml --bootstrap-server kafka-1:9092,kafka-2:9092 --topic sensors
        detector config init --topic sensors --model models/sensors > detector.yaml
    """
    from detector.errors import ConfigError
    from detector.files.whole import WholeFile
    from detector.settings_file.starter import starter_text

    text = starter_text(topic, model, bootstrap_server)
    if path is None:
        typer.echo(text, nl=False)
        return
    try:
        if force:
            # Replaces what is there, a link too, and leaves alone what it leads to.
            with WholeFile(path) as file:
                file.write(text.encode())
        else:
            with path.open("xb") as file:
                file.write(text.encode())
    except FileExistsError as error:
        raise ConfigError(
            f"{path}: there is such a file already; name another, or overwrite it with --force"
        ) from error
    except OSError as error:
        raise ConfigError(
            f"{path}: cannot be written ({error.strerror}); name a file in a writable directory"
        ) from error
    typer.echo(f"wrote {path}; next: edit it, then: detector config check {path}", err=True)


@app.command()
def check(
    path: Annotated[Path, typer.Argument(help="The configuration file.")] = Path("detector.yaml"),
) -> None:
    """Check a configuration file, the environment's settings, and that the files they name are there.

    Prints OK and a summary, or every problem as 'file:line: setting: what is wrong; remedy', and then ends with
    status 2. It does not connect to Kafka, and does not load the models.

    Examples:
        detector config check detector.yaml
        RECONSTREAM_HTTP__PORT=9000 detector config check detector.yaml
    """
    import os

    from detector.settings_file.checks import check_files
    from detector.settings_file.loading import read_settings
    from detector.settings_file.problems import raise_problems
    from detector.settings_file.summary import summary_lines

    loaded = read_settings(path, os.environ)
    raise_problems(check_files(loaded.settings, loaded.problem))
    typer.echo(f"OK: {path}")
    for line in summary_lines(loaded.settings):
        typer.echo(f"  {line}")


@app.command()
def schema() -> None:
    """Print the JSON Schema (draft 2020-12) of configuration files, for editors.

    Examples:
        detector config schema > detector.schema.json
    """
    import json

    from detector.settings_file.schema import settings_schema

    typer.echo(json.dumps(settings_schema(), indent=2))
