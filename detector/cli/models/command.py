"""``detector models``: bundles, registries, architectures. None imports Keras, unless its runtime is asked for."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from detector.cli.models import registry as model_registry
from detector.cli.models.architectures import architectures
from detector.cli.models.horizon import horizon

if TYPE_CHECKING:
    from models.bundle import Bundle

_HELP = """List, show and verify model bundles, keep them in registries, and list the architectures to train.

Examples:
    detector models architectures
    detector models list
    detector models show models/servers
    detector models push models/servers registry://models/registry/servers --alias champion
"""

app = typer.Typer(no_args_is_help=True, help=_HELP)
app.command()(architectures)
app.command()(horizon)

_HEADINGS = ("NAME", "VERSION", "ARCHITECTURE", "CHANNELS", "WINDOW", "THRESHOLD", "CREATED")
_NUMBERS = frozenset({"CHANNELS", "THRESHOLD"})
_BUNDLE = Annotated[
    str,
    typer.Argument(
        metavar="BUNDLE",
        help="Directory that 'detector train' wrote, or a registry reference such as registry://DIR/NAME@ALIAS.",
        show_default=False,
    ),
]


class Runtime(StrEnum):
    """What may compute a model, as the command line names it; Typer takes no list of literals."""

    ONNX = "onnx"
    KERAS = "keras"


@app.command(name="list")
def list_(
    directory: Annotated[
        str,
        typer.Argument(metavar="DIR", help="Where to look: a directory of bundles, a bundle, or a registry."),
    ] = "models",
    as_json: Annotated[bool, typer.Option("--json", help="A registry: print it as JSON.")] = False,
) -> None:
    """List the bundles in a directory, or the versions in a registry with the aliases that name them.

    Bundles in a directory are verified; one that is damaged is listed with the reason.

    Examples:
        detector models list

        detector models list /srv/bundles

        detector models list s3://bucket/models
    """
    from detector.cli.common.bundles import BundleSource, model_errors
    from detector.model_address import is_reference
    from models.registry.marker import MARKER

    if is_reference(directory) or (Path(directory) / MARKER).is_file():
        with model_errors():
            model_registry.list_registry(BundleSource().registry(directory), as_json)
        return
    _list_bundles(Path(directory))


def _list_bundles(directory: Path) -> None:
    from detector.cli.common.assemble import open_bundle
    from detector.errors import BundleError

    rows: list[Sequence[str]] = []
    broken: list[tuple[str, str]] = []
    for path in _candidates(directory):
        try:
            rows.append(_row(path.name, open_bundle(path)))
        except BundleError as error:
            broken.append((path.name, str(error)))
    if not rows and not broken:
        typer.echo(f"no bundles in {directory}; write one with: detector train FILE --out {directory}/NAME", err=True)
        return
    if rows:
        for line in _aligned([_HEADINGS, *rows]):
            typer.echo(line)
    for name, reason in broken:
        typer.echo(f"{name}  broken: {reason}")


@app.command()
def show(
    bundle: _BUNDLE,
    as_json: Annotated[bool, typer.Option("--json", help="Print it as JSON.")] = False,
) -> None:
    """Show the report of a bundle's training again, and what the bundle was made from.

    Examples:
        detector models show models/telemetry

        detector models show models/telemetry --json
    """
    import json
    import sys

    from detector.cli.common.assemble import open_bundle
    from detector.cli.common.bundles import place_of
    from detector.cli.train.report import print_report
    from detector.errors import BundleError
    from models.errors import BundleError as DamagedBundleError

    opened = open_bundle(place_of(bundle, "BUNDLE"))
    try:
        document = _document(opened)
    except DamagedBundleError as error:  # it changed since it was opened
        raise BundleError(str(error)) from error
    if as_json:
        typer.echo(json.dumps(document, indent=2))
        return
    print_report(document, sys.stdout)
    typer.echo(f"  version          {opened.version}, created {opened.created_at}")
    typer.echo(f"  channels         {', '.join(opened.spec.channels)}")
    typer.echo(f"  libraries        {', '.join(f'{name} {version}' for name, version in opened.libraries.items())}")


@app.command()
def verify(
    bundle: _BUNDLE,
    runtimes: Annotated[
        list[Runtime] | None,
        typer.Option(
            "--runtime",
            help="Runtime that must reproduce the golden sample, onnx without it; may be given twice.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Verify a bundle: names, sizes and checksums of its files, and that a runtime reproduces its golden sample.

    Ends with status 4, and says what is wrong, if the bundle cannot be relied on.

    Examples:
        detector models verify models/telemetry

        detector models verify models/telemetry --runtime onnx --runtime keras
    """
    from detector.cli.common.assemble import open_bundle
    from detector.cli.common.bundles import place_of
    from detector.errors import BundleError, ConfigError
    from models.errors import BundleError as DamagedBundleError
    from models.errors import ModelsError
    from models.golden import TOLERANCE

    opened = open_bundle(place_of(bundle, "BUNDLE"))
    total_bytes = sum(record.size_bytes for record in opened.files.values())
    typer.echo(f"checksums      ok: {len(opened.files)} files, {total_bytes:,} bytes")
    for runtime in dict.fromkeys(runtimes or [Runtime.ONNX]):
        try:
            windows, difference = _golden_difference(opened, runtime)
        except DamagedBundleError as error:
            raise BundleError(str(error)) from error
        except ModelsError as error:
            raise ConfigError(str(error)) from error
        typer.echo(
            f"golden sample  ok: {runtime} differs from Keras by at most {difference:.1e} on {windows} windows "
            f"({TOLERANCE:g} is allowed)"
        )
    typer.echo(f"OK: {bundle} is {opened.version}, digest {opened.digest}")


