"""LSTM autoencoder of windows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from models.architectures.architecture import Architecture
from models.architectures.window_autoencoder import build_autoencoder, fit
from models.backend import load_keras
from models.shape import Shape

if TYPE_CHECKING:
    import keras


def build(spec: Shape) -> keras.Model:
    """Build the model; see `build_autoencoder`."""
    return build_autoencoder(spec, load_keras().layers.LSTM)


ARCHITECTURE = Architecture(
    name="lstm",
    summary="window autoencoder with LSTM cells: gates keep what matters over the whole window",
    choose="sound on most telemetry, long windows are no trouble; where each window is to stand for itself",
    papers=(
        'Hochreiter and Schmidhuber, "Long Short-Term Memory", Neural Computation 9(8), 1997',
        'Srivastava et al., "Unsupervised Learning of Video Representations using LSTMs", ICML 2015',
    ),
    build=build,
    fit=fit,
)
