"""Memory horizon: how many steps back what a model says now depends on what it was given.

The measure is the sensitivity of the last output row to each earlier input row: the Frobenius norm of the Jacobian,
root of the mean square over sequences, by lag. Where it has decayed, nothing can be learned across that distance either
(Hochreiter, "Untersuchungen zu dynamischen neuronalen Netzen", 1991; Bengio, Simard and Frasconi, "Learning long-term
dependencies with gradient descent is difficult", 1994).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from models.backend import load_tensorflow
from models.fields import array, known_keys
from models.outputs import NEXT_PREFIX, PREDICTION, RECONSTRUCTION, STATE_PREFIX

Float32 = npt.NDArray[np.float32]
Float64 = npt.NDArray[np.float64]

PROJECTIONS = 8
"""Outputs beyond this many are measured through so many random combinations of them."""
CARRIED_STEPS = 1024
"""How far back a model with carried memory is looked at."""
_LONGEST_EAGER = 128
"""Compiling a graph costs a second or two, and pays only for long sequences."""


@dataclass(frozen=True, slots=True, eq=False)
class Horizon:
    """Sensitivity of an output to its inputs, by lag.

    Attributes:
        norms: float64[lags]; entry ``k`` is the norm of the Jacobian by the input ``k`` steps before the last.
    """

    norms: Float64

    @property
    def shares(self) -> Float64:
        """float64[lags]; the norms as shares of the largest."""
        peak = float(self.norms.max())
        return self.norms / peak if peak > 0 else np.zeros_like(self.norms)

    def reach(self, share: float) -> float | None:
        """Lag from which on the sensitivity stays below ``share`` of its largest.

        Between two lags the decay is taken to be exponential, so that a memory that decays as ``a ** lag`` gives
        exactly ``log(share) / log(a)``.

        Returns:
            Steps; None where the oldest input that was looked at still has so much influence, or the output depends on
            no input.
        """
        shares = self.shares
        above = np.flatnonzero(shares >= share)
        if not above.size or above[-1] == len(shares) - 1:
            return None
        last = int(above[-1])
        high, low = float(shares[last]), float(shares[last + 1])
        if low == 0.0:
            return float(last + 1)
        return last + float(np.log(high / share) / np.log(high / low))

    @property
    def half_life(self) -> float | None:
        """`reach` of a half."""
        return self.reach(0.5)

    @property
    def reach_5_percent(self) -> float | None:
        """`reach` of a twentieth."""
        return self.reach(0.05)

    def to_dict(self) -> dict[str, object]:
        """Plain values for JSON, with what follows from them."""
        return {
            "half_life": self.half_life,
            "reach_5_percent": self.reach_5_percent,
            "norms": [float(f"{norm:.6g}") for norm in self.norms],
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, object]) -> Horizon:
        """Read what `to_dict` wrote.

        Raises:
            SpecError: a key is unknown or missing, or a value does not fit.
        """
        known_keys(data, {"half_life", "reach_5_percent", "norms"}, "memory horizon")
        return cls(array(data, "norms", 1))


def measure(function: Callable[[Any], Any], sequences: Float32, outputs: int, seed: int = 0) -> Horizon:
    """Measure how far back a function of sequences looks.

    Of up to `PROJECTIONS` outputs the Jacobian is exact. Of more, its norm is estimated by random combinations of them
    with signs (Hutchinson, "A stochastic estimator of the trace of the influence matrix", 1990), which is unbiased in
    the square.

    Args:
        function: From a tensor float32[n, time, channels] to a tensor float32[n, outputs], differentiable, each row
            from its own sequence alone.
        sequences: float32[n, time, channels].
        outputs: How many there are.
        seed: Of the signs.
    """
    combinations = _combinations(outputs, seed)
    return Horizon(np.sqrt(_squares(function, sequences, combinations).sum(axis=0)))


def measure_model(model: Any, sequences: Float32, seed: int = 0) -> dict[str, Horizon]:
    """Measure a model by what it says of the last sample, and of the next one if it predicts.

    Args:
        model: Keras model of the contract in `models.outputs`.
        sequences: float32[n, time, channels], scaled; ``time`` is the window of a model without memory; one with
            carried memory reads them from a state of zeros.
        seed: Of the signs.

    Returns:
        By part: ``reconstruction`` (its last row), and ``prediction`` where there is one.
    """
    tf = load_tensorflow()
    named = model.output if isinstance(model.output, Mapping) else {RECONSTRUCTION: model.output}
    parts = [part for part in (RECONSTRUCTION, PREDICTION) if part in named]
    run = _carried(model) if len(model.inputs) > 1 else _windowed(model)

    def function(inputs: Any) -> Any:
        outputs = run(inputs)
        return tf.concat([outputs[part][:, -1] for part in parts], axis=-1)

    # All parts in one function, which is compiled but once; a combination looks at one of them.
    each = _combinations(sequences.shape[2], seed)
    whole: Float64 = np.kron(np.eye(len(parts)), each).astype(np.float64)
    squares = _squares(function, sequences, whole)
    return {
        part: Horizon(np.sqrt(found.sum(axis=0)))
        for part, found in zip(parts, np.split(squares, len(parts)), strict=True)
    }


def _combinations(outputs: int, seed: int) -> Float64:
    """float64[combinations, outputs]; the squares of the gradients of all of them add up to the Jacobian's."""
    if outputs <= PROJECTIONS:
        return np.eye(outputs)
    signs: Float64 = np.random.default_rng(seed).choice([-1.0, 1.0], (PROJECTIONS, outputs))
    return signs / float(np.sqrt(PROJECTIONS))


