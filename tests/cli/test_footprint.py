"""What series take in memory: told at start, with a warning where the settings allow more than there is."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from structlog.testing import capture_logs

from detector.cli.run.footprint import limit_files, memory_limit, tell_footprint
from detector.records.values import WideSample
from detector.series.footprint import series_bytes
from detector.series.store import SeriesStore
from tests.worker.support import MagnitudeScorer, Nowhere, make_context, make_settings


class Remembering(MagnitudeScorer):
    state_dtype = np.dtype([("past", "<f8", (100,))])


@pytest.fixture
def context():
    made = make_context(make_settings(Nowhere("localhost:1", "none")), "cluster", Remembering())
    return replace(made, spec=replace(made.spec, max_series=5000))


def test_what_a_series_takes_is_what_the_store_takes(context):
    store = SeriesStore(context.spec, memory=context.memory)
    for number in range(1024):
        store.add(WideSample(f"pump-{number}", 0, [0.0, 1.0]), number)
    each = series_bytes(context.spec, context.memory)
    assert each > context.memory.itemsize == 800
    assert store.memory_bytes() == pytest.approx(1024 * each, rel=0.01)


@pytest.mark.parametrize(("max_resident", "resident"), [(1000, 1000), (20_000, 5000)])
def test_a_worker_says_what_its_series_may_take(context, max_resident, resident):
    each = series_bytes(context.spec, context.memory)
    most = each * resident * 4
    with capture_logs() as logs:
        tell_footprint(context, 4, max_resident, most)
        tell_footprint(context, 4, max_resident, most - 1)
    told, warned = logs
    assert (told["log_level"], told["bytes_per_series"], told["max_resident_series"]) == ("info", each, resident)
    assert (told["carried_bytes_per_series"], told["most_mib"]) == (800, -(-most // (1 << 20)))
    assert warned["log_level"] == "warning"
    assert "lower worker.state.max_resident_series" in warned["event"]
    assert warned["fits"] == resident - 1


def test_a_control_group_leaves_less_than_the_machine_has(tmp_path: Path):
    whole = memory_limit((tmp_path / "none",))
    for text, expected in (("max\n", whole), ("1048576\n", 1 << 20), ("9223372036854771712\n", whole)):
        (tmp_path / "limit").write_text(text)
        assert memory_limit((tmp_path / "none", tmp_path / "limit")) == expected
    assert whole > 1 << 28


@pytest.mark.parametrize(
    ("groups", "limited", "expected_mib"),
    [
        ("0::/system.slice/reconstream.service\n", "system.slice/reconstream.service/memory.max", 64),
        # The limit of a slice holds for all services in it.
        ("0::/system.slice/reconstream.service\n", "system.slice/memory.max", 64),
        ("5:cpu,cpuacct:/a\n4:cpuset,memory:/jobs/one\n0::/\n", "memory/jobs/one/memory.limit_in_bytes", 64),
        ("5:cpu,cpuacct:/a\n", "memory/memory.limit_in_bytes", 64),
        # What a container sees, though its control group has another name on the machine.
        ("0::/docker/5f3a\n", "memory.max", 64),
        ("0::/a:b\n", "a:b/memory.max", 64),
        ("0::/other\n", "system.slice/memory.max", None),
        ("nonsense\n\n", "system.slice/memory.max", None),
    ],
)
def test_the_control_group_of_a_service_is_found(
    tmp_path: Path, groups: str, limited: str, expected_mib: int | None
) -> None:
    (tmp_path / "groups").write_text(groups)
    root = tmp_path / "root"
    (root / limited).parent.mkdir(parents=True)
    (root / limited).write_text(f"{64 << 20}\n")
    found = memory_limit(limit_files(tmp_path / "groups", root))
    assert found == (memory_limit(()) if expected_mib is None else expected_mib << 20)


def test_without_control_groups_the_machine_decides(tmp_path: Path) -> None:
    assert memory_limit(limit_files(tmp_path / "none", tmp_path)) == memory_limit(())
