"""Autoencoder of windows that is read and written in both directions.

Two LSTMs (see `models.architectures.lstm`), one of which reads from the end (Schuster and Paliwal, 1997). Of the
encoder the last states of both stand side by side, float32[batch, 2 * units]; of the decoder those of every row,
float32[batch, window, 2 * units]. So each row of the reconstruction knows what comes before it and after it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from models.architectures.architecture import Architecture
from models.architectures.window_autoencoder import build_autoencoder, fit
from models.backend import load_keras
from models.shape import Shape

if TYPE_CHECKING:
    import keras


def build(spec: Shape) -> keras.Model:
    """Build the model; see `build_autoencoder`. Each direction has ``spec.units`` units and its own initial weights."""
    layers = load_keras().layers

    def both_directions(units: int, name: str, **options: Any) -> Any:
        backward = {
            key: value.__class__(seed=value.seed + SECOND_DIRECTION) if key.endswith("_initializer") else value
            for key, value in options.items()
        }
        return layers.Bidirectional(
            layers.LSTM(units, name="forward", **options),
            backward_layer=layers.LSTM(units, name="backward", go_backwards=True, **backward),
            name=name,
        )

    return build_autoencoder(spec, both_directions)


SECOND_DIRECTION = 8
"""Added to a seed. The autoencoder uses fewer seeds of the sixteen that a model has."""

ARCHITECTURE = Architecture(
    name="bilstm",
    summary="window autoencoder with LSTM cells that read and write the window in both directions",
    choose="what comes later explains what came before, as in cycles with a run-up; twice the cost of lstm",
    papers=(
        'Schuster and Paliwal, "Bidirectional Recurrent Neural Networks", IEEE Transactions on Signal Processing'
        " 45(11), 1997",
        'Graves and Schmidhuber, "Framewise Phoneme Classification with Bidirectional LSTM and Other Neural Network'
        ' Architectures", Neural Networks 18(5-6), 2005',
    ),
    build=build,
    fit=fit,
)
