"""Values as a settings file spells them."""

from __future__ import annotations

from pathlib import PurePath
from typing import Any

import yaml
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

_UNITS = (("w", 604_800), ("d", 86_400), ("h", 3600), ("m", 60), ("s", 1))


def yaml_value(name: str, value: Any) -> str:
    """A value on one line, as it may stand after the name of its setting.

    Args:
        name: Of the setting; durations are told by their ``_seconds``.
        value: As the model holds it.
    """
    if name.endswith("_seconds") and isinstance(value, float):
        return duration_text(value)
    if isinstance(value, tuple):
        value = list(value)
    if isinstance(value, PurePath):
        value = str(value)
    text: str = yaml.safe_dump(value, default_flow_style=True, width=10_000, allow_unicode=True)
    return text.removesuffix("...\n").strip()


def duration_text(seconds: float) -> str:
    """``15m`` for 900: the largest unit that divides it; negative ones have a meaning of their own and stay numbers."""
    if seconds < 0:
        return f"{seconds:g}"
    if seconds != int(seconds):
        return f"{seconds * 1000:g}ms"
    whole = int(seconds)
    unit, size = next((unit, size) for unit, size in _UNITS if whole % size == 0 and (whole or size == 1))
    return f"{whole // size}{unit}"


def default_of(field: FieldInfo, name: str) -> str | None:
    """A field's default as YAML; None for one that is required, or that depends on the machine."""
    if field.default is PydanticUndefined:
        return None
    return yaml_value(name, field.default)
