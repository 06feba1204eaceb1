"""Architectures by name. Keras is imported when a model is built, not when names are looked up."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from models.errors import SpecError

if TYPE_CHECKING:
    import keras

    from models.spec import ModelSpec

_MODULES = {"lstm": "models.architectures.lstm"}
"""Each module has ``build(spec) -> keras.Model``, which maps float32[batch, window, channels] to the same shape."""


def names() -> tuple[str, ...]:
    """Names of the architectures, sorted."""
    return tuple(sorted(_MODULES))


def build(spec: ModelSpec) -> keras.Model:
    """Build a model with initial weights that depend on ``spec.seed`` alone.

    Returns:
        A model from float32[batch, window, channels] to its reconstruction, of the same shape.

    Raises:
        SpecError: no architecture has that name.
    """
    if spec.architecture not in _MODULES:
        raise SpecError(f"there is no architecture {spec.architecture!r}; choose one of: {', '.join(names())}")
    model: keras.Model = import_module(_MODULES[spec.architecture]).build(spec)
    return model
