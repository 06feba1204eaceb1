from __future__ import annotations

import numpy as np
import pytest

from models.errors import BundleError, SpecError
from models.habits import Habits

SECOND_NS = 1_000_000_000


def series(columns, step=1.0):
    values = np.array(columns, float).T
    return np.arange(len(values)) * round(step * SECOND_NS), values


def restless(rows: int) -> list[float]:
    return [float(row) for row in range(rows)]


def test_the_longest_run_of_each_channel_is_kept_by_series():
    rests = [*restless(30), 7.0, 7.0, np.nan, 7.0, *restless(30)]  # what is missing does not count
    rarely = [0.0] * 32 + [1.0] * 32
    calm = [float(row // 3) for row in range(64)]
    habits = Habits.of({"b": series([calm, restless(64)]), "a": series([rests, rarely])})
    assert (habits.series, habits.longest_runs) == (("a", "b"), ((3, None), (3, 1)))
    assert habits.usual_runs == (3, None)  # a channel that rests in one series may rest in any
    assert Habits.of({"b": series([calm, restless(64)])}).usual_runs == (3, 1)


@pytest.mark.parametrize(("changes", "run"), [(20, None), (21, 10)])
def test_a_channel_that_changed_too_rarely_is_not_known(changes, run):
    column = [float(row // 10) for row in range(changes * 10)]
    assert Habits.of({"a": series([column])}).longest_runs == ((run,),)


def test_outages_are_no_habit_and_late_samples_no_step():
    times = np.concatenate([np.arange(2000), 90_000 + np.arange(2000)]) * SECOND_NS
    times[5] = 2 * SECOND_NS
    assert Habits.of({"a": (times, np.zeros((4000, 1)))}).gap_seconds == 1.0
    assert Habits.of({"a": (times[:1], np.zeros((1, 1)))}).gap_seconds is None
    assert Habits.of({"a": (times[:0], np.zeros((0, 1)))}).series == ()


def test_they_come_back_as_they_were():
    habits = Habits.of({"a": series([restless(50), [0.0] * 50], 2.5)})
    assert Habits.from_dict(habits.to_dict()) == habits
    assert habits.gap_seconds == 2.5


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"gap_seconds": -1.0}, "gap_seconds is -1.0; it must be a finite number from 0 on, or null"),
        ({"gap_seconds": "1"}, "gap_seconds is '1'; it must be a finite number"),
        ({"longest_runs": [[1], [2]]}, "longest_runs must have a row for each series, and all of one length"),
        ({"longest_runs": [[0]]}, "longest_runs holds a number below 1"),
        ({"longest_runs": [[10**400]]}, "longest_runs holds a number above 9007199254740992"),
        ({"longest_runs": [1]}, "longest_runs must be a list of lists"),
        ({"longest_runs": [[1.5]]}, "longest_runs must hold whole numbers and null"),
        ({"longest_runs": [[True]]}, "longest_runs must hold whole numbers and null"),
        ({"series": ["a", "a"], "longest_runs": [[1], [1]]}, "habits name a series twice"),
        ({"more": 1}, "the habits has unknown keys: more"),
    ],
)
def test_what_does_not_fit_is_refused(changed, message):
    with pytest.raises(SpecError) as raised:
        Habits.from_dict({"gap_seconds": 1.0, "series": ["a"], "longest_runs": [[1]]} | changed)
    assert str(raised.value) == message


@pytest.mark.keras
def test_a_bundle_has_them(tiny_bundle, tiny_data):
    assert tiny_bundle.habits == Habits.of(tiny_data)
    assert tiny_bundle.habits.longest_runs == ((1, 1, None), (1, 1, None))


def test_a_bundle_whose_habits_are_of_other_channels_is_refused(copied):
    import json

    from models.bundle import load_bundle

    manifest = json.loads((copied / "manifest.json").read_text())
    manifest["habits"]["longest_runs"] = [[1], [1]]
    (copied / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(BundleError, match="habits do not fit the model's 3 channels"):
        load_bundle(copied)
