"""``detector models push``, ``pull``, ``alias`` and ``history``: what registries are for."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from detector.cli.common.bundles import BundleSource
    from detector.model_address import RegistryReference
    from models.registry import Registry

_MODEL = Annotated[
    str,
    typer.Argument(
        metavar="REGISTRY/NAME",
        help="A registry, a directory or an address such as s3://bucket/models, and the name of a model in it.",
        show_default=False,
    ),
]
_NOTE = Annotated[str, typer.Option(help="Why; kept in the history.", show_default=False)]
_BY = Annotated[str | None, typer.Option(help="Who; user and machine without it.", show_default=False)]


def push(
    bundle: Annotated[
        str, typer.Argument(metavar="BUNDLE", help="Directory that 'detector train' wrote.", show_default=False)
    ],
    model: _MODEL,
    alias: Annotated[
        list[str] | None,
        typer.Option(help="Let this alias name it; may be given several times.", show_default=False),
    ] = None,
    note: _NOTE = "",
    by: _BY = None,
) -> None:
    """Put a bundle into a registry, as a version that never changes. A registry begins with the first one.

    A bundle that is there already keeps its record. With --alias, workers that follow the alias take it up.

    Examples:
        detector models push models/pumps-may registry://models/registry/pumps --alias challenger

        detector models push models/pumps-may s3://bucket/models/pumps --alias champion --note "ticket 4711"
    """
    from detector.cli.common.bundles import BundleSource, place_of

    source = BundleSource()
    digest = push_bundle(source, source.open(place_of(bundle, "BUNDLE")).path, model, alias or (), note, by)
    typer.echo(digest)


def push_bundle(source: BundleSource, path: Path, model: str, aliases: Sequence[str], note: str, by: str | None) -> str:
    """Push a bundle, move aliases, and say on stderr what was done.

    Args:
        source: Opens registries.
        path: Of the bundle.
        model: ``REGISTRY/NAME``.
        aliases: To be moved to it.
        note: Why.
        by: Who, or None for the user.

    Returns:
        The version, for people.

    Raises:
        ConfigError: the model's name cannot be one.
        BundleError: the bundle is damaged, or an alias cannot be one.
        RegistryUnavailableError: the registry cannot be written.
    """
    from datetime import UTC, datetime

    from detector.cli.common.bundles import model_errors

    registry, name = registry_of(source, model)
    now, who = datetime.now(UTC), by or somebody()
    bundle = source.open(path)
    with model_errors():
        version = registry.push(name, bundle, now, who, note)
        typer.echo(f"pushed {version.version} to {registry.address}/{name}", err=True)
        for alias in aliases:
            registry.move(name, alias, version, now, who, note)
            typer.echo(f"{alias} names {version.version} now", err=True)
    return version.version


def pull(
    reference: Annotated[
        str,
        typer.Argument(metavar="REGISTRY/NAME@VERSION", help="An alias may stand for the version.", show_default=False),
    ],
    directory: Annotated[
        Path, typer.Argument(metavar="DIR", help="Where to put the bundle; must not be there yet.", show_default=False)
    ],
) -> None:
    """Copy a bundle out of a registry, with its checksums verified.

    Examples:
        detector models pull registry://models/registry/pumps@champion models/pumps

        detector models pull s3://bucket/models/pumps@lstm-20260102-0123abcd models/pumps-before
    """
    from detector.cli.common.bundles import BundleSource, model_errors
    from models.bundle import copy_bundle

    bundle = BundleSource().open(_reference(reference))
    with model_errors():
        copied = copy_bundle(bundle, directory)
    typer.echo(f"{directory} is {copied.version}, digest {copied.digest}")


def alias(
    model: _MODEL,
    alias: Annotated[str, typer.Argument(metavar="ALIAS", help="Such as champion.", show_default=False)],
    version: Annotated[
        str | None,
        typer.Argument(
            metavar="VERSION",
            help="What it names from now on: a version, the first digits of a digest, or another alias.",
            show_default=False,
        ),
    ] = None,
    remove: Annotated[bool, typer.Option("--remove", help="Let it name nothing any more.")] = False,
    expect: Annotated[
        str | None,
        typer.Option(help="Only if it names this version until now; for scripts.", show_default=False),
    ] = None,
    note: _NOTE = "",
    by: _BY = None,
) -> None:
    """Move an alias. Workers that follow it load the bundle, check it, and take it up without a restart.

    Examples:
        detector models alias registry://models/registry/pumps champion challenger --note "two weeks in shadow"

        detector models alias registry://models/registry/pumps champion lstm-20260102-0123abcd

        detector models alias registry://models/registry/pumps challenger --remove
    """
    from datetime import UTC, datetime

    from detector.cli.common.bundles import BundleSource, model_errors
    from detector.errors import ConfigError

    if (version is None) != remove:
        raise ConfigError("give a VERSION that the alias is to name, or --remove")
    registry, name = registry_of(BundleSource(), model)
    with model_errors():
        target = None if version is None else registry.version(name, version)
        expected = None if expect is None else registry.version(name, expect).digest
        move = registry.move(name, alias, target, datetime.now(UTC), by or somebody(), note, expected)
    typer.echo(f"{alias} names {move.version or 'nothing'} now (move {move.number} of {registry.address}/{name})")


def history(
    model: _MODEL,
    alias: Annotated[str | None, typer.Argument(metavar="ALIAS", help="Only this one.", show_default=False)] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print it as JSON.")] = False,
) -> None:
    """Tell every move of a model's aliases: when, to which version, by whom and why.

    Examples:
        detector models history registry://models/registry/pumps

        detector models history registry://models/registry/pumps champion --json
    """
    import json

    from detector.cli.common.bundles import BundleSource, model_errors
    from detector.errors import ConfigError

    registry, name = registry_of(BundleSource(), model)
    with model_errors():
        aliases = known = registry.known_aliases(name)
        if alias is not None:
            if alias not in known:
                have = ", ".join(known) or "none yet"
                raise ConfigError(f"{registry.address}/{name} never had an alias {alias!r}; it has or had: {have}")
            aliases = [alias]
        moves = [move for each in aliases for move in registry.moves(name, each)]
    moves.sort(key=lambda move: (move.moved_at, move.alias, move.number))
    if as_json:
        keys = ("alias", "number", "moved_at", "version", "digest", "by", "note")
        typer.echo(json.dumps([{key: getattr(move, key) for key in keys} for move in moves], indent=2))
        return
    rows = [(m.moved_at[:19], m.alias, m.version or "(removed)", m.by, m.note) for m in moves]
    print_table(("MOVED", "ALIAS", "VERSION", "BY", "NOTE"), rows)


def list_registry(registry: Registry, as_json: bool) -> None:
    """Print every version of every model of a registry, with the aliases that name it.

    Raises:
        models.errors.RegistryError: it cannot be read.
    """
    import json

    document = []
    for name in registry.names():
        named: dict[str, list[str]] = {}
        for alias, move in sorted(registry.aliases(name).items()):
            named.setdefault(str(move.digest), []).append(alias)
        document += [
            {
                "name": name,
                "version": version.version,
                "digest": version.digest,
                "aliases": named.get(version.digest, []),
                "created_at": version.created_at,
                "pushed_at": version.pushed_at,
                "by": version.by,
                "note": version.note,
            }
            for version in registry.versions(name)
        ]
    if as_json:
        typer.echo(json.dumps(document, indent=2))
        return
    rows = [
        (str(v["name"]), str(v["version"]), ", ".join(v["aliases"]), str(v["pushed_at"])[:19], str(v["by"]),
         str(v["note"]))
        for v in document
    ]  # fmt: skip
    print_table(("NAME", "VERSION", "ALIASES", "PUSHED", "BY", "NOTE"), rows)


def print_table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Rows below headings, in columns; names and notes come from others and steer no terminal."""
    from detector.printable import printable

    cells = [headings, *([printable(cell) for cell in row] for row in rows)]
    widths = [max(len(row[column]) for row in cells) for column in range(len(headings))]
    for row in cells:
        typer.echo("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def registry_of(source: BundleSource, model: str) -> tuple[Registry, str]:
    """A registry and the name of a model in it.

    Args:
        source: Opens registries.
        model: ``REGISTRY/NAME``.

    Raises:
        ConfigError: it is not of this form.
        BundleError: there is no such kind of address.
    """
    from detector.errors import ConfigError
    from detector.model_address import split_model

    try:
        address, name = split_model(model)
    except ValueError as error:
        raise ConfigError(str(error)) from error
    return source.registry(address), name


def _reference(text: str) -> RegistryReference:
    """A reference; the registry may be a plain directory here."""
    from detector.errors import ConfigError
    from detector.model_address import RegistryReference

    try:
        return RegistryReference.parse(text)
    except ValueError as error:
        raise ConfigError(str(error)) from error


def somebody() -> str:
    """User and machine, for records of who did something."""
    import getpass
    import socket

    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # containers run as users without a name
        user = "unknown"
    return f"{user}@{socket.gethostname()}"
