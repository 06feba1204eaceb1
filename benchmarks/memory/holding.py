"""Holding a symbol: say at every step which symbol came last, however long ago, while noise goes on.

The latch of Bengio, Simard and Frasconi ("Learning long-term dependencies with gradient descent is difficult", 1994),
with four symbols. It is learned from chunks that are far shorter than the time to be bridged. Either the memory goes on
from chunk to chunk, as in a streaming model (truncated backpropagation through time, Williams and Peng 1990), or it
begins anew with each, as in a window model, to which a symbol is lost that came before its window.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from models.backend import load_keras, load_tensorflow
from models.fitting.objective import Batch

Float32 = npt.NDArray[np.float32]
Int32 = npt.NDArray[np.int32]

SYMBOLS = 4
CHANCE = 1 / SYMBOLS
NOISE_CHANNELS = 2
SOLVED = 0.01
"""Held-out cross-entropy at which training ends, in nats."""
CHUNK = 100
LANES = 32
CHUNKS_PER_EPOCH = 50
LAGS = (50, 90, 150, 500, 1000)
"""How long ago the symbol was, when the answer is looked at."""
_SHORTEST, _LONGEST = 10, 1500
_TESTED = 400
_HELD_OUT_CHUNKS = 10


class Source:
    """Endless series, one per lane, in each of which a symbol comes after times that are log-uniform.

    Args:
        random: Generator.
        lanes: How many.
    """

    def __init__(self, random: np.random.Generator, lanes: int) -> None:
        self._random, self._lanes = random, lanes
        self._left = random.integers(1, _SHORTEST, lanes)
        self._held = np.full(lanes, -1)

    def take(self, steps: int) -> tuple[Float32, Int32]:
        """The next steps.

        Returns:
            float32[lanes, steps, channels], and int32[lanes, steps], the symbol that is held; -1 before the first.
        """
        random, lanes = self._random, self._lanes
        rows = np.zeros((lanes, steps, SYMBOLS + NOISE_CHANNELS), np.float32)
        rows[:, :, SYMBOLS:] = random.normal(size=(lanes, steps, NOISE_CHANNELS))
        held = np.empty((lanes, steps), np.int32)
        for step in range(steps):
            self._left -= 1
            due = np.flatnonzero(self._left <= 0)
            self._held[due] = random.integers(SYMBOLS, size=due.size)
            rows[due, step, self._held[due]] = 1.0
            self._left[due] = np.exp(random.uniform(np.log(_SHORTEST), np.log(_LONGEST), due.size)).astype(int)
            held[:, step] = self._held
        return rows, held


class Holding:
    """The task as an objective of the training loop.

    Args:
        cell: Name of a recurrent layer in Keras.
        units: Width.
        carried: Whether the memory goes on from chunk to chunk.
        seed: Of weights and held-out series.
    """

    def __init__(self, cell: str, units: int, carried: bool, seed: int) -> None:
        keras, tf = load_keras(), load_tensorflow()
        keras.utils.set_random_seed(seed)
        layer = getattr(keras.layers, cell)(units, return_sequences=True, return_state=True, name="memory")
        widths = [units, units] if cell == "LSTM" else [units]
        rows = keras.Input((None, SYMBOLS + NOISE_CHANNELS), name="rows")
        states = [keras.Input((width,), name=f"state_{number}") for number, width in enumerate(widths)]
        memories, *following = layer(rows, initial_state=states)
        logits = keras.layers.Dense(SYMBOLS, name="symbol")(memories)
        self._model = keras.Model([rows, *states], [logits, *following])
        self._carried, self._seed, self._widths = carried, seed, widths
        self._lanes = [tf.Variable(tf.zeros([LANES, width]), trainable=False) for width in widths]
        self._source: Source | None = None
        held_out = Source(np.random.default_rng(20_000 + seed), LANES).take(CHUNK * _HELD_OUT_CHUNKS)
        self._held_out = held_out if carried else (_chunked(held_out[0]), _chunked(held_out[1]))

    @property
    def model(self) -> Any:
        """From rows and states to logits and states."""
        return self._model

    @property
    def signature(self) -> tuple[Any, ...]:
        """Rows and what is held."""
        tf = load_tensorflow()
        channels = SYMBOLS + NOISE_CHANNELS
        return tf.TensorSpec([None, None, channels], tf.float32), tf.TensorSpec([None, None], tf.int32)

    def batches(self, epoch: int, epochs: int, random: np.random.Generator) -> tuple[int, Iterator[Batch]]:  # noqa: ARG002
        """The series go on from epoch to epoch."""
        if self._source is None:
            self._source = Source(random, LANES)
        source = self._source
        return CHUNKS_PER_EPOCH, (source.take(CHUNK) for _ in range(CHUNKS_PER_EPOCH))

    def held_out(self) -> Iterator[Batch]:
        """The same series every time, from an empty memory on."""
        yield self._held_out

    def settled(self, epoch: int, epochs: int) -> bool:  # noqa: ARG002
        """Training goes on to its end."""
        return False

    def loss(self, batch: Batch, *, training: bool) -> Mapping[str, Any]:
        """Cross-entropy at every step, once there was a symbol."""
        tf = load_tensorflow()
        rows, held = batch
        goes_on = self._carried and training
        states = [lane.value() for lane in self._lanes] if goes_on else self._empty(tf.shape(rows)[0])
        logits, *following = self._model([rows, *states], training=training)
        if goes_on:
            for lane, state in zip(self._lanes, following, strict=True):
                lane.assign(tf.stop_gradient(state))
        known = tf.cast(held >= 0, tf.float32)
        losses = tf.nn.sparse_softmax_cross_entropy_with_logits(labels=tf.maximum(held, 0), logits=logits)
        weight = tf.maximum(tf.reduce_sum(known), 1.0)
        return {"loss": tf.reduce_sum(losses * known) / weight, "weight": weight}

    def accuracy(self) -> dict[int, float]:
        """Share of right answers by lag; a window model sees the chunk that its answer ends."""
        random = np.random.default_rng(30_000 + self._seed)
        longest = max(LAGS)
        rows = np.zeros((_TESTED, longest + 1, SYMBOLS + NOISE_CHANNELS), np.float32)
        rows[:, :, SYMBOLS:] = random.normal(size=(_TESTED, longest + 1, NOISE_CHANNELS))
        symbols = random.integers(SYMBOLS, size=_TESTED)
        rows[np.arange(_TESTED), 0, symbols] = 1.0
        if self._carried:
            logits = self._answers(rows)
            answers = {lag: logits[:, lag] for lag in LAGS}
        else:
            answers = {lag: self._answers(rows[:, max(0, lag + 1 - CHUNK) : lag + 1])[:, -1] for lag in LAGS}
        return {lag: float((found.argmax(axis=1) == symbols).mean()) for lag, found in answers.items()}

    def _answers(self, rows: Float32) -> Float32:
        tf = load_tensorflow()
        function = tf.function(
            lambda rows: self._model([rows, *self._empty(rows.shape[0])], training=False)[0], autograph=False
        )
        return np.asarray(function(tf.constant(rows)), np.float32)

    def _empty(self, count: Any) -> list[Any]:
        tf = load_tensorflow()
        return [tf.zeros([count, width]) for width in self._widths]


def _chunked(rows: Any) -> Any:
    """[lanes, chunks * CHUNK, ...] as [lanes * chunks, CHUNK, ...]."""
    return rows.reshape(-1, CHUNK, *rows.shape[2:])
