"""Variational LSTM autoencoder: the code is a distribution, and what it costs to leave the prior counts.

The served model decodes the mean of the code and so is deterministic; its second output is the Kullback-Leibler
divergence of the code from the prior, KL(N(m, s^2) || N(0, 1)) = 1/2 * sum(m^2 + s^2 - 1 - log s^2), in nats. With the
residual weighed by the noise of each channel, both add up to the negative evidence lower bound of the window.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from models.architectures.architecture import Architecture
from models.architectures.options import Option
from models.architectures.window_autoencoder import dense, initializers, read, seeds_of
from models.backend import load_keras
from models.fitting.task import Fitted, FittingTask
from models.fitting.variational import VariationalObjective
from models.outputs import PENALTY, RECONSTRUCTION
from models.shape import Shape

if TYPE_CHECKING:
    import keras

MEAN = "code"
LOG_VARIANCE = "code_log_variance"


def build(spec: Shape) -> keras.Model:
    """Build the model to serve.

    The divergence is made of plain layers, the sum over the code of a ``Dense`` with weights that are never trained,
    so that a bundle names no class beyond those that every model has.

    Returns:
        A model from float32[batch, window, channels] to ``reconstruction`` of the same shape and ``penalty``
        float32[batch].
    """
    keras = load_keras()
    layers = keras.layers
    seeds = seeds_of(spec)
    windows, seen = read(spec, seeds)
    summary = layers.LSTM(spec.units, **initializers(seeds), name="encoder")(seen)
    mean, log_variance = dense(MEAN, spec.latent, seeds)(summary), dense(LOG_VARIANCE, spec.latent, seeds)(summary)
    repeated = layers.RepeatVector(spec.window, name="repeat")(mean)
    written = layers.LSTM(spec.units, return_sequences=True, **initializers(seeds), name="decoder")(repeated)
    reconstruction = dense(RECONSTRUCTION, len(spec.channels), seeds)(written)

    squares = layers.Multiply(name="code_squares")([mean, mean])
    variance = layers.Activation("exponential", name="code_variance")(log_variance)
    terms = layers.Subtract(name="divergence_terms")(
        [layers.Add(name="divergence_sum")([squares, variance]), log_variance]
    )
    constant = keras.initializers.Constant
    divergence = layers.Dense(
        1,
        kernel_initializer=constant(0.5),
        bias_initializer=constant(-0.5 * spec.latent),
        trainable=False,
        name="divergence",
    )(terms)
    penalty = layers.Reshape((), name=PENALTY)(divergence)
    return keras.Model(windows, {RECONSTRUCTION: reconstruction, PENALTY: penalty}, name="lstm_vae")


def parts(model: keras.Model) -> tuple[keras.Model, keras.Model]:
    """The two halves of what `build` made, which share its layers.

    Returns:
        Models from windows to mean and logarithm of the variance of the code, float32[batch, latent] each; and from a
        code to the reconstruction.
    """
    keras = load_keras()
    mean, log_variance = model.get_layer(MEAN).output, model.get_layer(LOG_VARIANCE).output
    encoder = keras.Model(model.inputs[0], [mean, log_variance], name="lstm_vae_encoder")
    code = keras.Input(mean.shape[1:], dtype="float32", name="sample")
    written = model.get_layer("decoder")(model.get_layer("repeat")(code))
    return encoder, keras.Model(code, model.get_layer(RECONSTRUCTION)(written), name="lstm_vae_decoder")


def fit(task: FittingTask) -> Fitted:
    """Maximise the evidence lower bound; see `models.fitting.variational`."""
    encoder, decoder = parts(task.model)
    objective = VariationalObjective(task.model, encoder, decoder, task)
    return Fitted(task.model, task.minimise(objective))


ARCHITECTURE = Architecture(
    name="lstm_vae",
    summary="variational LSTM autoencoder, scored by the evidence lower bound: residual, and divergence of the code",
    choose="noisy data, or when windows that are rebuilt well but look like no normal one should count as well",
    papers=(
        'Kingma and Welling, "Auto-Encoding Variational Bayes", ICLR 2014',
        'Park, Hoshi and Kemp, "A Multimodal Anomaly Detector for Robot-Assisted Feeding Using an LSTM-Based'
        ' Variational Autoencoder", IEEE Robotics and Automation Letters 3(3), 2018',
        'Rybkin, Daniilidis and Levine, "Simple and Effective VAE Training with Calibrated Decoders", ICML 2021',
        'Bowman et al., "Generating Sentences from a Continuous Space", CoNLL 2016 (annealing)',
        'Fu et al., "Cyclical Annealing Schedule: A Simple Approach to Mitigating KL Vanishing", NAACL 2019',
    ),
    build=build,
    fit=fit,
    options=(
        Option(name="beta", default=1.0, low=0.0, high=100.0, help="weight of the divergence once annealing is over"),
        Option(
            name="annealing",
            default="linear",
            choices=("none", "linear", "cyclical"),
            help="how that weight rises from 0 over the epochs",
        ),
        Option(
            name="annealing_share",
            default=0.5,
            low=0.05,
            high=1.0,
            help="share of the epochs (linear), or of each of four cycles, in which it rises",
        ),
    ),
)
