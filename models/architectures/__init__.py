"""Architectures by name. Keras is imported when a model is built, not when names are looked up."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from models.architectures import autoregression, bilstm, gru, lstm, lstm_vae, pca, seq2seq, simple_rnn, streaming
from models.architectures.architecture import Architecture
from models.errors import SpecError
from models.shape import Shape

if TYPE_CHECKING:
    import keras

__all__ = ["ARCHITECTURES", "Architecture", "build", "find", "names"]

_MODULES: Final = (pca, autoregression, simple_rnn, gru, lstm, bilstm, seq2seq, lstm_vae, streaming)
ARCHITECTURES: Final[Mapping[str, Architecture]] = MappingProxyType(
    {module.ARCHITECTURE.name: module.ARCHITECTURE for module in _MODULES}
)
"""From the simplest to the most capable."""


def names() -> tuple[str, ...]:
    """Names of the architectures, from the simplest to the most capable."""
    return tuple(ARCHITECTURES)


def find(name: str) -> Architecture:
    """The architecture of that name.

    Raises:
        SpecError: there is none; the message names those there are.
    """
    if name not in ARCHITECTURES:
        raise SpecError(f"there is no architecture {name[:60]!r}; choose one of: {', '.join(names())}")
    return ARCHITECTURES[name]


def build(spec: Shape) -> keras.Model:
    """Build the model that is served, with initial weights that depend on ``spec.seed`` alone.

    Returns:
        A model from float32[batch, window, channels] to its reconstruction, of the same shape; or, for some
        architectures, to a dictionary of named outputs, of which the reconstruction is one.
    """
    return find(spec.architecture).build(spec)
