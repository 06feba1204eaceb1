"""What settings are made of: durations, names of topics, places of models, and sections that refuse unknown keys."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer, PlainValidator
from pydantic_core import PydanticCustomError

from detector.model_address import ModelPlace, RegistryReference, model_place

_DURATION_PART = re.compile(r"(\d+(?:\.\d+)?)\s*(ms|s|m|h|d|w)")
_UNIT_SECONDS = {"ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0}
_TOPIC_NAME = re.compile(r"^[a-zA-Z0-9._-]{1,249}$")


def parse_duration(value: object) -> object:
    """Seconds from text such as ``1h30m``; anything that is not text passes through for the type check to judge.

    Raises:
        ValueError: the text is not a duration.
    """
    if not isinstance(value, str):
        return value
    text = value.strip()
    try:
        return float(text)
    except ValueError:
        pass
    parts = _DURATION_PART.findall(text)
    if not parts or "".join(f"{number}{unit}" for number, unit in parts) != "".join(text.split()):
        raise ValueError(f"{value!r} is not a duration; write seconds or text such as 90s, 5m, 1h30m, 7d")
    return sum(float(number) * _UNIT_SECONDS[unit] for number, unit in parts)


def _check_topic(name: str) -> str:
    if not _TOPIC_NAME.fullmatch(name) or name in {".", ".."}:
        raise ValueError(f"{name!r} is not a topic name; use at most 249 letters, digits, '.', '_' and '-'")
    return name


def _model_place(value: object) -> ModelPlace:
    if isinstance(value, str):
        return model_place(value)
    if isinstance(value, Path | RegistryReference):
        return value
    raise PydanticCustomError("path_type", "neither a directory nor a registry reference")


def repeated(names: Sequence[str]) -> str | None:
    """The first name that occurs a second time."""
    return next((name for place, name in enumerate(names) if name in names[:place]), None)


def _check_retention(seconds: float) -> float:
    if seconds != -1 and seconds <= 0:
        raise ValueError(f"{seconds:g} s keeps nothing; write a longer time, or -1 for ever")
    return seconds


Seconds = Annotated[
    float,
    BeforeValidator(parse_duration, json_schema_input_type=float | str),
    Field(gt=0, allow_inf_nan=False),
]
SecondsFromZero = Annotated[
    float,
    BeforeValidator(parse_duration, json_schema_input_type=float | str),
    Field(ge=0, allow_inf_nan=False),
]
RetentionSeconds = Annotated[
    float,
    BeforeValidator(parse_duration, json_schema_input_type=float | str),
    Field(ge=-1, allow_inf_nan=False),
    AfterValidator(_check_retention),
]
ModelAddress = Annotated[
    Path | RegistryReference,
    PlainValidator(_model_place, json_schema_input_type=str),
    PlainSerializer(str, return_type=str),
]
TopicName = Annotated[str, AfterValidator(_check_topic), Field(json_schema_extra={"pattern": _TOPIC_NAME.pattern})]


class Section(BaseModel):
    """A part of the settings: frozen, and closed to unknown keys so that a typing error is found at start."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", validate_default=True, use_attribute_docstrings=True, hide_input_in_errors=True
    )
