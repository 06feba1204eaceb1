"""The Typer application: a group of commands that imports a command's module only when that command is used."""

from __future__ import annotations

import contextlib
import inspect
import re
import select
import sys
from collections.abc import Mapping
from typing import Annotated, Any

import typer
from rich.markup import escape
from typer.core import TyperCommand, TyperGroup

from detector import __version__
from detector.cli.entry import Entry

_LAID_OUT = re.compile(r"^(\s+\S|[-*] |\d+\. )", re.MULTILINE)
"""A paragraph with an indented line or a list item: its line breaks mean something."""


class LazyGroup(TyperGroup):
    """Lists its commands from what the registry says of them, and imports a command when it is about to run.

    Overview, suggestions for a mistyped name and completion of command names work on stand-ins that know a name and a
    summary. The real command takes the stand-in's place in ``resolve_command``, which both running a command and
    completing its options go through.
    """

    entries: Mapping[str, Entry] = {}

    def register(self, entries: Mapping[str, Entry]) -> None:
        """Offer these commands, in this order."""
        self.entries = entries
        for name, entry in entries.items():
            self.add_command(TyperCommand(name, help=entry.summary))

    # The context is typed loosely because Typer vendors its parser: the base class's annotation is a private name.
    def resolve_command(self, ctx: Any, args: list[str]) -> tuple[str | None, Any, list[str]]:  # noqa: D102 - as the base class
        name, command, rest = super().resolve_command(ctx, args)
        if name is not None and name in self.entries:
            command = load(name, self.entries[name])
        return name, command, rest

    def invoke(self, ctx: Any) -> Any:
        """Run the command; let only a broken *output* pipe (``detector … | head``) end it quietly.

        Typer takes every EPIPE for one. A broken connection to a broker must not look like that.
        """
        try:
            return super().invoke(ctx)
        except BrokenPipeError as error:
            if _output_is_broken():
                raise
            raise ConnectionError(f"a connection broke unexpectedly: {error}") from error


def build(commands: Mapping[str, Entry]) -> LazyGroup:
    """Build the ``detector`` command line.

    Args:
        commands: The commands to offer, by name, in the order of the overview.
    """
    app = typer.Typer(cls=LazyGroup, no_args_is_help=True)
    app.callback()(_root)
    group = typer.main.get_command(app)
    assert isinstance(group, LazyGroup)  # noqa: S101 - cls= above says so; this tells the type checker
    _plain_help(group)
    group.register(commands)
    return group


def load(name: str, entry: Entry) -> TyperCommand | TyperGroup:
    """Import a command and build its parser.

    Args:
        name: The name that the command is used under.
        entry: Where the command is defined.

    Raises:
        ImportError: The command's module, or something that it imports, is not there.
    """
    target = entry.load()
    command: Any
    if isinstance(target, typer.Typer):
        command = typer.main.get_group(target)
        command.no_args_is_help = True
    else:
        app = typer.Typer(add_completion=False)
        app.command(name)(target)  # type: ignore[type-var] # a registered target that is no Typer is a function
        command = typer.main.get_command(app)
    command.name = name
    for each in (command, *getattr(command, "commands", {}).values()):
        _plain_help(each)
    return command  # type: ignore[no-any-return] # Typer types it by a private base class


def _root(
    version: Annotated[
        bool,
        typer.Option("--version", help="Show the version and exit.", is_eager=True, callback=lambda on: _version(on)),
    ] = False,
) -> None:
    """Watch a Kafka stream for anomalies with a Keras autoencoder.

    A first look, with a broker of its own: make demo

    Examples:
        detector broker --data-dir .kafka
        detector config init > detector.yaml
        detector publish telemetry.parquet --topic telemetry --create
        detector train --topic telemetry --out models/telemetry
        detector run -c detector.yaml
    """


def _version(on: bool) -> None:
    if on:
        typer.echo(f"reconstream {__version__}")
        raise typer.Exit


def _plain_help(command: Any) -> None:
    """Show a docstring as it is meant: brackets are no markup, prose is rewrapped, examples and lists stay."""
    rich = command.rich_markup_mode == "rich"
    # Without rich, Typer rewraps every paragraph that does not start with this mark.
    keep_lines = "" if rich else "\b\n"
    paragraphs = [
        f"{keep_lines}{paragraph}" if _LAID_OUT.search(paragraph) else paragraph.replace("\n", " ")
        for paragraph in inspect.cleandoc(command.help or "").split("\n\n")
    ]
    command.help = "\n\n".join(paragraphs) or None
    if rich:
        command.help = command.help and escape(command.help)
        for parameter in command.params:
            parameter.help = parameter.help and escape(parameter.help)


def _output_is_broken() -> bool:
    """Whether the reader of stdout or stderr is gone, as the operating system sees it."""
    poll = select.poll()
    for stream in (sys.stdout, sys.stderr):
        # A stream that a test or an embedding program put in place has no file descriptor, and no reader to lose.
        with contextlib.suppress(OSError, ValueError):
            poll.register(stream.fileno(), 0)
    return any(events & (select.POLLERR | select.POLLHUP) for _, events in poll.poll(0))
