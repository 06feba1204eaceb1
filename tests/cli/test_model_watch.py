"""What a running worker does about other bundles, look by look; with the broker it is in tests/end_to_end."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import CollectorRegistry, generate_latest
from structlog.testing import capture_logs

from detector.cli.common.assemble import stream_context
from detector.cli.common.bundles import BundleSource
from detector.cli.run.model_watch import ModelWatch
from detector.observability.metrics import Metrics
from detector.settings import StreamSettings
from detector.shadow import Shadow
from models.bundle import Bundle, load_bundle
from models.registry import Registry, open_registry
from tests.cli.conftest import Made
from tests.cli.test_models import change_last_byte

pytestmark = pytest.mark.keras

NOW = datetime(2026, 6, 1, tzinfo=UTC)


def dated(made: Path, target: Path, day: int, **spec: Any) -> Bundle:
    shutil.copytree(made, target)
    manifest = json.loads((target / "manifest.json").read_text())
    manifest["created_at"] = f"2026-03-0{day}T00:00:00+00:00"
    manifest["spec"] |= spec
    (target / "manifest.json").write_text(json.dumps(manifest))
    return load_bundle(target)


@dataclass
class Watched:
    watch: ModelWatch
    registry: Registry
    bundles: list[Bundle]
    shadow: Shadow
    metrics: CollectorRegistry
    asked: list[bool]

    def move(self, alias: str, number: int | None) -> None:
        version = None if number is None else self.registry.version("web", self.bundles[number].digest)
        self.registry.move("web", alias, version, NOW)

    def look(self, asked: bool = False) -> list[str]:
        with capture_logs() as logs:
            self.watch.look(asked)
        return [log["event"] for log in logs]

    def ready(self) -> list[str]:
        return [context.identity.model for context in self.watch().values()]

    def swaps(self, outcome: str, role: str = "champion") -> float:
        labels = {"stream": "web", "role": role, "outcome": outcome}
        return self.metrics.get_sample_value("reconstream_model_swaps_total", labels) or 0.0

    def is_refused(self, role: str = "champion") -> float | None:
        return self.metrics.get_sample_value("reconstream_model_refused", {"stream": "web", "role": role})

    def checks(self, outcome: str) -> float:
        labels = {"stream": "web", "outcome": outcome}
        return self.metrics.get_sample_value("reconstream_registry_checks_total", labels) or 0.0


@pytest.fixture
def watched(made: Made, tmp_path: Path) -> Callable[..., Watched]:
    def make(**settings: Any) -> Watched:
        registry = open_registry(str(tmp_path / "registry"))
        bundles = [dated(made.path, tmp_path / f"bundle-{day}", day) for day in (1, 2, 3)]
        for bundle in bundles:
            registry.push("web", bundle, NOW)
        registry.move("web", "champion", registry.version("web", bundles[0].digest), NOW)
        change_last_byte(tmp_path / "registry" / "web" / "versions" / bundles[2].digest / "model.onnx")
        place = f"registry://{tmp_path}/registry/web"
        stream = StreamSettings.model_validate(
            {"name": "web", "topic": "t", "model": f"{place}@champion", "shadow": {"model": f"{place}@challenger"}}
            | {
                key: value.replace("{place}", place) if isinstance(value, str) else value
                for key, value in settings.items()
            }
        )
        shadow, metrics, asked = Shadow(), CollectorRegistry(), [False]
        context = replace(stream_context(stream, bundles[0], "cluster"), shadow=shadow)
        watch = ModelWatch(
            (stream,), {"t": context}, BundleSource(environment={}), lambda c: c, Metrics(metrics),
            lambda: asked[0], 0.01,
        )  # fmt: skip
        return Watched(watch, registry, bundles, shadow, metrics, asked)

    return make


def test_a_moved_alias_is_taken_up_once(watched):
    found = watched()
    assert found.look() == ["the alias names nothing; there is no challenger"]
    assert found.ready() == []
    found.move("champion", 1)
    assert found.look() == ["the model is replaced"]
    assert found.ready() == [found.bundles[1].digest]
    assert (found.look(), found.ready(), found.swaps("replaced")) == ([], [], 1)
    found.move("champion", 0)
    found.look()
    assert found.ready() == [found.bundles[0].digest]
    assert found.checks("answered") == 8


def test_moved_twice_between_two_cycles_the_last_one_counts(watched):
    found = watched()
    for number in (1, 0, 1):
        found.move("champion", number)
        found.look()
    assert found.ready() == [found.bundles[1].digest]


def test_a_bad_one_is_tried_once_and_again_only_when_asked_or_moved(watched):
    found = watched()
    found.look()
    found.move("champion", 2)
    assert found.look() == ["the new bundle is refused, the old model goes on"]
    assert (found.look(), found.look(), found.swaps("refused")) == ([], [], 1)
    assert found.is_refused() == 1
    assert "the new bundle is refused, the old model goes on" in found.look(asked=True)
    assert found.swaps("refused") == 2
    found.move("champion", 0)
    assert (found.look(), found.ready()) == ([], [])
    assert found.is_refused() == 0
    found.move("champion", 2)
    assert found.look() == ["the new bundle is refused, the old model goes on"]
    assert found.swaps("refused") == 3


def test_a_registry_that_does_not_answer_changes_nothing_and_is_told_once(watched, tmp_path):
    found = watched()
    found.look()
    alias = tmp_path / "registry" / "web" / "aliases" / "champion"
    (alias / "00000002.json").write_bytes(b"damaged")
    assert found.look() == ["the registry cannot tell what an alias names; everything stays as it is"]
    assert (found.look(), found.checks("failed"), found.ready()) == ([], 2, [])
    (alias / "00000002.json").unlink()
    found.move("champion", 1)
    found.look()
    assert found.ready() == [found.bundles[1].digest]


def test_whatever_goes_wrong_with_asking_the_watch_goes_on(watched, monkeypatch):
    found = watched()
    found.look()
    monkeypatch.setattr(BundleSource, "named", lambda *_: 1 / 0)
    with capture_logs() as logs:
        found.watch.look(False)
    assert {log["reason"] for log in logs} == {"ZeroDivisionError: division by zero"}
    monkeypatch.undo()
    found.move("champion", 1)
    found.look()
    assert found.ready() == [found.bundles[1].digest]


def test_directories_are_looked_at_when_somebody_asks(watched, made, tmp_path):
    shutil.copytree(made.path, tmp_path / "here")
    dated(made.path, tmp_path / "there", 5)
    found = watched(model=str(tmp_path / "here"), shadow={"model": str(tmp_path / "there")})
    found.watch._streams[0].champion.digest = load_bundle(tmp_path / "here").digest
    assert found.look() == ["a challenger scores in the shadow"]
    assert found.look() == []
    shutil.rmtree(tmp_path / "here")
    bundle = dated(made.path, tmp_path / "here", 6)
    assert found.look() == []
    # The challenger is looked at again, since the model beside it is another one.
    assert found.look(asked=True) == ["the model is replaced", "a challenger scores in the shadow"]
    assert found.ready() == [bundle.digest]


def test_an_alias_that_was_removed_leaves_the_model_alone(watched):
    found = watched()
    found.look()
    found.move("champion", None)
    assert found.look() == ["the alias names nothing; the old model goes on"]
    assert (found.look(), found.ready()) == ([], [])


def test_asked_nothing_new_is_an_answer_too(watched):
    found = watched()
    assert "the bundle is the one that runs already" in found.look(asked=True)
    assert found.swaps("unchanged") == 1


def test_a_version_is_never_asked_for(watched):
    found = watched(model="{place}@0123abcd")
    found.registry = None  # it would have to be there
    assert found.watch._streams[0].champion.look(asked=False) is None


def test_a_challenger_comes_and_goes(watched):
    found = watched()
    found.move("challenger", 1)
    assert found.look() == ["a challenger scores in the shadow"]
    assert found.shadow.model is not None
    assert found.shadow.model.identity.model == found.bundles[1].digest
    info = {"stream": "web", "model": found.bundles[1].digest[:12], "version": found.bundles[1].version}
    assert found.metrics.get_sample_value("reconstream_shadow_model_info", {**info, "runtime": "onnx"}) == 1
    found.move("challenger", 2)
    assert found.look() == ["the challenger is refused"]
    assert found.shadow.model is not None
    assert (found.look(), found.swaps("refused", "challenger")) == ([], 1)
    assert (found.is_refused("challenger"), found.is_refused()) == (1, 0)
    found.move("challenger", None)
    assert found.look() == ["the alias names nothing; there is no challenger"]
    assert found.is_refused("challenger") == 0
    assert found.shadow.model is None
    assert "reconstream_shadow_model_info{" not in generate_latest(found.metrics).decode()
    assert found.swaps("removed", "challenger") == 1
    assert found.ready() == []


def test_promoted_it_rests_and_another_champion_wakes_it(watched):
    found = watched()
    found.move("challenger", 1)
    found.look()
    found.move("champion", 1)
    assert found.look() == ["the model is replaced", "the challenger is the stream's own model; it rests"]
    assert found.shadow.model is None
    found.move("champion", 0)
    assert found.look() == ["the model is replaced", "a challenger scores in the shadow"]
    assert found.shadow.model is not None


def test_a_challenger_that_does_not_fit_is_refused(watched, made, tmp_path):
    found = watched()
    # Its golden sample no longer fits either, but that is the model's own business: here the period is another.
    other = dated(made.path, tmp_path / "other", 4, period_seconds=60.0)
    found.bundles.append(other)
    found.registry.push("web", other, NOW)
    found.move("challenger", 3)
    with capture_logs() as logs:
        found.watch.look(False)
    assert logs[0]["event"] == "the challenger is refused"
    assert logs[0]["reason"] == (
        "the challenger does not fit the stream's windows: its windows have a step of 60 s, the stream's of 300 s; "
        "compare the two with: detector replay --shadow"
    )


def test_what_libraries_make_of_a_bad_bundle_is_a_refusal(watched, monkeypatch):
    found = watched()
    found.look()

    def broken(*_: object) -> None:
        raise MemoryError("too large")

    monkeypatch.setattr("detector.cli.run.model_watch.warm_up", broken)
    found.move("champion", 1)
    with capture_logs() as logs:
        found.watch.look(False)
    assert logs[0]["reason"] == "MemoryError: too large"
    assert found.ready() == []


def test_on_its_thread_it_looks_by_itself_and_ends(watched):
    import time

    found = watched()
    found.watch.start()
    found.move("champion", 1)
    found.move("challenger", 0)
    deadline = time.monotonic() + 60
    while found.ready() != [found.bundles[1].digest]:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    while found.shadow.model is None:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    found.watch.close()
    found.watch._thread.join(10)
    assert not found.watch._thread.is_alive()
