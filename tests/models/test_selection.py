from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from models.errors import TrainingError
from models.injection import FAULTS, Precision
from models.recipe import Recipe
from models.scores import ScoreOptions
from models.selection import select
from models.selection.attempts import Attempt, Outcome
from models.selection.candidates import Candidate, candidates, seedless
from models.selection.choosing import choose, order
from models.selection.gain import Predicted, gain
from models.selection.halving import Search, search
from models.selection.ranking import aggregate, ranks
from models.selection.together import Together
from models.selection.workbench import Workbench

SECOND_NS = 1_000_000_000


def candidate(name, architecture="lstm", score=None) -> Candidate:
    return Candidate(Recipe(name=name, architecture=architecture), (score or ScoreOptions(),))


def outcome(one: Candidate, overall, lifted=0.01, late=0.01, gain=None) -> Outcome:
    precision = Precision(overall, dict.fromkeys(FAULTS, overall), {"wander": lifted}, {"spike": (1, 2)})
    return Outcome(one.with_score(one.scores[0]), precision, late, gain)


class Time:
    """Stands still unless somebody trains."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


class Trainer:
    """Better with epochs, each candidate up to what it can; an epoch takes its seconds."""

    def __init__(self, time, best, seconds=1.0, fails=()):
        self.time, self.best, self.seconds, self.fails, self.done = time, best, seconds, fails, []

    def __call__(self, one, epochs, seed):
        self.done.append((one.name, epochs, seed))
        self.time.now += epochs * self.seconds
        if one.name in self.fails:
            raise TrainingError("it does not fit")
        return (outcome(one, self.best[one.name] * (1 - 0.5 / epochs) + 0.001 * seed),)


FIVE = [candidate("pca", "pca"), *(candidate(name) for name in "abcd")]
BEST = {"pca": 0.3, "a": 0.2, "b": 0.6, "c": 0.4, "d": 0.5}


def run(budget, best=None, **more):
    time = Time()
    trainer = Trainer(time, best or BEST, **more)
    return search(FIVE, trainer, order, budget, time), trainer


def test_the_better_half_goes_on_for_longer_and_finalists_have_two_seeds() -> None:
    found, trainer = run(1e6)
    assert trainer.done == [
        ("pca", 2, 0), ("a", 2, 0), ("b", 2, 0), ("c", 2, 0), ("d", 2, 0),
        ("b", 8, 0), ("d", 8, 0), ("b", 32, 0), ("d", 32, 0), ("b", 32, 1), ("d", 32, 1),
    ]  # fmt: skip
    assert run(1e6)[0] == found
    assert choose(found, 0, 1.0).recipe.name == "b: own, standardised"


def test_a_search_keeps_to_its_budget() -> None:
    for budget in (1.0, 12.0, 40.0, 90.0):
        found, trainer = run(budget)
        assert trainer.time.now <= max(budget, 2.0)
        assert found.attempts[0].candidate == "pca"
    found, trainer = run(24.0)
    # No time for 8 epochs twice, which would be needed to choose any; but for another seed of the short ones.
    assert trainer.done[5:] == [("b", 2, 1), ("d", 2, 1)]
    assert found.passed_over == dict.fromkeys("bd", "out of time before 8 epochs with seed 0")


def test_a_candidate_that_cannot_be_trained_is_passed_over_and_all_of_them_is_an_error() -> None:
    found, _ = run(1e6, fails=("b",))
    assert found.passed_over["b"] == "it does not fit"
    assert choose(found, 0, 1.0).recipe.name == "d: own, standardised"
    nothing, _ = run(1e6, fails=tuple(BEST))
    with pytest.raises(TrainingError, match="no candidate could be trained: it does not fit"):
        choose(nothing, 0, 1.0)


def chosen(*tried):
    """Of (candidate, overall, lifted, seed) what is chosen."""
    attempts = tuple(
        Attempt(one.name, 2, seed, 1.0, (outcome(one, overall, lifted),)) for one, overall, lifted, seed in tried
    )
    return choose(Search(attempts, {}), 0, 1.0)


PCA = candidate("pca", "pca")
NETWORK = candidate("gru", "gru")
MAHALANOBIS = candidate("autoregression", "autoregression", ScoreOptions(kind="gaussian"))


def test_a_network_has_to_surpass_the_linear_baseline_with_both_seeds() -> None:
    assert chosen((PCA, 0.5, 0.01, 0), (NETWORK, 0.6, 0.01, 0), (NETWORK, 0.6, 0.01, 1)).recipe.architecture == "gru"
    luck = chosen((PCA, 0.5, 0.01, 0), (NETWORK, 0.6, 0.01, 0), (NETWORK, 0.5, 0.01, 1))
    assert luck.recipe.architecture == "pca"
    assert luck.rows[0].note == "not clearly better than pca: own, standardised"
    assert luck.reason.startswith("number 2 of 2, the first that nothing speaks against")
    once = chosen((PCA, 0.5, 0.01, 0), (NETWORK, 0.6, 0.01, 0))
    assert once.rows[0].note == "not tried with a second seed"


def test_the_mahalanobis_distance_is_not_chosen_where_benign_changes_lift_it() -> None:
    assert chosen((PCA, 0.5, 0.01, 0), (MAHALANOBIS, 0.9, 0.03, 0)).recipe.score.kind == "gaussian"
    lifted = chosen((PCA, 0.5, 0.01, 0), (MAHALANOBIS, 0.9, 0.3, 0))
    assert lifted.recipe.architecture == "pca"
    assert lifted.rows[0].note == "benign changes lift 30% of its rows"
    assert lifted.to_dict()["ranking"][0]["note"] == lifted.rows[0].note


def test_nor_where_ordinary_data_of_a_later_time_lifts_it() -> None:
    attempts = (
        Attempt("pca", 2, 0, 1.0, (outcome(PCA, 0.5, late=0.02),)),
        Attempt("autoregression", 2, 0, 1.0, (outcome(MAHALANOBIS, 0.9, late=0.03),)),
    )
    found = choose(Search(attempts, {}), 0, 1.0)
    assert found.recipe.architecture == "pca"
    assert "time lifts it more than pca: own, standardised" in {row.note for row in found.rows}


def test_no_candidate_is_chosen_that_ordinary_data_of_a_later_time_lifts() -> None:
    for late, architecture in ((0.02, "gru"), (0.03, "pca")):
        attempts = tuple(Attempt("gru", 2, seed, 1.0, (outcome(NETWORK, 0.9, late=late),)) for seed in (0, 1))
        found = choose(Search((Attempt("pca", 2, 0, 1.0, (outcome(PCA, 0.5, late=0.015),)), *attempts), {}), 0, 1.0)
        assert found.recipe.architecture == architecture
        assert found.kept == (architecture == "pca")


def test_what_could_not_be_chosen_takes_no_place_of_those_that_are_tried_for_longer() -> None:
    usual = outcome(PCA, 0.5)
    restless, lifted = outcome(NETWORK, 0.9, late=0.5), outcome(MAHALANOBIS, 0.9, lifted=0.5)
    assert order([lifted, restless, outcome(NETWORK, 0.2), outcome(NETWORK, 0.4)], usual)[:2] == [3, 2]
    assert order([], usual) == []


def test_what_a_longer_training_takes_is_told_by_its_epochs_alone() -> None:
    known = replace(outcome(NETWORK, 0.5), epoch_seconds=3.0)
    assert Attempt("gru", 2, 0, 20.0, (known,)).would_take(8) == 38.0
    assert Attempt("gru", 2, 0, 20.0, (outcome(NETWORK, 0.5),)).would_take(8) == 80.0
    tried = Together([Bench(known), Bench(known)])(NETWORK, 2, 0)
    assert tried[0].epoch_seconds == 6.0
    assert Together([Bench(known), Bench(outcome(NETWORK, 0.5))])(NETWORK, 2, 0)[0].epoch_seconds is None


STREAMING = candidate("streaming", "streaming")


@pytest.mark.parametrize(
    ("overall", "gains", "note"),
    [
        # Who knows more about ordinary data need not be better on faults that were made up, only no worse.
        ((0.502, 0.501), (0.03, 0.04), ""),
        ((0.502, 0.499), (0.03, 0.04), "not better than pca: own, standardised"),
        # And who does not is not chosen for them, however well it does.
        ((0.9, 0.9), (0.03, 0.01), "predicts ordinary data no better than the linear model (+0.010 nats)"),
        ((0.9, 0.9), (-0.02, 0.04), "predicts ordinary data no better than the linear model (-0.020 nats)"),
    ],
)
def test_a_network_that_predicts_has_to_predict_better_than_the_linear_model(overall, gains, note) -> None:
    attempts = [Attempt("pca", 2, 0, 1.0, (outcome(PCA, 0.5),))]
    for seed in (0, 1):
        tried = outcome(STREAMING, overall[seed], gain=gains[seed])
        attempts.append(Attempt("streaming", 2, seed, 1.0, (tried,)))
    found = choose(Search(tuple(attempts), {}), 0, 1.0)
    assert found.recipe.architecture == ("pca" if note else "streaming")
    assert found.rows[0].note == note
    told = found.to_dict()["ranking"][0]
    assert (told["gain"], told["other_seed"]) == (min(gains), overall[1])


class TestGain:
    """Two channels, of which the first is predicted twice as well by the network."""

    def predicted(self, **parts):
        noise = np.random.default_rng(0).normal(size=(2000, 2)).astype(np.float32)
        errors = {"linear": noise, "prediction": noise * [0.5, 1.0], "reconstruction": noise * 0}
        sample = np.ones((2000, 2), np.float32)
        found = {name: (sample - error)[:, None].astype(np.float32) for name, error in errors.items()}
        return Predicted(sample, np.ones((2000, 2), np.bool_), found | parts)

    def test_half_the_error_is_a_logarithm_of_two(self):
        assert gain([self.predicted()]) == pytest.approx(np.log(2) / 2, rel=1e-4)
        assert gain([self.predicted(), self.predicted()]) == pytest.approx(np.log(2) / 2, rel=1e-4)

    def test_values_that_do_not_count_and_samples_that_nobody_predicted(self):
        one = self.predicted()
        one.parts["prediction"][:1000] = np.nan
        one.counts[1000:, 0] = False
        # Nothing is left of the first channel.
        assert gain([one]) == pytest.approx(0.0, abs=1e-6)
        one.counts[:] = False
        assert gain([one]) is None

    def test_a_channel_that_never_changes_says_nothing(self):
        one = self.predicted()
        for name in ("linear", "prediction"):
            one.parts[name][:] = 1.0 - 1e-3 * (name == "linear")
        assert gain([one]) == 0.0

    def test_a_model_that_predicts_nothing(self):
        one = self.predicted()
        assert gain([Predicted(one.sample, one.counts, {"reconstruction": one.sample[:, None]})]) is None
        assert gain([]) is None


class Bench:
    """Has its outcomes ready, one for each score of the candidate."""

    def __init__(self, *outcomes: Outcome) -> None:
        self.outcomes = outcomes

    def each(self, one, epochs, seed):
        return self.outcomes


def test_together_every_series_counts_as_much() -> None:
    asked = Candidate(
        Recipe(name="a", architecture="autoregression"),
        tuple(ScoreOptions(parts=parts) for parts in (("reconstruction", "daily?"), ("reconstruction",))),
    )
    with_rhythm, without = (
        Candidate(asked.recipe, (ScoreOptions(parts=parts),))
        for parts in (("reconstruction", "daily"), ("reconstruction",))
    )
    plain = outcome(without, 0.2, lifted=0.1, late=0.0, gain=0.1)
    both = Together([Bench(outcome(with_rhythm, 0.6, lifted=0.3, late=0.04), plain), Bench(plain, plain)])
    first, second = both(asked, 2, 0)
    assert (first.recipe.score, second.recipe.score) == asked.scores
    assert first.precision.overall == pytest.approx(0.4)
    assert first.precision.benign["wander"] == pytest.approx(0.2)
    assert first.precision.found["spike"] == (2, 4)
    assert first.late == pytest.approx(0.02)
    assert (first.gain, second.gain) == (0.1, 0.1)
    # Where no series has a rhythm, it is the same to ask for it, and stays an open question.
    (only,) = Together([Bench(plain, plain)])(asked, 2, 0)
    assert only.recipe.score.parts == ("reconstruction", "daily?")


def test_ranks_and_their_aggregate() -> None:
    assert ranks(np.array([0.1, 0.9, 0.1, np.nan])).tolist() == [2.5, 1.0, 2.5, 4.0]
    agreed = [[0.9, 0.5, 0.1]] * 3
    # One ranking in four is left out, the one that contradicts the others.
    assert aggregate(np.array([*agreed, [0.1, 0.5, 0.9]])).tolist() == [1.0, 2.0, 3.0]
    # Not so if it is certain.
    assert aggregate(np.array(agreed), np.array([[0.1, 0.5, 0.9]] * 3)).tolist() == [2.0, 2.0, 2.0]


def test_linear_baselines_are_always_among_the_candidates() -> None:
    for channels, rows in ((1, 500), (1, 50_000), (5, 500), (5, 50_000)):
        for periodic in (True, False):
            found = candidates(channels, rows, periodic=periodic)
            recipes = [one.with_score(score) for one in found for score in one.scores]
            assert {recipe.architecture for recipe in recipes if seedless(recipe)} == {"autoregression", "pca"}
            assert len({recipe.name for recipe in recipes}) == len(recipes)
            assert any(score.kind == "gaussian" for one in found for score in one.scores) == (channels > 1)
            assert any(one.name == "lstm" for one in found) == (rows > 1000)


@pytest.fixture(scope="module")
def related():
    """Two noisy walks of which the third is the sum: who looks at channels together sees what nobody else does."""
    noise = np.random.default_rng(0)
    two = np.cumsum(noise.normal(size=(1500, 2)), axis=0)
    two = np.sin(two / 4)
    values = np.column_stack([two, two.sum(axis=1)]) + noise.normal(scale=0.02, size=(1500, 3))
    return {"a": (np.arange(1500) * SECOND_NS, values)}


def counter(window):
    return lambda scores, times_ns, threshold: int((scores > threshold).any())


@pytest.mark.keras
def test_the_candidate_that_is_known_to_be_better_is_picked(related) -> None:
    bench = Workbench(related, ("x", "y", "z"), 1.0, counter)
    few, all_of_them = (
        Candidate(Recipe(name=name, architecture="pca", options={"components": count}, window=8), (ScoreOptions(),))
        for name, count in (("few", 8), ("all but one", 23))
    )
    time = Time()
    found = choose(search([all_of_them, few], bench, order, 1.0, time), 0, 1.0)
    assert found.recipe.options["components"] == 8
    assert found.rows[0].overall > found.rows[1].overall
    assert found.rows[0].outcome.epoch_seconds is None
    found_at_threshold = found.rows[0].outcome.precision.found
    assert set(found_at_threshold) == set(FAULTS)
    assert all(0 <= hits <= total for hits, total in found_at_threshold.values())
    assert found_at_threshold["spike"][0] > 0


def test_too_little_data_is_not_tried_on() -> None:
    values = np.random.default_rng(0).normal(size=(120, 2))
    found = select({"a": (np.arange(120) * SECOND_NS, values)}, ("x", "y"), 1.0, counter)
    assert (found.recipe.name, found.rows) == ("linear, short", ())
    assert found.reason == "120 rows have no room for 20 injected faults: the recipe for data of this shape"
