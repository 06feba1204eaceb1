"""From a file and the environment to checked settings."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from detector.errors import ConfigError
from detector.model_address import RegistryReference, is_reference
from detector.settings import RecordSettings, Section, Settings
from detector.settings_file.checks import check_record
from detector.settings_file.document import MAX_BYTES, Document, parse_document
from detector.settings_file.environment import apply_environment
from detector.settings_file.explain import explain, place_of
from detector.settings_file.problems import Key, Place, Problem, raise_problems
from detector.settings_file.tree import kind_of


@dataclass(frozen=True, slots=True)
class LoadedSettings:
    """Settings that know where they were given.

    Attributes:
        settings: Checked.
        source: The file as the user named it.
        document: What was read.
    """

    settings: Settings
    source: str
    document: Document

    def problem(self, key: Key, message: str) -> Problem:
        """A problem with a setting that was found later, such as a file that is not there."""
        return Problem(place_of(key, self.document, self.source), key, message)


def load_settings(path: Path, env: Mapping[str, str]) -> Settings:
    """Read, complete and check the settings of a file.

    Args:
        path: A YAML file. Relative paths in it, and in variables, start at its directory.
        env: The environment: ``${NAME}`` in the file, and ``RECONSTREAM_SECTION__SETTING`` over it.

    Raises:
        ConfigError: a line ``file:line: key: what is wrong; remedy`` for each problem.
    """
    return read_settings(path, env).settings


def read_settings(path: Path, env: Mapping[str, str]) -> LoadedSettings:
    """The same as `load_settings`, with the places of the settings for later messages.

    Raises:
        ConfigError: as there.
    """
    source = str(path)
    document = parse_document(_read_text(path), source, env)
    if not document.problems or document.data:
        apply_environment(document, env)
        _drop_empty_sections(document.data, Settings)
        _resolve_paths(document.data, Settings, path.resolve().parent)
    else:  # not even YAML: what else might be wrong would only mislead
        raise_problems(document.problems)
    problems = list(document.problems)
    settings = None
    try:
        settings = Settings.model_validate(document.data)
    except ValidationError as error:
        problems += explain(error, document, source)
    wrong = {problem.key for problem in problems}
    for key, record in _valid_records(document.data):
        for at, text in check_record(record, key):
            if at not in wrong:
                problems.append(Problem(place_of(at, document, source), at, text))
    raise_problems(problems)
    assert settings is not None  # noqa: S101 - pydantic's findings are problems, or repeat one of the document's
    return LoadedSettings(settings, source, document)


def _valid_records(data: dict[str, Any]) -> Iterator[tuple[Key, RecordSettings]]:
    """The record sections that can be checked further, also when something else in the file is wrong."""
    streams = data.get("streams")
    for position, stream in enumerate(streams if isinstance(streams, list) else []):
        if isinstance(stream, dict):
            with contextlib.suppress(ValidationError):
                record = RecordSettings.model_validate(stream.get("record", {}))
                yield ("streams", position, "record"), record


def _read_text(path: Path) -> str:
    try:
        with path.open("rb") as stream:
            data = stream.read(MAX_BYTES + 1)
    except FileNotFoundError as error:
        raise ConfigError(f"{path}: there is no such file; write one with: detector config init {path}") from error
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read ({error.strerror}); name a readable file") from error
    if len(data) > MAX_BYTES:
        raise ConfigError(f"{path}: larger than {MAX_BYTES} bytes; this is not a settings file")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise_problems([Problem(Place(str(path), line), (), "not UTF-8; save the file in this encoding")])
        raise


def _drop_empty_sections(data: dict[str, Any], model: type[Section]) -> None:
    """A section whose settings are all commented out is empty in YAML, and means the defaults."""
    for name, section, value in _sections(data, model):
        if value is None and not model.model_fields[name].is_required():
            del data[name]
        for part in value if isinstance(value, list) else [value]:
            if isinstance(part, dict):
                _drop_empty_sections(part, section)


def _resolve_paths(data: dict[str, Any], model: type[Section], directory: Path) -> None:
    for name, field in model.model_fields.items():
        if kind_of(field).path and isinstance(data.get(name), str) and data[name]:
            data[name] = _resolved(data[name], directory)
    for _, section, value in _sections(data, model):
        for part in value if isinstance(value, list) else [value]:
            if isinstance(part, dict):
                _resolve_paths(part, section, directory)


def _resolved(text: str, directory: Path) -> str:
    if not is_reference(text):
        return str(directory / text)
    try:
        return str(RegistryReference.parse(text).below(directory))
    except ValueError:
        return text  # the check of the value says what is wrong


def _sections(data: dict[str, Any], model: type[Section]) -> list[tuple[str, type[Section], Any]]:
    kinds = ((name, kind_of(field).section) for name, field in model.model_fields.items())
    return [(name, section, data[name]) for name, section in kinds if section is not None and name in data]
