"""LSTM autoencoder: a window is read into one code vector, and written again from it.

After the sequence autoencoder of Srivastava, Mansimov and Salakhutdinov, "Unsupervised Learning of Video
Representations using LSTMs" (ICML 2015), with an unconditioned decoder: the code is repeated at every step.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from models.backend import load_keras

if TYPE_CHECKING:
    import keras

    from models.spec import ModelSpec


def build(spec: ModelSpec) -> keras.Model:
    """Build the model.

    The output layer is a plain ``Dense``: it acts on the last axis of a sequence, whereas ``TimeDistributed`` would be
    unrolled into one product per step on export.

    Returns:
        A model from float32[batch, window, channels] to its reconstruction, of the same shape.
    """
    keras = load_keras()
    layers = keras.layers
    seeds = iter(range(spec.seed * 16, spec.seed * 16 + 16))

    def lstm(name: str, *, sequences: bool) -> Any:
        return layers.LSTM(
            spec.units,
            return_sequences=sequences,
            kernel_initializer=keras.initializers.GlorotUniform(seed=next(seeds)),
            recurrent_initializer=keras.initializers.Orthogonal(seed=next(seeds)),
            name=name,
        )

    def dense(name: str, width: int) -> Any:
        return layers.Dense(width, kernel_initializer=keras.initializers.GlorotUniform(seed=next(seeds)), name=name)

    windows = keras.Input((spec.window, len(spec.channels)), dtype="float32", name="windows")
    read = layers.Dropout(spec.dropout, seed=next(seeds), name="dropout")(windows) if spec.dropout else windows
    code = dense("code", spec.latent)(lstm("encoder", sequences=False)(read))
    repeated = layers.RepeatVector(spec.window, name="repeat")(code)
    reconstruction = dense("reconstruction", len(spec.channels))(lstm("decoder", sequences=True)(repeated))
    return keras.Model(windows, reconstruction, name="lstm_autoencoder")
