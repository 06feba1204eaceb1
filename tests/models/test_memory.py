from __future__ import annotations

import numpy as np
import pytest

from models.memory import Memory, combine, new_states
from models.runtimes.carried import CarriedRuntime
from models.runtimes.graph import Graph
from models.runtimes.windowed import WindowRuntime

LENGTH, CHANNELS = 4, 2


def step(tensors):
    """A leaky sum of the rows; it predicts that the next row is the sum, and rebuilds windows as they are."""
    row, total = tensors["windows"][:, -1], tensors["state_total"]
    after = np.float32(0.5) * total + row
    return {"reconstruction": tensors["windows"], "prediction": after[:, None], "next_total": after}


@pytest.fixture
def runtime():
    shape = (LENGTH, CHANNELS)
    graph = Graph(
        {"windows": shape, "state_total": (CHANNELS,)},
        {"reconstruction": shape, "prediction": (1, CHANNELS), "next_total": (CHANNELS,)},
        step,
    )
    return CarriedRuntime(graph, (8, 64))


def sums(rows):
    """The leaky sum after each row, by the book."""
    found, total = [], np.zeros(CHANNELS, np.float32)
    for row in rows:
        total = np.float32(0.5) * total + row
        found.append(total)
    return np.array(found)


def series(rows, seed=0):
    return np.random.default_rng(seed).normal(size=(rows, CHANNELS)).astype(np.float32)


def windows_of(rows, stride=1):
    ends = np.arange(LENGTH, len(rows) + 1, stride)
    return np.stack([rows[end - LENGTH : end] for end in ends])


class TestRounds:
    def test_each_series_once_a_round_and_its_windows_in_order(self):
        memory = Memory(new_states(np.dtype([("a", "f4")]), 9), np.array([7, 3, 7, 7, 3, 0]), np.ones(6, int))
        assert [chosen.tolist() for chosen in memory.rounds()] == [[0, 1, 5], [2, 4], [3]]

    def test_no_windows_need_no_round(self):
        memory = Memory(new_states(np.dtype([("a", "f4")]), 1), np.empty(0, int), np.empty(0, int))
        assert list(memory.rounds()) == []


class TestCombine:
    def test_what_carries_nothing_has_no_field(self):
        inner = np.dtype([("total", "<f4", (3,))])
        assert combine(model=inner, score=None) == np.dtype([("model", inner)])
        assert combine(model=None, score=None) is None

    def test_a_part_is_a_view(self):
        dtype = combine(model=np.dtype([("total", "<f8")]))
        memory = Memory(new_states(dtype, 2), np.array([1]), np.array([0]))
        memory.part("model").states["total"][1] = 5
        assert memory.states.tobytes()[8:] == np.float64(5).tobytes()


class TestCarried:
    def test_memory_reads_the_first_window_and_then_each_row_once(self, runtime):
        rows = series(30)
        windows, expected = windows_of(rows), sums(rows)
        memory = Memory(new_states(runtime.state_dtype, 1), np.zeros(27, int), np.r_[0, np.ones(26, int)])
        output = runtime(windows, memory)
        assert (output.parts["prediction"][:, 0] == expected[LENGTH - 2 : -1]).all()
        assert (output.reconstruction == windows).all()
        assert (memory.states["total"][0] == expected[-1]).all()

    def test_several_new_rows_are_read_one_by_one(self, runtime):
        rows = series(28)
        memory = Memory(new_states(runtime.state_dtype, 1), np.zeros(9, int), np.r_[0, np.full(8, 3)])
        output = runtime(windows_of(rows, stride=3), memory)
        assert (output.parts["prediction"][:, 0] == sums(rows)[LENGTH - 2 : -1 : 3]).all()

    @pytest.mark.parametrize("steps", [0, LENGTH + 1])
    def test_what_is_not_continued_begins_anew(self, runtime, steps):
        rows = series(20)
        states = new_states(runtime.state_dtype, 1)
        states["total"] = 99
        runtime(rows[None, -LENGTH:], Memory(states, np.array([0]), np.array([steps])))
        assert (states["total"][0] == sums(rows[-LENGTH:])[-1]).all()

    def test_without_memory_each_window_stands_for_itself(self, runtime):
        windows = windows_of(series(10))
        output = runtime(windows)
        assert (output.parts["prediction"][:, 0] == [sums(window)[-2] for window in windows]).all()

    @pytest.mark.parametrize("seed", range(5))
    def test_the_same_however_windows_are_put_together(self, runtime, seed):
        random = np.random.default_rng(seed)
        many = [windows_of(series(20, number)) for number in range(6)]
        order = random.permutation(np.repeat(np.arange(6), 17))
        turns = np.array([(order[:index] == number).sum() for index, number in enumerate(order)])
        windows = np.stack([many[number][turn] for number, turn in zip(order, turns, strict=True)])
        steps = (turns > 0).astype(int)
        together = new_states(runtime.state_dtype, 6)
        whole = runtime(windows, Memory(together, order, steps))
        apart = new_states(runtime.state_dtype, 6)
        cuts = np.sort(random.choice(np.arange(1, len(order)), 9, replace=False))
        parts = [
            runtime(windows[piece], Memory(apart, order[piece], steps[piece]))
            for piece in np.split(np.arange(len(order)), cuts)
        ]
        for name, tensor in whole.parts.items():
            assert np.concatenate([part.parts[name] for part in parts]).tobytes() == tensor.tobytes()
        assert apart.tobytes() == together.tobytes()


def test_a_window_model_needs_no_memory():
    shape = (LENGTH, CHANNELS)
    graph = Graph(
        {"windows": shape},
        {"reconstruction": shape, "penalty": ()},
        lambda tensors: {"reconstruction": -tensors["windows"], "penalty": tensors["windows"].sum(axis=(1, 2))},
    )
    windows = windows_of(series(9))
    runtime = WindowRuntime(graph, (8,))
    output = runtime(windows)
    assert runtime.state_dtype is None
    assert (output.reconstruction == -windows).all()
    assert np.array_equal(output.penalty, windows.sum(axis=(1, 2)))
