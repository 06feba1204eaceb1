"""Options that several commands take: each command refuses what cannot be meant, in the same words."""

from __future__ import annotations

from pathlib import Path

import pytest

from detector.cli import main
from detector.cli.common.options import cluster_at, named_stream
from detector.errors import ConfigError
from detector.settings import KafkaSettings, Settings


@pytest.mark.parametrize(
    "command",
    [
        ("train", "--topic", "telemetry", "--out", "new"),
        ("replay", "--topic", "telemetry", "--model", "models/pumps"),
        ("inspect", "--topic", "telemetry", "--model", "models/pumps", "--series", "web-1"),
        ("repartition", "telemetry", "telemetry-by-series"),
        ("publish", "telemetry.csv", "--topic", "telemetry"),
    ],
    ids=lambda command: command[0],
)
def test_an_address_that_is_none_is_refused_by_every_command(
    command: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as ended:
        main([*command, "--bootstrap-server", "localhost"])
    assert ended.value.code == ConfigError.exit_code
    assert capsys.readouterr().err == "error: --bootstrap-server: 'localhost' is not an address; write host:port\n"


def test_an_address_takes_the_place_of_the_configured_ones_and_keeps_the_login() -> None:
    kafka = KafkaSettings.model_validate(
        {
            "bootstrap_servers": "a:1,b:2",
            "security_protocol": "SASL_SSL",
            "sasl": {"mechanism": "PLAIN", "username": "me", "password": "secret"},
        }
    )
    found = cluster_at(kafka, "c:3,d:4")
    assert found.bootstrap_servers == ("c:3", "d:4")
    assert found.sasl == kafka.sasl
    assert cluster_at(kafka, None) == kafka


def test_a_stream_that_the_configuration_does_not_have_is_named_with_those_that_it_has() -> None:
    streams = [{"name": name, "topic": name, "model": "models/pumps"} for name in ("pumps", "fans")]
    settings = Settings.model_validate({"streams": streams})
    assert named_stream(settings, "fans", Path("detector.yaml")).topic == "fans"
    with pytest.raises(ConfigError, match=r"--stream: detector.yaml has no stream 'valves'; it has pumps, fans"):
        named_stream(settings, "valves", Path("detector.yaml"))
