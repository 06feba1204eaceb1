"""Settings from environment variables: ``RECONSTREAM_KAFKA__BOOTSTRAP_SERVERS``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import yaml

from detector.settings_file.document import Document
from detector.settings_file.problems import Key, Place, Problem, did_you_mean
from detector.settings_file.tree import Kind, field_at, kind_of, leaves

PREFIX = "RECONSTREAM_"
_SEPARATOR = "__"


def variable_of(key: Key) -> str:
    """Name of the variable that sets a key."""
    return PREFIX + _SEPARATOR.join(str(part).upper() for part in key)


def apply_environment(document: Document, env: Mapping[str, str]) -> None:
    """Put the settings of the environment into a document, over those of the file.

    A variable is the prefix and the way to a setting in capitals, joined by two underscores; a stream is named by its
    position. A list or a table is written as YAML in one line; a section cannot be set as a whole. One with two
    underscores that names no setting is a problem, since it is most likely a typing error; so is one that differs from
    a setting only in the number of underscores. Others with the prefix are left alone: Kubernetes adds some.
    """
    settings = {variable_of(key).replace("_", ""): variable_of(key) for key, _ in leaves()}
    for name in sorted(env):
        if not name.startswith(PREFIX):
            continue
        place = Place("environment", 0, name)
        key = _key_of(name)
        field = field_at(key)
        if field is None:
            meant = settings.get(name.replace("_", ""))
            if meant is not None or _SEPARATOR in name.removeprefix(PREFIX):
                hint = f"did you mean {meant!r}?" if meant else did_you_mean(name, settings.values())
                document.problems.append(Problem(place, (), f"names no setting; {hint}"))
            continue
        kind = kind_of(field)
        if kind.section is not None:
            example = next(variable_of((*key, *below)) for below, _ in leaves(kind.section) if len(below) == 1)
            if kind.is_list and not isinstance(key[-1], int):
                example = next(variable_of((*key, 0, *below)) for below, _ in leaves(kind.section))
            message = f"names a section; write that in the file, or set one of its settings, such as {example}"
            document.problems.append(Problem(place, (), message))
            continue
        try:
            value = _value_of(env[name], kind)
        except yaml.YAMLError:
            example = "{name: path}" if kind.is_table else "[first, second]"
            document.problems.append(Problem(place, key, f"is not YAML; write it as {example}"))
            continue
        if _put(document, key, value, place):
            document.places[key] = place


def _key_of(name: str) -> Key:
    parts = name.removeprefix(PREFIX).lower().split(_SEPARATOR)
    # Nine digits are more than any list has, and keep int() cheap.
    return tuple(int(part) if part.isascii() and part.isdigit() and len(part) <= 9 else part for part in parts)


def _value_of(text: str, kind: Kind) -> Any:
    """Plain values stay text, which the type check turns into numbers; so a password of digits stays one."""
    if kind.is_table or (kind.is_list and text.lstrip().startswith("[")):
        return yaml.safe_load(text)
    if kind.is_list:
        return [part.strip() for part in text.split(",") if part.strip()]
    return None if kind.optional and not text else text


def _put(document: Document, key: Key, value: Any, place: Place) -> bool:
    """Set a value, making the sections above it; whether that could be done."""
    parent: Any = document.data
    for depth, part in enumerate(key[:-1], start=1):
        following: Any = [] if isinstance(key[depth], int) else {}
        if isinstance(part, int):
            if part > len(parent):
                message = f"there are {len(parent)} streams, counted from 0; the next one is {len(parent)}"
                document.problems.append(Problem(place, key, message))
                return False
            if part == len(parent):
                parent.append(following)
                document.places[key[:depth]] = place
        elif parent.get(part) is None:
            parent[part] = following
            document.places.setdefault(key[:depth], place)
        parent = parent[part]
        if not isinstance(parent, type(following)):
            return False  # the file has something else here, which the type check will report
    parent[key[-1]] = value
    return True
