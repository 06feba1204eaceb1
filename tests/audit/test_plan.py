"""Where to begin, what follows, and what cannot be computed."""

from __future__ import annotations

from msgspec import structs

from detector.lived.log import CheckpointPlace, EpochLog
from detector.lived.plan import Plan, make_plan
from detector.state import CHECKPOINT_VERSION, EPOCH_VERSION, STATE_VERSION, Checkpoint, Control, Epoch, Windows

RULES = {"record": {}, "window": {"stride": 1}, "incidents": {}}
OTHER_RULES = {**RULES, "window": {"stride": 2}}


def epoch(start: int, windows: Windows, model: str = "a", windows_from: int = -1, rules: dict = RULES) -> Epoch:
    return Epoch(
        version=EPOCH_VERSION, stream="s", topic="t", partition=0, from_offset=start, model=model, model_version=model,
        fingerprint="f", settings=rules, windows=windows, windows_from=windows_from,
    )  # fmt: skip


def checkpoint(begun: int, at: int, epoch_from: int = 0) -> CheckpointPlace:
    control = Control(STATE_VERSION, at, begun, None, "a", "f", epoch_from, 1)
    return CheckpointPlace(Checkpoint(CHECKPOINT_VERSION, "s", "t", 0, begun, 1, control), 0, 1)


def plan(log: EpochLog, first: int, stop: int, retained: int = 0, missing: str = "") -> Plan:
    return make_plan(log, first, stop, retained, 10, lambda e: f"no {e.model}" if e.model in missing else None)


def stages(found: Plan) -> list[tuple[str, int, int, int]]:
    return [(stage.entry, stage.read_from, stage.first, stage.stop) for stage in found.stages]


def holes(found: Plan) -> list[tuple[int, int]]:
    return [(hole.first, hole.stop) for hole in found.holes]


BEGUN = epoch(0, "empty")


def test_from_the_beginning() -> None:
    assert stages(plan(EpochLog((BEGUN,)), 0, 100)) == [("empty", 0, 0, 100)]
    late = epoch(40, "empty")
    assert stages(plan(EpochLog((late,)), 0, 100)) == [("empty", 40, 40, 100)]
    assert plan(EpochLog((late,)), 0, 100).holes == ()


def test_models_follow_each_other() -> None:
    log = EpochLog((BEGUN, epoch(50, "carried", "b"), epoch(80, "rebuilt", "c", windows_from=60)))
    assert stages(plan(log, 0, 100)) == [("empty", 0, 0, 50), ("carried", 50, 50, 80), ("rebuilt", 60, 80, 100)]
    assert stages(plan(log, 20, 60)) == [("empty", 0, 0, 50), ("carried", 50, 50, 60)]


def test_only_models_that_the_way_leads_through_are_asked_for() -> None:
    """A model a day for years: each takes time and memory to open, and an old one may be damaged."""
    days = [epoch(10 * day, "carried", f"day {day}") for day in range(1, 100)]
    log = EpochLog((BEGUN, *days), (checkpoint(4, 5), checkpoint(8, 9)))
    asked: list[str] = []

    def unresolved(one: Epoch) -> str | None:
        asked.append(one.model)
        return None

    made = structs.replace(checkpoint(951, 955, 950).checkpoint.control, model="day 95")
    last = CheckpointPlace(structs.replace(checkpoint(951, 955, 950).checkpoint, control=made), 0, 1)
    with_last = EpochLog(log.epochs, (*log.checkpoints, last))
    found = make_plan(with_last, 958, 965, 0, 10, unresolved)
    assert stages(found) == [("checkpoint", 951, 955, 960), ("carried", 960, 960, 965)]
    assert sorted(asked) == ["day 95", "day 96"]
    asked.clear()
    assert stages(make_plan(log, 12, 18, 0, 10, unresolved)) == [("checkpoint", 8, 9, 10), ("carried", 10, 10, 18)]
    assert sorted(asked) == ["a", "day 1"]
    asked.clear()
    cut = EpochLog((*log.epochs[:-1], structs.replace(days[-1], settings=OTHER_RULES)), log.checkpoints)
    assert stages(make_plan(cut, 995, 999, 0, 10, unresolved)) == [("look_back", 985, 995, 999)]
    # Checkpoints of long ago are of no use behind that, whatever their model; only whether they fit it was asked.
    assert set(asked) <= {"a", "day 99"}


