"""GRU autoencoder of windows.

The cell of Cho et al. (2014), in the form that Keras has by default, whose reset gate acts after the product. Of a row
``x`` and the state ``h`` before, it makes::

    update, reset = sigmoid(W x + U h + b)              for each gate its own W, U and b
    candidate = tanh(W_h x + b_h + reset * (U_h h + b'_h))
    h' = update * h + (1 - update) * candidate

One gate has both parts, what stays and what is written, and no cell stands beside the hidden state: three weight
matrices of each kind where an LSTM has four.
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
    return build_autoencoder(spec, load_keras().layers.GRU)


ARCHITECTURE = Architecture(
    name="gru",
    summary="window autoencoder with GRU cells: two gates and one state instead of the LSTM's three and two",
    choose="a quarter fewer weights than lstm at about its quality; try it where data or training time is short",
    papers=(
        'Cho et al., "Learning Phrase Representations using RNN Encoder-Decoder for Statistical Machine Translation",'
        " EMNLP 2014",
    ),
    build=build,
    fit=fit,
)
