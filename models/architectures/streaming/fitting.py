"""Fitting the streaming autoencoder: what is linear in closed form, the rest through chunks of each series.

Gradients flow back to the beginning of a chunk, and the memory goes on into the next one: truncated backpropagation
through time, after Williams and Peng, "An Efficient Gradient-Based Algorithm for On-Line Training of Recurrent Network
Trajectories" (Neural Computation 2(4), 1990).
"""

from __future__ import annotations

from models.architectures.streaming.network import AUTOREGRESSION, COMPONENTS, STATES, LinearShape, unroll
from models.fitting.carried import CarriedObjective, CarriedShape, chunk_lanes
from models.fitting.chunks import ChunkBank
from models.fitting.linear import fit_autoregression, fit_components, set_dense
from models.fitting.task import Fitted, FittingTask
from models.renewal import Renewal

_MOST_LINEAR_ROWS = 50_000
"""Linear paths are fitted to at most so many windows, spread evenly."""
RIDGE = 1e-3
DEFAULT_EPOCHS = 20


def fit(task: FittingTask) -> Fitted:
    """Fit the linear paths in closed form, then the network, through its unrolled form."""
    spec, options, shape = task.spec, task.spec.options, LinearShape.of(task.spec)
    chunk = int(options["chunk"])
    lanes = chunk_lanes(chunk, spec.window, len(spec.channels))
    bank = ChunkBank(task.series, task.scaler, spec.window, chunk, lanes)
    if options["highway"] or options["linear"] == AUTOREGRESSION:
        weights, intercepts = fit_autoregression(bank.tails(shape.lags + 1, _MOST_LINEAR_ROWS), RIDGE)
        set_dense(task.model, AUTOREGRESSION, weights, intercepts)
    tails = bank.tails(shape.rows, _MOST_LINEAR_ROWS)
    if options["linear"] == COMPONENTS:
        kept, mean = fit_components(tails.reshape(len(tails), -1), shape.components, float(options["linear_variance"]))
        set_dense(task.model, COMPONENTS, kept, -mean @ kept)
        set_dense(task.model, "linear", kept.T, mean)
    objective = CarriedObjective(
        task.model,
        unroll(task.model, spec),
        bank,
        CarriedShape(
            window=spec.window,
            lags=shape.lags,
            states=dict.fromkeys(STATES[str(options["cell"])], spec.units),
            prediction_weight=float(options["prediction_weight"]),
        ),
    )
    result = task.minimise(objective, task.options.epochs or DEFAULT_EPOCHS)
    samples = int(options["renew_after"])
    return Fitted(task.model, result, Renewal.fit(tails[:, -1], samples) if samples else None)
