"""LSTM autoencoder of windows.

The cell of Hochreiter and Schmidhuber (1997), with the forget gate of Gers, Schmidhuber and Cummins (2000). Of a row
``x`` and its state before, hidden ``h`` and cell ``c``, it makes::

    input, forget, output = sigmoid(W x + U h + b)      for each gate its own W, U and b
    c' = forget * c + input * tanh(W_c x + U_c h + b_c)
    h' = output * tanh(c')

From ``c`` to ``c'`` the way back through time passes the forget gate alone: where that is near 1, gradients neither
fade nor grow. `models.inspection.cells` follows the gates of a trained model.
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
    return build_autoencoder(spec, load_keras().layers.LSTM)


ARCHITECTURE = Architecture(
    name="lstm",
    summary="window autoencoder with LSTM cells: gates keep what matters over the whole window",
    choose="sound on most telemetry, long windows are no trouble; where each window is to stand for itself",
    papers=(
        'Hochreiter and Schmidhuber, "Long Short-Term Memory", Neural Computation 9(8), 1997',
        'Gers, Schmidhuber and Cummins, "Learning to Forget: Continual Prediction with LSTM", Neural Computation'
        " 12(10), 2000",
        'Srivastava et al., "Unsupervised Learning of Video Representations using LSTMs", ICML 2015',
    ),
    build=build,
    fit=fit,
)
