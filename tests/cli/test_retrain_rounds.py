"""What a round of retraining takes from the stream's settings and its present model."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from detector.cli.common.bundles import BundleSource
from detector.cli.common.judgement import within_budget
from detector.cli.retrain.newest import NewestTime
from detector.cli.retrain.rounds import Rounds
from detector.errors import BundleError, ConfigError
from detector.model_address import model_place
from detector.settings import IncidentSettings, KafkaSettings, RegistrySettings
from models.bundle import load_bundle
from models.registry import open_registry
from tests.cli.conftest import CHANNELS, Made

pytestmark = pytest.mark.keras
NOW = datetime(2026, 6, 1, tzinfo=UTC)


@pytest.mark.parametrize(("setting", "expected"), [(None, 3), (5, 5)])
def test_a_budget_counts_the_incidents_that_will_open(setting: int | None, expected: int) -> None:
    """Both where alerts are counted and where the tail says how high a score may be."""
    calibration = SimpleNamespace(open_after=3, spot=None)
    present: Any = SimpleNamespace(calibration=calibration, spec=SimpleNamespace(window=4))
    options, count = within_budget(IncidentSettings(open_after=setting), present, 2.0)
    assert (options.method, options.alerts_per_week, options.open_after) == ("budget", 2.0, expected)
    times = np.arange(20, dtype=np.int64) * 1_000_000_000
    for run in range(1, 8):
        scores = np.r_[np.zeros(5), np.full(run, 9.0), np.zeros(15 - run)]
        assert count(scores, times, 1.0) == (run >= expected)


class Counting(BundleSource):
    """Counts how often a bundle is verified."""

    opened = 0

    def open(self, place: Any) -> Any:
        self.opened += 1
        return super().open(place)


def newest_of(place: str, source: BundleSource) -> NewestTime:
    stream: Any = SimpleNamespace(name="pumps", model=model_place(place))
    return NewestTime(KafkaSettings(), stream, source)


def test_a_look_at_event_time_verifies_a_bundle_only_when_it_is_another_one(made: Made, tmp_path: Path) -> None:
    directory = tmp_path / "bundle"
    shutil.copytree(made.path, directory)
    registry = open_registry(str(tmp_path / "registry"))
    version = registry.push("pumps", load_bundle(directory), NOW)
    registry.move("pumps", "champion", version, NOW)
    for place in (str(directory), f"registry://{tmp_path}/registry/pumps@champion"):
        source = Counting(RegistrySettings(), {})
        newest = newest_of(place, source)
        assert [newest.channels() for _ in range(3)] == [CHANNELS] * 3
        assert source.opened == 1
    registry.move("pumps", "champion", None, NOW)
    with pytest.raises(BundleError, match="neither an alias nor a version 'champion'"):
        newest.channels()
    newest = newest_of(str(directory), source)
    newest.channels()
    (directory / "manifest.json").write_text((directory / "manifest.json").read_text() + " ")
    newest.channels()
    assert source.opened == 4
    shutil.rmtree(directory)
    with pytest.raises(BundleError, match="is not a bundle: there is no such directory"):
        newest.channels()


def test_fine_tuning_is_refused_before_anything_is_read(made: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    bundle = load_bundle(made.path)
    spec = SimpleNamespace(architecture="seq2seq")
    monkeypatch.setattr(BundleSource, "open", lambda *_: SimpleNamespace(spec=spec, scaler=bundle.scaler))
    settings: Any = SimpleNamespace(registry=RegistrySettings(), kafka=KafkaSettings())
    stream: Any = SimpleNamespace(name="pumps", model=model_place(str(made.path)))
    request: Any = SimpleNamespace(fine_tune=True, out=None)
    rounds = Rounds(Path("none"), settings, stream, request)
    with pytest.raises(ConfigError, match=r"stream pumps: training cannot go on from .* seq2seq"):
        rounds.run()
