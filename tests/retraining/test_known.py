from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from detector.retraining.known import FOREVER_NS, Fault, hold_out, known_faults, without


@dataclass
class Incident:
    incident_id: str
    series: str
    started_ns: int
    ended_ns: int | None
    stream: str = "pumps"
    kind: str = "reconstruction"


@dataclass
class Said:
    subject_id: str
    verdict: str
    series: str = "a"
    started_ns: int = 0
    ended_ns: int = 0
    stream: str = "pumps"


def known(incidents: list[Any], verdicts: list[Any]):
    return known_faults("pumps", incidents, verdicts)


def test_incidents_are_faults_unless_people_say_otherwise() -> None:
    found = known(
        [Incident("1", "a", 10, 20), Incident("2", "a", 40, 50), Incident("3", "b", 5, None)],
        [Said("2", "false_alarm"), Said("1", "confirmed")],
    )
    assert found.faults == {"a": [Fault(10, 20)], "b": [Fault(5, FOREVER_NS)]}
    assert (found.incidents, found.missed, found.false_alarms) == (2, 0, 1)


def test_a_silence_is_left_out_of_training_but_is_nothing_that_a_model_could_find() -> None:
    found = known(
        [
            Incident("1", "a", 10, 20, kind="silence"),
            Incident("2", "b", 10, 20, kind="silence"),
            Incident("3", "b", 15, 30),
        ],
        [],
    )
    assert found.faults == {"a": [Fault(10, 20, shows=False)], "b": [Fault(10, 30)]}


def test_what_people_missed_is_a_fault() -> None:
    found = known([Incident("1", "a", 10, 20)], [Said("x", "missed", "a", 2, 4), Said("y", "withdrawn", "a", 6, 7)])
    assert found.faults == {"a": [Fault(2, 4), Fault(10, 20)]}
    assert found.missed == 1


def test_findings_of_several_kinds_at_once_are_one_fault() -> None:
    found = known([Incident("1", "a", 10, 20), Incident("2", "a", 15, 40), Incident("3", "a", 50, 60)], [])
    assert found.faults == {"a": [Fault(10, 40), Fault(50, 60)]}


def test_other_streams_do_not_matter() -> None:
    found = known([Incident("1", "a", 10, 20, "fans")], [Said("1", "missed", "a", 2, 4, "fans")])
    assert found.faults == {}


@pytest.mark.parametrize(
    ("fault", "margin", "left"),
    [
        (Fault(3, 4), 0, [0, 1, 2, 5, 6, 7]),
        (Fault(3, 4), 1, [0, 1, 6, 7]),
        (Fault(5, FOREVER_NS), 2, [0, 1, 2]),
        (Fault(100, 200), 5, [0, 1, 2, 3, 4, 5, 6, 7]),
    ],
)
def test_faulty_rows_are_left_out_with_what_is_around_them(fault: Fault, margin: int, left: list[int]) -> None:
    times = np.arange(8)
    data = {"a": (times, times[:, None] * 1.0), "b": (times, times[:, None] * 1.0)}
    rest, dropped = without(data, {"a": [fault]}, margin)
    assert rest["a"][0].tolist() == rest["a"][1][:, 0].tolist() == left
    assert rest["b"][0].tolist() == times.tolist()
    assert dropped == 8 - len(left)


def test_what_judges_a_model_is_the_end_of_each_series() -> None:
    data = {name: (np.arange(rows), np.arange(rows)[:, None] * 1.0) for name, rows in (("a", 10), ("b", 5), ("c", 1))}
    rest, from_ns = hold_out(data, 0.2)
    assert from_ns == {"a": 8, "b": 4, "c": 0}
    assert {name: times.tolist() for name, (times, _) in rest.items()} == {"a": [*range(8)], "b": [*range(4)]}
    assert all(len(times) == len(values) for times, values in rest.values())
