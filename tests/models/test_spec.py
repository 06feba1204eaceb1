from __future__ import annotations

import json

import pytest

from models.architectures import build, names
from models.errors import SpecError
from models.spec import ModelSpec
from models.training import TrainOptions

SPEC = ModelSpec(channels=("cpu", "memory"), period_seconds=0.1, dropout=0.2, seed=7)


def test_json_gives_an_equal_specification_back():
    assert ModelSpec.from_dict(json.loads(json.dumps(SPEC.to_dict()))) == SPEC


def test_period_in_nanoseconds_is_whole():
    assert SPEC.period_ns == 100_000_000
    assert ModelSpec(channels=("a",)).period_ns is None


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"channels": ()}, "at least one channel"),
        ({"channels": ("a", "")}, "a channel has an empty name"),
        ({"channels": ("a", "b", "a")}, "two channels have the same name: a"),
        ({"channels": tuple(map(str, range(1025)))}, "1025 channels are too many; at most 1024"),
        ({"architecture": ""}, "architecture is empty"),
        ({"window": 1}, "window is 1; it must be from 2 to 4096"),
        ({"units": 0}, "units is 0; it must be from 1 to 2048"),
        ({"latent": 4000}, "latent is 4000; it must be from 1 to 2048"),
        ({"period_seconds": 0.0}, "period_seconds is 0.0; it must be above 0"),
        ({"period_seconds": float("inf")}, "period_seconds is inf"),
        ({"dropout": 1.0}, "dropout is 1.0; it must be from 0 to below 1"),
        ({"seed": -1}, "seed is -1; it must be from 0"),
    ],
)
def test_values_out_of_range_are_named(change, message):
    with pytest.raises(SpecError, match=message):
        ModelSpec(**({"channels": ("a",)} | change))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"units": True}, "units is True; it must be an integer"),
        ({"units": "64"}, "units is '64'; it must be an integer"),
        ({"channels": "ab"}, "channels is 'ab'; it must be a list of texts"),
        ({"channels": [1]}, "channels must be a list of texts"),
        ({"dropout": None}, "dropout is None; it must be a finite number"),
        ({"period_seconds": 10**400}, "period_seconds is 1000.*; it must be a finite number"),
        ({"code": "import os"}, "has unknown keys: code"),
    ],
)
def test_what_a_file_may_hold_is_checked(change, message):
    with pytest.raises(SpecError, match=message):
        ModelSpec.from_dict(SPEC.to_dict() | change)


def test_a_missing_key_is_named():
    data = SPEC.to_dict()
    del data["window"]
    with pytest.raises(SpecError, match="lacks window"):
        ModelSpec.from_dict(data)


def test_an_unknown_architecture_is_answered_with_those_there_are():
    assert names() == ("lstm",)
    with pytest.raises(SpecError, match="there is no architecture 'gpt'; choose one of: lstm"):
        build(ModelSpec(channels=("a",), architecture="gpt"))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"epochs": 0}, "epochs is 0"),
        ({"batch_windows": 0}, "batch_windows is 0"),
        ({"learning_rate": 0.0}, "learning_rate is 0.0"),
        ({"held_out_share": 0.6}, "held_out_share is 0.6"),
        ({"min_coverage": 1.1}, "min_coverage is 1.1"),
        ({"least_improvement": 1.0}, "least_improvement is 1.0"),
        ({"max_gap_steps": -1}, "max_gap_steps is -1"),
        ({"threads": 0}, "threads is 0"),
    ],
)
def test_training_options_out_of_range_are_named(change, message):
    with pytest.raises(SpecError, match=message):
        TrainOptions(**change)


def test_epochs_follow_from_the_budget_within_limits():
    options = TrainOptions(budget_windows=20_000, max_windows_per_epoch=2000)
    assert [options.epochs_for(windows) for windows in (100_000, 1000, 10)] == [10, 20, 60]
    assert TrainOptions(budget_windows=1).epochs_for(5000) == 5
    assert TrainOptions(epochs=3).epochs_for(5000) == 3
