"""Autoencoder of windows with the simplest recurrent cell.

Of a row ``x`` and the state ``h`` before, it makes ``h' = tanh(W x + U h + b)`` (Elman, 1990). Without a gate every
step back in time multiplies the gradient by ``U`` and the slope of ``tanh``, so that it fades, or grows, exponentially
with the distance (Bengio, Simard and Frasconi, 1994): short windows only.
"""

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
    return build_autoencoder(spec, load_keras().layers.SimpleRNN)


ARCHITECTURE = Architecture(
    name="simple_rnn",
    summary="window autoencoder with plain recurrent cells, which have no gates",
    choose="short windows (some 20 samples), the fewest weights and the fastest training; gradients fade beyond",
    papers=(
        'Elman, "Finding Structure in Time", Cognitive Science 14(2), 1990',
        'Bengio, Simard and Frasconi, "Learning Long-Term Dependencies with Gradient Descent is Difficult",'
        " IEEE Transactions on Neural Networks 5(2), 1994",
    ),
    build=build,
    fit=fit,
)
