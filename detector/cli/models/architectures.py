"""``detector models architectures``: what there is to choose from. Nothing here imports Keras."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from models.architectures import Architecture


def architectures(as_json: Annotated[bool, typer.Option("--json", help="Print it as JSON.")] = False) -> None:
    """List the architectures that 'detector train' knows: when to choose which, options, and where they come from.

    Examples:
        detector models architectures

        detector models architectures --json
    """
    import json

    from models.architectures import ARCHITECTURES

    if as_json:
        typer.echo(json.dumps([_document(architecture) for architecture in ARCHITECTURES.values()], indent=2))
        return
    for number, architecture in enumerate(ARCHITECTURES.values()):
        if number:
            typer.echo()
        for line in _lines(architecture):
            typer.echo(line)


def _lines(architecture: Architecture) -> Iterator[str]:
    yield f"{architecture.name}: {architecture.summary}"
    yield f"  choose it  {architecture.choose}"
    for option in architecture.options:
        yield f"  option     {option.name}={_shown(option.default)}: {option.help}; {option.range}"
    for paper in architecture.papers:
        yield f"  paper      {paper}"


def _shown(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _document(architecture: Architecture) -> dict[str, Any]:
    return {
        "name": architecture.name,
        "summary": architecture.summary,
        "choose": architecture.choose,
        "memory": architecture.memory,
        "default_window": architecture.default_window,
        "default_latent": architecture.default_latent,
        "options": [
            {"name": option.name, "default": option.default, "help": option.help, "range": option.range}
            for option in architecture.options
        ],
        "papers": list(architecture.papers),
    }