def _squares(function: Callable[[Any], Any], sequences: Float32, combinations: Float64) -> Float64:
    """float64[combinations, lags]; squared norm of each one's gradient by the inputs, mean over sequences."""
    tf = load_tensorflow()
    inputs = tf.constant(sequences, tf.float32)

    def squares(inputs: Any, weights: Any) -> Any:
        with tf.GradientTape() as tape:
            tape.watch(inputs)
            value = tf.reduce_sum(function(inputs) * weights)
        gradient = tape.gradient(value, inputs, unconnected_gradients=tf.UnconnectedGradients.ZERO)
        return tf.reduce_mean(tf.reduce_sum(tf.square(gradient), axis=-1), axis=0)

    if sequences.shape[1] > _LONGEST_EAGER:
        squares = tf.function(squares, autograph=False)
    found = [squares(inputs, tf.constant(weights, tf.float32)).numpy() for weights in combinations]
    by_lag: Float64 = np.stack(found).astype(np.float64)[:, ::-1]
    return by_lag


def sequence_length(window: int, carried: bool) -> int:
    """How many rows a sequence should have."""
    return CARRIED_STEPS if carried else window


def spread_sequences(stretches: Sequence[Float32], length: int, count: int) -> Float32:
    """Cut sequences out of unbroken stretches of scaled rows, spread evenly over all of them.

    Args:
        stretches: float32[rows, channels] each, without NaN.
        length: Rows of a sequence; the longest stretch's rows if that is shorter.
        count: At most so many.

    Returns:
        float32[n, length, channels].
    """
    length = min(length, max(len(stretch) for stretch in stretches))
    fitting = [stretch for stretch in stretches if len(stretch) >= length]
    ends = np.cumsum([len(stretch) - length + 1 for stretch in fitting])
    places = np.unique(np.linspace(0, ends[-1] - 1, min(count, int(ends[-1]))).astype(np.int64))
    found = []
    for place in places.tolist():
        number = int(np.searchsorted(ends, place, side="right"))
        start = place - (int(ends[number - 1]) if number else 0)
        found.append(fitting[number][start : start + length])
    return np.stack(found)


def _windowed(model: Any) -> Callable[[Any], Mapping[str, Any]]:
    def run(windows: Any) -> Mapping[str, Any]:
        outputs = model(windows, training=False)
        return outputs if isinstance(outputs, Mapping) else {RECONSTRUCTION: outputs}

    return run


def _carried(model: Any) -> Callable[[Any], Mapping[str, Any]]:
    """The model over a sequence, step by step, from a state of zeros on; before the first row there are zeros."""
    tf = load_tensorflow()
    first, *states = model.inputs
    window = int(first.shape[1])
    names = [str(state.name).removeprefix(STATE_PREFIX) for state in states]

    def run(rows: Any) -> Mapping[str, Any]:
        steps, count = rows.shape[1], tf.shape(rows)[0]
        padded = tf.pad(rows, [[0, 0], [window - 1, 0], [0, 0]])

        def advance(step: Any, *memory: Any) -> tuple[Any, ...]:
            seen = padded[:, step : step + window]
            seen.set_shape([None, window, rows.shape[-1]])
            made = model([seen, *memory], training=False)
            return (step + 1, *(made[NEXT_PREFIX + name] for name in names))

        zeros = [tf.zeros([count, int(state.shape[-1])]) for state in states]
        _, *memory = tf.while_loop(lambda step, *_: step < steps - 1, advance, [tf.constant(0), *zeros])
        outputs: Mapping[str, Any] = model([padded[:, steps - 1 :], *memory], training=False)
        return outputs

    return run
