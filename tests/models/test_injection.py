from __future__ import annotations

import numpy as np
import pytest

from models.chain import Chain
from models.errors import SpecError
from models.injection import BENIGN, FAULTS, KINDS, Trial, average_precision, inject, injected_precision, precision
from models.outputs import Output
from models.scaling import Scaler
from models.scores import PartErrors, ScoreRule
from models.segments import cut

ROWS = 1500
SECOND_NS = 1_000_000_000


@pytest.fixture(scope="module")
def values():
    """Two channels that go together, one that never moves, one of noise."""
    steps, noise = np.arange(ROWS), np.random.default_rng(0)
    wave = np.sin(steps / 12)
    found = np.stack([wave, 5 + 3 * wave, np.full(ROWS, 7.0), noise.normal(size=ROWS)], axis=1)
    found[:, :2] += noise.normal(scale=0.05, size=(ROWS, 2))
    found[700:705, 0] = np.nan
    return found


@pytest.fixture(scope="module")
def spread(values):
    return Scaler.fit({"": values}).scale[1]


@pytest.mark.parametrize("kind", KINDS)
def test_a_change_leaves_all_else_untouched(values, kind) -> None:
    found = inject(values, 1, [kind])
    assert {change.kind for change in found.changes} == {kind}
    touched = np.zeros(values.shape, np.bool_)
    for change in found.changes:
        touched[change.start : change.stop, list(change.channels)] = True
        there = slice(change.start, change.stop)
        assert (np.nan_to_num(found.values[there]) != np.nan_to_num(values[there]))[:, list(change.channels)].any()
        assert found.labels[there].all() == KINDS[kind].is_fault
        assert not found.judged[change.stop : change.stop + 30].any()
    assert np.array_equal(found.values[~touched], values[~touched], equal_nan=True)
    assert np.array_equal(np.isnan(found.values), np.isnan(values))
    # What never moves is not asked to.
    assert not any(2 in change.channels for change in found.changes)
    assert found.changes[0].start >= 256


def of(values, kind, spread):
    """By change: what was, and what is, in spreads, of its first channel."""
    found = inject(values, 5, [kind])
    for change in found.changes:
        there, channel = slice(change.start, change.stop), change.channels[0]
        if not np.isnan(values[there, channel]).any():
            yield values[there, channel] / spread[channel], found.values[there, channel] / spread[channel], change


def test_a_spike_is_brief_and_far_off(values, spread) -> None:
    for before, after, change in of(values, "spike", spread):
        assert change.stop - change.start <= 3
        assert (np.abs(after - before) >= 3).all()
        assert (np.abs(after - before) <= 8).all()


def test_a_shift_is_the_same_all_along_and_a_drift_grows(values, spread) -> None:
    for before, after, _ in of(values, "shift", spread):
        assert np.ptp(after - before) == pytest.approx(0, abs=1e-9)
    for before, after, _ in of(values, "drift", spread):
        away = np.abs(after - before)
        assert away[0] == 0
        assert (np.diff(away) > 0).all()
        assert away[-1] >= 1.5


def test_a_freeze_repeats_the_last_reading(values) -> None:
    found = inject(values, 2, ["freeze"])
    for change in found.changes:
        held = found.values[change.start : change.stop, list(change.channels)]
        known = ~np.isnan(held)
        assert (held == values[change.start - 1, list(change.channels)])[known].all()


def test_noise_scatters_and_a_flat_stretch_does_not_swing(values, spread) -> None:
    assert all(np.std(after - before) > 0.4 for before, after, _ in of(values, "noise", spread))
    stretches = list(of(values, "flatten", spread))
    assert stretches
    assert all(np.std(after) < 0.75 * np.std(before) for before, after, change in stretches)
    # Noise has no rhythm that it could lose.
    assert not any(change.channels == (3,) for _, _, change in stretches)


def test_a_change_of_correlation_takes_what_channels_do_at_other_times(values) -> None:
    found = inject(values, 3, ["correlation"])
    for change in found.changes:
        assert set(change.channels) <= {0, 1}
        for channel in change.channels:
            middle = found.values[change.start + 8 : change.stop - 8, channel]
            assert np.isin(middle, values[:, channel]).all() or np.isnan(middle).any()
    assert inject(values[:, :1], 3, ["correlation"]).changes == ()


def test_another_pace_stays_within_the_values(values) -> None:
    for kind in ("slower", "faster"):
        for change in inject(values, 3, [kind]).changes:
            assert change.stop - change.start >= 8


def test_dropout_falls_to_zero_and_saturation_ends_at_a_limit(values) -> None:
    found = inject(values, 4, ["dropout"])
    five = [change for change in found.changes if 1 in change.channels]
    assert five
    for change in five:
        now = found.values[change.start : change.stop, 1]
        assert now.min() == min(values[:, 1].min(), 0)
        assert (now == values[change.start : change.stop, 1]).any()
    for change in inject(values, 4, ["saturation"]).changes:
        new = inject(values, 4, ["saturation"]).values[change.start : change.stop, list(change.channels)]
        assert (np.nanmax(new) < np.nanmax(values[:, list(change.channels)])) or (
            np.nanmin(new) > np.nanmin(values[:, list(change.channels)])
        )


