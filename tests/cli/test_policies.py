"""From a bundle and the settings to the limits for silence and for frozen channels."""

from __future__ import annotations

from math import inf
from types import SimpleNamespace
from typing import Any

import pytest

from detector.alerting.standing import StandingPolicy
from detector.cli.common.policies import freeze_limits, silence_policy, standing_policy
from detector.errors import ConfigError
from detector.series.frozen import FreezeLimits
from detector.settings import FrozenSettings, IncidentSettings, SilenceSettings, WindowSettings
from models.habits import Habits

SECOND_NS = 1_000_000_000


def bundle(gap: float | None, runs: dict[str, tuple[int | None, ...]] | None = None, channels: int = 2) -> Any:
    runs = runs or {}
    habits = Habits(gap, tuple(runs), tuple(runs.values()))
    return SimpleNamespace(habits=habits, spec=SimpleNamespace(channels=("a", "b", "c")[:channels]))


@pytest.mark.parametrize(
    ("gap", "settings", "seconds"),
    [
        (1.0, {}, 60.0),
        (300.0, {}, 1500.0),
        (300.0, {"after_seconds": 5}, 5.0),
        (300.0, {"enabled": False}, None),
        (None, {}, None),
        (None, {"after_seconds": "90s"}, 90.0),
        (86_400.0 * 2, {}, None),  # forgotten before
    ],
)
def test_when_a_series_is_silent(gap, settings, seconds):
    policy = silence_policy(bundle(gap), SilenceSettings(**settings), WindowSettings(), IncidentSettings())
    assert (None if policy is None else policy.after_ns) == (None if seconds is None else seconds * SECOND_NS)


def test_a_silence_that_nobody_could_see_is_refused():
    with pytest.raises(ConfigError) as raised:
        silence_policy(
            bundle(1.0), SilenceSettings(after_seconds=600), WindowSettings(forget_after_seconds=600),
            IncidentSettings(),
        )  # fmt: skip
    assert str(raised.value) == (
        "silence.after_seconds 600 s is not shorter than window.forget_after_seconds 600 s, after which a series is "
        "forgotten; lower the one or raise the other, or set silence.enabled to false"
    )


def test_what_happens_while_it_lasts():
    incidents = IncidentSettings(update_every_seconds="10m")
    policy = silence_policy(bundle(1.0), SilenceSettings(critical_ratio=3), WindowSettings(), incidents)
    assert policy is not None
    assert policy.standing == StandingPolicy(3.0, 600 * SECOND_NS) == standing_policy(3.0, incidents)
    usual = silence_policy(bundle(1.0), SilenceSettings(), WindowSettings(), IncidentSettings())
    assert usual is not None
    assert usual.standing == StandingPolicy()


def test_how_long_a_channel_may_rest():
    found = freeze_limits(bundle(1.0, {"x": (30, 1), "y": (9, None)}), FrozenSettings())
    assert found == FreezeLimits((60, inf), {"x": (60, 10), "y": (18, inf)})
    narrow = freeze_limits(bundle(1.0, {"x": (30, 1)}), FrozenSettings(margin=1.05, least_samples=3))
    assert narrow == FreezeLimits((31, 3), {"x": (31, 3)})


@pytest.mark.parametrize(
    ("runs", "settings"), [({"x": (3, 3)}, {"enabled": False}), ({"x": (None, None)}, {}), ({}, {})]
)
def test_where_nothing_can_be_said_nobody_watches(runs, settings):
    assert freeze_limits(bundle(1.0, runs), FrozenSettings(**settings)) is None
