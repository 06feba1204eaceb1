"""Streaming autoencoder: its memory goes on from sample to sample, for as long as the series does.

A window autoencoder reads every window anew and forgets it. Here the encoder's state is carried along the series, and
one sample costs one step. From the state, a code writes the last samples again (reconstruction), and a second head
says what comes next (prediction): the composite model of Srivastava, Mansimov and Salakhutdinov, "Unsupervised Learning
of Video Representations using LSTMs" (ICML 2015), with dense decoders in place of recurrent ones, since the state is
decoded at every sample.

Beside it runs a linear model, which is fitted in closed form and not trained: on data that is linear it is hard to
beat. It is an autoregression on the last few samples, or their principal components. The autoregression may also go
beneath the prediction, so that the network learns what the linear model leaves: the highway of Lai, Chang, Yang and
Liu, "Modeling Long- and Short-Term Temporal Patterns with Deep Neural Networks" (SIGIR 2018).

One set of weights makes two models (`network`): that of one step, which is bundled and served, and its unrolled form,
which reads chunks of a series and is trained (`fitting`).
"""

from __future__ import annotations

from models.architectures.architecture import Architecture
from models.architectures.limits import check_values
from models.architectures.options import Option
from models.architectures.streaming.fitting import fit
from models.architectures.streaming.network import AUTOREGRESSION, COMPONENTS, STATES, build
from models.outputs import DAILY, LINEAR, MAYBE, PREDICTION

ARCHITECTURE = Architecture(
    name="streaming",
    summary="memory carried from sample to sample: one step of a recurrent cell a record, with linear paths beside it",
    choose="the default: fast series, rhythms longer than any window, faults that break how a signal goes on",
    papers=(
        'Srivastava et al., "Unsupervised Learning of Video Representations using LSTMs", ICML 2015',
        'Lai et al., "Modeling Long- and Short-Term Temporal Patterns with Deep Neural Networks", SIGIR 2018',
        'Williams and Peng, "An Efficient Gradient-Based Algorithm for On-Line Training of Recurrent Network'
        ' Trajectories", Neural Computation 2(4), 1990',
    ),
    build=build,
    fit=fit,
    options=(
        Option(name="cell", default="lstm", choices=tuple(STATES), help="kind of cell that carries the memory"),
        Option(
            name="chunk", default=256, low=8, high=4096, help="samples through which gradients flow back in training"
        ),
        Option(
            name="prediction_weight",
            default=1.0,
            low=0.0,
            high=100.0,
            help="weight of the next sample's error in the loss, beside the reconstruction's",
        ),
        Option(
            name="linear",
            default=AUTOREGRESSION,
            choices=(AUTOREGRESSION, COMPONENTS),
            help="the linear model that runs beside the network",
        ),
        Option(
            name="lags",
            default=5,
            low=1,
            high=64,
            help="samples that the autoregression sees; fewer than a window has, whatever is asked for",
        ),
        Option(
            name="highway",
            default=True,
            help="whether the network predicts what the autoregression leaves, rather than the next sample itself",
        ),
        Option(
            name="linear_rows", default=10, low=1, high=64, help="samples that the principal components see together"
        ),
        Option(
            name="renew_after",
            default=16,
            low=0,
            high=1_000_000,
            help="extreme samples after which memory begins anew, once a whole window is ordinary; 0: never",
        ),
        Option(
            name="linear_variance",
            default=0.9,
            low=0.0,
            high=1.0,
            help="share of the variance that the components keep",
        ),
    ),
    memory="carried",
    check=check_values,
    default_window=16,
    default_latent=8,
    default_parts=(LINEAR, PREDICTION, DAILY + MAYBE),
)