for _command in (model_registry.push, model_registry.pull, model_registry.alias, model_registry.history):
    app.command()(_command)


def _candidates(directory: Path) -> list[Path]:
    """The directory itself if it looks like a bundle, else those in it that do; unfinished ones begin with a dot.

    Raises:
        ConfigError: there is no such directory.
    """
    from detector.errors import ConfigError
    from models.bundle.layout import KERAS, MANIFEST, ONNX

    def looks_like_bundle(path: Path) -> bool:
        # One that lost its manifest is a broken bundle, not none.
        return any((path / name).is_file() for name in (MANIFEST, KERAS, ONNX))

    if not directory.is_dir():
        raise ConfigError(f"there is no directory {directory}; name the one that holds the bundles")
    if looks_like_bundle(directory):
        return [directory.resolve()]
    return sorted(
        path
        for path in directory.iterdir()
        if path.is_dir() and not path.name.startswith(".") and looks_like_bundle(path)
    )


def _row(name: str, bundle: Bundle) -> Sequence[str]:
    spec = bundle.spec
    window = f"{spec.window}" if spec.period_seconds is None else f"{spec.window} x {spec.period_seconds:g} s"
    return (
        name,
        bundle.version,
        spec.architecture,
        str(len(spec.channels)),
        window,
        f"{bundle.calibration.threshold:.3f}",
        bundle.created_at,
    )


def _aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    """Rows as lines whose columns begin, or for numbers end, below each other."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return [
        "  ".join(
            cell.rjust(width) if heading in _NUMBERS else cell.ljust(width)
            for heading, cell, width in zip(rows[0], row, widths, strict=True)
        ).rstrip()
        for row in rows
    ]


def _document(bundle: Bundle) -> dict[str, Any]:
    """What ``detector train --json`` printed, and where the bundle comes from."""
    from detector.cli.train.report import score_document

    return {
        "bundle": str(bundle.path),
        "digest": bundle.digest,
        "version": bundle.version,
        "created_at": bundle.created_at,
        "spec": bundle.spec.to_dict(),
        "score": score_document(bundle.rule),
        "calibration": bundle.calibration.to_dict(),
        "shortfall": bundle.calibration.shortfall,
        "history": dict(bundle.history()),
        "training_data": dict(bundle.training_data),
        "libraries": dict(bundle.libraries),
    }


def _golden_difference(bundle: Bundle, runtime: str) -> tuple[int, float]:
    """Number of golden windows, and the largest difference of a runtime to Keras on them, in scaled units.

    Raises:
        models.errors.BundleError: the model does not open, or differs by more than is allowed.
        models.errors.ModelsError: the runtime is not installed.
    """
    from models.bundle import golden_difference, open_runtime

    return len(bundle.golden()[0]), golden_difference(bundle, open_runtime(bundle, runtime))
