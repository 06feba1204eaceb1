"""What a value alone cannot show: names of decoders, syntax of paths, files that must be there."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

from detector.errors import ConfigError
from detector.model_address import DIRECTORY_SCHEME, ModelPlace, RegistryReference
from detector.records.decoders import decoder
from detector.records.paths import parse_path
from detector.settings import RecordSettings, Section, Settings
from detector.settings_file.problems import Key, Problem
from detector.settings_file.tree import kind_of

MakeProblem = Callable[[Key, str], Problem]


def check_record(record: RecordSettings, key: Key) -> Iterator[tuple[Key, str]]:
    """Keys and messages of an unknown decoder and of paths that cannot be parsed.

    Args:
        record: Of a stream.
        key: Of this section.
    """
    if record.decoder == "row":
        yield (*key, "decoder"), "'row' reads rows of files, not records of a topic; write json"
    else:
        try:
            decoder(record.decoder)
        except ConfigError as error:
            yield (*key, "decoder"), str(error)
    for below, path in _paths(record):
        try:
            parse_path(path)
        except ConfigError as error:
            yield (*key, *below), str(error)


def _paths(record: RecordSettings) -> Iterator[tuple[Key, str]]:
    for position, path in enumerate(record.series_fields):
        yield ("series_fields", position), path
    for channel, path in record.channel_fields.items():
        yield ("channel_fields", channel), path
    for name in ("time_field", "channels_under", "channel_name_field", "value_field"):
        single = getattr(record, name)
        if single is not None:
            yield (name,), single


def check_files(settings: Settings, problem: MakeProblem) -> Iterator[Problem]:
    """Bundles without a readable manifest, registries, certificates, keys and secrets that are not there.

    Opens manifests only: whether a bundle is sound and fits its stream is seen when it is loaded.
    """
    for position, stream in enumerate(settings.streams):
        places: dict[Key, ModelPlace] = {("model",): stream.model}
        if stream.shadow is not None:
            places["shadow", "model"] = stream.shadow.model
        for below, place in places.items():
            message = _registry_problem(place) if isinstance(place, RegistryReference) else _bundle_problem(place)
            if message:
                yield problem(("streams", position, *below), message)
    yield from _missing_files(settings.kafka, ("kafka",), problem)
    yield from _missing_files(settings.http, ("http",), problem)
    yield from _missing_files(settings.dashboard, ("dashboard",), problem)


def _bundle_problem(directory: Path) -> str | None:
    remedy = "name the directory that 'detector train --out' wrote"
    if not directory.is_dir():
        return f"there is no bundle at {directory}; {remedy}"
    try:
        manifest = json.loads((directory / "manifest.json").read_bytes())
    except FileNotFoundError:
        return f"{directory} is not a bundle: it has no manifest.json; {remedy}"
    except OSError as error:
        return f"{directory / 'manifest.json'} cannot be read ({error.strerror}); make it readable"
    except (ValueError, RecursionError):
        manifest = None
    if not isinstance(manifest, dict):
        return f"{directory / 'manifest.json'} is damaged; train the bundle again, or copy it again"
    return None


def _registry_problem(reference: RegistryReference) -> str | None:
    """Of a registry in a directory; others are asked when a worker starts, which takes a network and a login."""
    scheme, _, rest = reference.registry.partition("://")
    if scheme != DIRECTORY_SCHEME or (Path(rest) / "registry.json").is_file():
        return None
    return (
        f"there is no registry of models at {rest}; correct the directory, or begin one with: detector models push "
        f"BUNDLE {reference.registry}/{reference.name}"
    )


def _missing_files(section: Section, under: Key, problem: MakeProblem) -> Iterator[Problem]:
    for name, field in type(section).model_fields.items():
        value = getattr(section, name)
        if isinstance(value, Section):
            yield from _missing_files(value, (*under, name), problem)
        elif value is not None and kind_of(field).path and not value.is_file():
            yield problem((*under, name), f"there is no file {value}; correct the path")