def test_benign_changes_are_small(values, spread) -> None:
    for kind in ("wander", "unrest"):
        for before, after, _ in of(values, kind, spread):
            assert np.abs(after - before).max() < 2.5
            assert np.abs(after - before).mean() < 0.55
    assert BENIGN == ("wander", "unrest", "timing")
    assert len(FAULTS) == 11


def test_the_seed_says_what_is_drawn(values) -> None:
    one, again, other = (inject(values, seed) for seed in (1, 1, 2))
    assert np.array_equal(one.values, again.values, equal_nan=True)
    assert one.changes == again.changes
    assert one.changes != other.changes


def test_where_nothing_moves_or_there_is_no_room_nothing_is_injected() -> None:
    assert inject(np.ones((500, 2)), 0).changes == ()
    assert inject(np.full((500, 2), np.nan), 0).changes == ()
    assert inject(np.random.default_rng(0).normal(size=(20, 2)), 0).changes == ()


def test_a_kind_that_is_unknown_is_told() -> None:
    with pytest.raises(SpecError, match="no kind of injection 'gremlin'; choose of: spike, shift"):
        inject(np.ones((10, 1)), 0, ["gremlin"])


@pytest.mark.parametrize(
    ("scores", "labels", "expected"),
    [
        ([3, 2, 1], [1, 0, 0], 1.0),
        ([3, 2, 1], [0, 0, 1], 1 / 3),
        ([4, 3, 2, 1], [1, 0, 1, 0], (1 + 2 / 3) / 2),
        ([1, 1, 1, 1], [1, 0, 0, 0], 0.25),  # equal scores tell nothing apart
        ([-np.inf, 1], [1, 0], 0.5),
    ],
)
def test_average_precision(scores, labels, expected) -> None:
    found = average_precision(np.array(scores, np.float64), np.array(labels, np.bool_))
    assert found == pytest.approx(expected)


def test_precision_counts_kinds_alike_and_says_what_was_found(values) -> None:
    injected = inject(values, 1, ["spike", "freeze", "wander"])
    perfect, blind = np.zeros(ROWS), np.zeros(ROWS)
    for change in injected.changes:
        if change.kind == "spike":
            perfect[change.start : change.stop] = blind[change.start : change.stop] = 9.0
        elif change.kind == "freeze":
            perfect[change.start : change.stop] = 5.0
        else:
            blind[change.start : change.stop] = 20.0
    best, worse = (precision([score], [injected], threshold=4.0) for score in (perfect, blind))
    assert (best.overall, best.by_kind, best.benign) == (1.0, {"spike": 1.0, "freeze": 1.0}, {"wander": 0.0})
    assert all(found == total for found, total in best.found.values())
    assert worse.by_kind["spike"] < 0.1
    assert worse.benign == {"wander": 1.0}
    assert worse.found["freeze"][0] == 0
    assert worse.found["spike"] == best.found["spike"]
    # An incident needs more rows in a row than a spike has.
    assert precision([perfect], [injected], 4.0, open_after=4).found["spike"][0] == 0


class Wave:
    """Expects the wave; or, with a fault, nothing but zeros."""

    state_dtype = None

    def __init__(self, knows):
        self.knows = knows

    def __call__(self, windows, memory=None):
        # The second channel goes with the first.
        made = np.zeros_like(windows)
        made[..., 3] = windows[..., 3] / 2
        if self.knows:
            made[..., 0], made[..., 1] = windows[..., 1], windows[..., 0]
        return Output({"reconstruction": made})


def chain(values, knows):
    rule = ScoreRule((PartErrors("reconstruction", "squared", 1, np.ones(4), 1.0),), (1, 10), "plain", np.ones((1, 2)))
    return Chain(Scaler.fit({"a": values}), Wave(knows), rule)


def test_the_model_that_knows_more_is_more_precise_on_the_same_faults(values) -> None:
    segments = {"a": cut(np.arange(ROWS) * SECOND_NS, values, SECOND_NS, 5)}
    better, worse = (injected_precision(chain(values, knows), segments, 8, 0.5) for knows in (True, False))
    assert set(better.by_kind) == set(FAULTS)
    assert better.by_kind["correlation"] > worse.by_kind["correlation"] + 0.2
    assert better.by_kind["shift"] > worse.by_kind["shift"]
    again = injected_precision(chain(values, True), segments, 8, 0.5)
    assert again.to_dict() == better.to_dict()


def test_a_trial_is_dealt_evenly_and_keeps_to_its_rows(values) -> None:
    segments = {"a": cut(np.arange(ROWS) * SECOND_NS, values, SECOND_NS, 5)}
    trial = Trial.of(segments, 0, max_rows=6000)
    assert sorted(trial.data) == ["0/a", "1/a", "2/a", "3/a"]
    kinds = [change.kind for parts in trial.injected.values() for part in parts for change in part.changes]
    counts = [kinds.count(kind) for kind in KINDS]
    assert min(counts) >= 1
    assert max(counts) - min(counts) <= 2
    # The latest rows of long series, and some of many.
    short = Trial.of(segments, 0, max_rows=800)
    assert [len(part.values) for part in short.data["0/a"]] == [800]
    many = Trial.of({str(number): segments["a"] for number in range(9)}, 0, max_rows=1500)
    assert sorted(many.series.values()) == ["0", "4", "8"]
