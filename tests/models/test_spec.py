from __future__ import annotations

import json
from pathlib import Path

import pytest

from models.architectures import ARCHITECTURES, names
from models.architectures.options import Option, complete, parse
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
    with pytest.raises(SpecError, match=f"there is no architecture 'gpt'; choose one of: {', '.join(names())}"):
        ModelSpec(channels=("a",), architecture="gpt")


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


OPTIONS = (
    Option(name="weight", default=1.0, help="of a term", low=0, high=10),
    Option(name="count", default=0, help="of parts", low=0),
    Option(name="schedule", default="none", help="how it changes", choices=("none", "linear")),
    Option(name="reverse", default=True, help="the order"),
)


def test_options_that_are_not_given_have_their_defaults():
    assert complete("x", OPTIONS, {"count": 3}) == {"weight": 1.0, "count": 3, "schedule": "none", "reverse": True}
    assert list(complete("x", OPTIONS, {"reverse": False, "weight": 2})) == ["weight", "count", "schedule", "reverse"]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"wait": 1}, "x has no option 'wait'; choose among: count, reverse, schedule, weight"),
        ({"weight": 11}, "option weight is 11; it must be a number from 0 to 10"),
        ({"weight": float("nan")}, "option weight is nan; it must be a number"),
        ({"weight": True}, "option weight is True; it must be a number"),
        ({"weight": 10**400}, "option weight is 1000.*; it must be a number"),
        ({"count": -1}, "option count is -1; it must be an integer of at least 0"),
        ({"count": 1.5}, "option count is 1.5; it must be an integer"),
        ({"schedule": "cubic"}, "option schedule is 'cubic'; it must be none, linear"),
        ({"schedule": ["none"]}, r"option schedule is \['none'\]; it must be none, linear"),
        ({"reverse": 1}, "option reverse is 1; it must be true or false"),
    ],
)
def test_options_out_of_range_are_named_with_the_choices(given, message):
    with pytest.raises(SpecError, match=message):
        complete("x", OPTIONS, given)


def test_options_are_read_from_the_command_line():
    texts = ["weight=0.5", "count = 2", "schedule=linear", "reverse=False"]
    assert parse("x", OPTIONS, texts) == {"weight": 0.5, "count": 2, "schedule": "linear", "reverse": False}


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        (["weight"], "the option 'weight' is not of the form name=value"),
        (["=1"], "the option '=1' is not of the form name=value"),
        (["weight=1", "weight=2"], "option weight is given twice"),
        (["wait=1"], "x has no option 'wait'; choose among"),
        (["count=many"], "option count is 'many'; it must be an integer"),
        (["reverse=1"], "option reverse is '1'; it must be true or false"),
        (["weight=inf"], "option weight is inf; it must be a number"),
    ],
)
def test_options_that_the_command_line_has_wrong_are_named(texts, message):
    with pytest.raises(SpecError, match=message):
        parse("x", OPTIONS, texts)


def test_an_architecture_without_options_says_so():
    with pytest.raises(SpecError, match="lstm has no option 'depth'; it has none"):
        ModelSpec(channels=("a",), options={"depth": 2})
    with pytest.raises(SpecError, match="options is 3; it must be an object"):
        ModelSpec.from_dict(SPEC.to_dict() | {"options": 3})


def test_the_documentation_names_every_architecture_and_option_with_its_default():
    text = (Path(__file__).parents[2] / "docs" / "models.md").read_text()
    section = text.partition("\n## Options\n")[2].partition("\n## ")[0]
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in section.splitlines() if line.startswith("|")]
    options = rows[2:]
    told: dict[str, dict[str, str]] = {}
    owner = ""
    for architecture, option, default, _ in options:
        owner = architecture.strip("`") or owner
        told.setdefault(owner, {})[option.strip("`")] = default
    known = {
        name: {
            option.name: f"{option.default:g}" if isinstance(option.default, float) else str(option.default).lower()
            for option in architecture.options
        }
        for name, architecture in ARCHITECTURES.items()
        if architecture.options
    }
    assert told == known
    assert all(f"| `{name}` |" in text for name in ARCHITECTURES)
