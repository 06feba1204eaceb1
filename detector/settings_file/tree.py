"""Walking the tree of settings models: what a key stands for, and what a section offers."""

from __future__ import annotations

import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal, NamedTuple, Union, get_args, get_origin

from pydantic import SecretStr
from pydantic.fields import FieldInfo

from detector.settings import Section, Settings
from detector.settings_file.problems import Key


class Kind(NamedTuple):
    """What a setting holds.

    Attributes:
        section: Its model, when it is a section or a list of sections.
        is_list: A list.
        is_table: A mapping with keys of the user's.
        optional: May be null.
        path: A file or directory.
        secret: Never shown.
        choices: The only texts allowed; empty for no such limit.
        scalar: The type of a plain value.
    """

    section: type[Section] | None = None
    is_list: bool = False
    is_table: bool = False
    optional: bool = False
    path: bool = False
    secret: bool = False
    choices: tuple[str, ...] = ()
    scalar: type | None = None


def kind_of(field: FieldInfo) -> Kind:
    """What a field of a settings model holds."""
    annotation: Any = field.annotation
    optional = False
    if get_origin(annotation) in (Union, types.UnionType):
        kinds = [kind for kind in get_args(annotation) if kind is not type(None)]
        optional = len(kinds) < len(get_args(annotation))
        annotation = kinds[0]
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Literal:
        return Kind(optional=optional, choices=arguments, scalar=str)
    if origin is tuple:
        section = arguments[0] if _is_section(arguments[0]) else None
        return Kind(section=section, is_list=True, optional=optional)
    if origin is dict:
        return Kind(is_table=True, optional=optional)
    if _is_section(annotation):
        return Kind(section=annotation, optional=optional)
    if origin is not None:  # Annotated
        annotation = arguments[0]
    return Kind(
        optional=optional,
        path=annotation is Path,
        secret=annotation is SecretStr,
        scalar=annotation if isinstance(annotation, type) else None,
    )


def _is_section(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, Section)


def field_at(key: Key) -> FieldInfo | None:
    """The field that a key names; None for an unknown key, and for what lies inside of a plain list or table."""
    model: type[Section] | None = Settings
    field: FieldInfo | None = None
    in_list = False
    for part in key:
        if model is None:
            return None
        if in_list:
            if not isinstance(part, int):
                return None
            in_list = False
            continue
        field = model.model_fields.get(str(part))
        if field is None:
            return None
        kind = kind_of(field)
        model, in_list = kind.section, kind.is_list
    return field


def section_at(key: Key) -> type[Section] | None:
    """The model of the section that a key names, or of the element of a list of sections."""
    if not key:
        return Settings
    field = field_at(key)
    if field is None:
        return None
    kind = kind_of(field)
    return None if kind.is_list and not isinstance(key[-1], int) else kind.section


def leaves(model: type[Section] = Settings, under: Key = ()) -> Iterator[tuple[Key, FieldInfo]]:
    """Every setting that is not a section, with its key; the first element stands for those of a list of sections."""
    for name, field in model.model_fields.items():
        kind = kind_of(field)
        key = (*under, name, 0) if kind.section is not None and kind.is_list else (*under, name)
        if kind.section is not None:
            yield from leaves(kind.section, key)
        else:
            yield key, field
