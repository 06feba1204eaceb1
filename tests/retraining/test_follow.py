from __future__ import annotations

import pytest

from detector.cli.retrain import following as retraining
from detector.cli.retrain.command import retrain
from detector.cli.retrain.following import follow
from detector.cli.retrain.rounds import Rounds
from detector.errors import ConfigError, KafkaUnavailableError, RegistryUnavailableError

SECOND_NS = 1_000_000_000


class Told:
    """Stands for the signals: stops after so many looks."""

    def __init__(self, looks: int) -> None:
        self.left = looks

    def __enter__(self):
        return self

    def __exit__(self, *_: object) -> None:
        return None

    def __call__(self) -> bool:
        self.left -= 1
        return self.left < 0


@pytest.mark.parametrize("error", [ConfigError, KafkaUnavailableError, RegistryUnavailableError])
def test_a_round_that_fails_is_tried_again_when_its_time_comes(monkeypatch, error):
    """Neither a failing round nor a broker that is away for a moment ends it."""
    times = iter([0, 0, error("away"), 50, 100, 150, 210])
    rounds, reports = Rounds.__new__(Rounds), iter([{"round": 1}, error("no"), {"round": 2}])

    def taken(values):
        found = next(values)
        if isinstance(found, Exception):
            raise found
        return found

    monkeypatch.setattr(Rounds, "newest_ns", lambda _: taken(times) * SECOND_NS)
    monkeypatch.setattr(Rounds, "run", lambda _: taken(reports))
    monkeypatch.setattr(retraining, "_POLL_SECONDS", 0.0)
    # Each look at the time costs two questions: the loop's own and that of the wait.
    monkeypatch.setattr(retraining, "StopSignals", lambda _: Told(12))
    told: list[dict[str, int]] = []
    follow(rounds, 100.0, 1.0, told.append)
    assert told == [{"round": 1}, {"round": 2}]
    assert next(times, None) is None


def test_how_often_is_looked_at_before_anything_is_read(monkeypatch, tmp_path):
    config = tmp_path / "detector.yaml"
    config.write_text(
        "kafka: {bootstrap_servers: 'localhost:1'}\n"
        f"streams: [{{name: web, topic: web, model: 'registry://{tmp_path}/models/web@champion'}}]\n"
    )
    monkeypatch.setattr(Rounds, "__init__", lambda *_: pytest.fail("it began"))
    with pytest.raises(ConfigError, match=r"--every: .*nonsense"):
        retrain(config=config, every="nonsense")
