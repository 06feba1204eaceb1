"""Recipes: what is fixed beforehand for which shape of data, and what cannot be one."""

from __future__ import annotations

import json

import pytest

from models.errors import SpecError
from models.recipe import Recipe, fixed, window_for
from models.scores import ScoreOptions


class TestRecipe:
    def test_it_says_what_to_build(self):
        recipe = Recipe(name="x", architecture="streaming", options={"lags": 3}, units=8, training={"epochs": 2})
        spec = recipe.spec(("a", "b"), longest=1000, period_seconds=60.0, seed=7)
        assert (spec.architecture, spec.options["lags"], spec.window, spec.units, spec.latent) == (
            "streaming", 3, 16, 8, 8,
        )  # fmt: skip
        assert (spec.channels, spec.period_seconds, spec.seed) == (("a", "b"), 60.0, 7)

    def test_its_user_has_the_last_word_on_training(self):
        recipe = Recipe(name="x", architecture="lstm", training={"epochs": 2, "clip": 20.0})
        options = recipe.train_options(epochs=9, threads=1)
        assert (options.epochs, options.clip, options.threads) == (9, 20.0, 1)

    def test_it_can_be_written_down(self):
        written = json.loads(json.dumps(fixed(1, 500).to_dict()))
        assert (written["architecture"], written["score"]["parts"]) == ("pca", ["local", "level"])
        assert written["training"]["clip"] == 1e4

    @pytest.mark.parametrize(
        ("wrong", "message"),
        [
            ({"architecture": "transformer"}, "there is no architecture 'transformer'"),
            ({"architecture": "lstm", "options": {"lags": 3}}, "lstm has no option 'lags'"),
            ({"architecture": "lstm", "training": {"speed": 1}}, "training has no option 'speed'; choose of: .*epochs"),
            ({"architecture": "lstm", "training": {"clip": -1.0}}, "clip is -1.0; it must be above 0"),
        ],
    )
    def test_one_that_cannot_be_followed_is_refused_at_once(self, wrong, message):
        with pytest.raises(SpecError, match=message):
            Recipe(name="x", **wrong)


class TestFixed:
    def test_one_channel_is_judged_by_its_own_past(self):
        assert fixed(1, 100).score == fixed(1, 100_000).score
        assert fixed(1, 100).score == ScoreOptions(parts=("local", "level"), scales=(1, 10), link="surprise")

    def test_several_are_judged_by_the_autoregression(self):
        recipe = fixed(8, 20_000)
        assert (recipe.architecture, recipe.score.parts, recipe.calibration.method) == (
            "autoregression", ("reconstruction", "daily?"), "budget",
        )  # fmt: skip

    def test_few_rows_have_no_tail_to_take_a_threshold_from(self):
        short, enough = fixed(8, 999), fixed(8, 1000)
        assert (short.calibration.method, short.calibration.quantile) == ("quantile", 0.99)
        assert short.train_options().folds == 4
        assert (enough.calibration.method, enough.train_options().folds) == ("budget", 0)


@pytest.mark.parametrize(("longest", "most", "window"), [(10_000, 64, 64), (300, 64, 25), (20, 64, 8), (300, 10, 10)])
def test_a_window_is_short_where_data_is(longest, most, window):
    assert window_for(longest, most) == window
