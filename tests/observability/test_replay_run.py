"""What a replay leaves for the textfile collector."""

from __future__ import annotations

import os
import signal
import stat
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families
from structlog.testing import capture_logs

from detector.cli.replay.ending import leaves_metrics
from detector.errors import BundleError, ConfigError, DetectorError, KafkaUnavailableError
from detector.observability.replay_run import ReplayCounts, ReplayRun, descriptions

DOCUMENT = {
    "records": 1200,
    "rejected": {"not_json": 3},
    "windows_scored": 1000,
    "windows_unscored": 7,
    "streams": [{"stream": "pumps"}, {"stream": "fans"}],
    "incidents": [
        {"stream": "pumps", "kind": "reconstruction", "severity": "critical"},
        {"stream": "pumps", "kind": "reconstruction", "severity": "critical"},
        {"stream": "pumps", "kind": "silence", "severity": "warning"},
    ],
    "undetermined_incidents": 1,
}


def values(text: str) -> dict[tuple[str, ...], float]:
    """By name and the values of all labels but ``replay``, in the order of their names."""
    return {
        (
            sample.name.removeprefix("reconstream_replay_run_"),
            *(value for label, value in sorted(sample.labels.items()) if label != "replay"),
        ): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


@leaves_metrics
def command(metrics: Path | None = None, ends: Callable[[], Any] = lambda: DOCUMENT) -> dict[str, Any]:
    return ends()  # type: ignore[no-any-return]


def raising(error: BaseException) -> Callable[[], Any]:
    def end() -> Any:
        raise error

    return end


def test_a_replay_that_ended_well_leaves_what_it_came_to(tmp_path: Path) -> None:
    path = tmp_path / "nightly.prom"
    before = time.time()
    command(metrics=path)
    text = path.read_text()
    found = values(text)
    assert found[("success",)] == 1
    assert found[("exit_code",)] == 0
    assert before <= found[("completion_timestamp_seconds",)] <= time.time()
    assert found[("duration_seconds",)] >= 0
    assert found[("records",)] == 1200
    assert found[("rejected_records", "not_json")] == 3
    assert (found[("windows_scored",)], found[("windows_unscored",)]) == (1000, 7)
    assert found[("undetermined_incidents",)] == 1
    assert all('replay="nightly"' in line for line in text.splitlines() if not line.startswith("#"))
    incidents = {key[1:]: value for key, value in found.items() if key[0] == "incidents"}
    assert len(incidents) == 2 * 3 * 3
    assert {key: value for key, value in incidents.items() if value} == {
        ("reconstruction", "critical", "pumps"): 2, ("silence", "warning", "pumps"): 1,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (KafkaUnavailableError("no broker"), 3),
        (BundleError("damaged"), 4),
        (ConfigError("wrong"), 2),
        (KeyboardInterrupt(), 130),
        (SystemExit(9), 9),
        (ModuleNotFoundError("no keras", name="keras.ops"), 2),
        (ModuleNotFoundError("a fault of ours", name="detector.gone"), 1),
        (ZeroDivisionError("a fault of ours"), 1),
    ],
)
def test_one_that_ended_badly_says_how_and_its_error_goes_on(tmp_path: Path, error: BaseException, code: int) -> None:
    path = tmp_path / "nightly.prom"
    command(metrics=path)
    with pytest.raises(type(error)):
        command(metrics=path, ends=raising(error))
    found = values(path.read_text())
    assert found[("success",)] == 0
    assert found[("exit_code",)] == code
    # Nothing of the one before is left in it.
    assert {key[0] for key in found} == {"success", "exit_code", "completion_timestamp_seconds", "duration_seconds"}


def test_one_that_a_scheduler_ends_says_so(tmp_path: Path) -> None:
    path, before = tmp_path / "nightly.prom", signal.getsignal(signal.SIGTERM)
    with pytest.raises(SystemExit):
        command(metrics=path, ends=lambda: signal.raise_signal(signal.SIGTERM))
    assert values(path.read_text())[("exit_code",)] == 143
    assert signal.getsignal(signal.SIGTERM) is before


def test_without_the_option_nothing_is_written(tmp_path: Path) -> None:
    command()
    with pytest.raises(BundleError):
        command(ends=raising(BundleError("damaged")))
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_the_collector_would_not_read_is_refused_before_anything_else(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"node_exporter reads files that end in \.prom; call it so"):
        command(metrics=tmp_path / "nightly.txt", ends=raising(AssertionError("it began")))
    with pytest.raises(ConfigError, match=r"there is no directory .*gone; make it, or name another one"):
        command(metrics=tmp_path / "gone" / "nightly.prom", ends=raising(AssertionError("it began")))


def test_a_file_that_cannot_be_written_does_not_hide_what_went_wrong(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()

    def end() -> Any:
        folder.rmdir()
        raise BundleError("damaged")

    with capture_logs() as logs, pytest.raises(DetectorError, match="damaged"):
        command(metrics=folder / "nightly.prom", ends=end)
    assert [log["event"] for log in logs] == ["how the replay ended cannot be left for Prometheus"]


def test_the_collector_may_read_it_as_another_user(tmp_path: Path) -> None:
    before = os.umask(0o022)
    try:
        command(metrics=tmp_path / "nightly.prom")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "nightly.prom").stat().st_mode) == 0o644
    assert [path.name for path in tmp_path.iterdir()] == ["nightly.prom"]


def test_the_descriptions_are_of_what_is_written() -> None:
    counts = ReplayCounts(1, {"not_json": 1}, 1, 0, ["pumps"], [], 0)
    text = ReplayRun("nightly", 0, 1.0, 2.0, counts).exposition().decode()
    written = {
        (sample.name, frozenset(sample.labels))
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }
    assert written == {(found.name, frozenset(found.labels)) for found in descriptions()}