def test_the_nearest_checkpoint_is_where_a_range_begins() -> None:
    log = EpochLog((BEGUN,), (checkpoint(18, 20), checkpoint(38, 40), checkpoint(58, 60)))
    assert stages(plan(log, 50, 100)) == [("checkpoint", 38, 40, 100)]
    assert stages(plan(log, 60, 100)) == [("checkpoint", 58, 60, 100)]
    # Its records must still be there.
    assert stages(plan(log, 50, 100, retained=30)) == [("checkpoint", 38, 40, 100)]


def test_without_one_it_looks_back_until_there_is_one() -> None:
    log = EpochLog((BEGUN,), (checkpoint(58, 60),))
    assert stages(plan(log, 50, 100, retained=5)) == [("look_back", 40, 50, 60), ("checkpoint", 58, 60, 100)]
    assert stages(plan(log, 8, 55, retained=5)) == [("look_back", 5, 8, 55)]


def test_deleted_input_is_a_hole() -> None:
    found = plan(EpochLog((BEGUN,)), 0, 100, retained=30)
    assert holes(found) == [(0, 30)]
    assert "retention deleted" in found.holes[0].reason
    assert stages(found) == [("look_back", 30, 30, 100)]
    assert (holes(plan(EpochLog((BEGUN,)), 0, 20, retained=30)), plan(EpochLog((BEGUN,)), 0, 20, 30).stages) == (
        [(0, 20)], (),
    )  # fmt: skip


def test_a_model_that_is_not_at_hand_is_a_hole() -> None:
    log = EpochLog((BEGUN, epoch(50, "carried", "b"), epoch(80, "carried", "a")), (checkpoint(84, 90, 80),))
    found = plan(log, 0, 100, missing="b")
    assert holes(found) == [(50, 80)]
    assert found.holes[0].reason == "no b"
    assert stages(found) == [("empty", 0, 0, 50), ("look_back", 70, 80, 90), ("checkpoint", 84, 90, 100)]


def test_other_rules_for_windows_are_not_carried_on() -> None:
    log = EpochLog((BEGUN, epoch(50, "carried", "a", rules=OTHER_RULES)), (checkpoint(50, 50, 50),))
    assert stages(plan(log, 0, 100)) == [("empty", 0, 0, 50), ("checkpoint", 50, 50, 100)]


def test_a_checkpoint_at_the_very_change_belongs_to_the_model_before() -> None:
    log = EpochLog((BEGUN, epoch(50, "carried", "b")), (checkpoint(45, 50, epoch_from=0),))
    found = plan(log, 60, 100)
    assert stages(found) == [("checkpoint", 45, 50, 50), ("carried", 50, 50, 100)]
    assert [stage.epoch.model for stage in found.stages] == ["a", "b"]


def test_epochs_that_were_deleted_are_told_by_control_records() -> None:
    from detector.records.values import InputPartition

    log = EpochLog((), (checkpoint(18, 20),)).completed(None, "s", InputPartition("t", 0))
    assert [(e.from_offset, e.model, e.windows) for e in log.epochs] == [(0, "a", "unknown")]
    assert stages(plan(log, 30, 100)) == [("checkpoint", 18, 20, 100)]
    assert stages(plan(log, 0, 100)) == [("look_back", 0, 0, 20), ("checkpoint", 18, 20, 100)]


def test_nothing_is_known() -> None:
    found = plan(EpochLog(), 0, 100)
    assert (holes(found), found.stages) == ([(0, 100)], ())
