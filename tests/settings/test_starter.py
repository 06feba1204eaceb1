from __future__ import annotations

import re

import jsonschema
import pytest
import yaml
from pydantic_core import PydanticUndefined

from detector.settings import Settings
from detector.settings_file.schema import settings_schema
from detector.settings_file.starter import starter_text
from detector.settings_file.tree import leaves
from detector.settings_file.values import duration_text, yaml_value


def uncommented(text):
    """The file after a person has removed every '#' that stands before a setting."""
    return re.sub(r"^( *)#(?=[a-z_]+:)", r"\1", text, flags=re.MULTILINE)


def test_the_starter_file_gives_the_defaults(load):
    least = "streams: [{name: telemetry, topic: t, model: m}]"
    assert load(starter_text("t", "m")) == load(least)


def test_what_is_commented_out_shows_the_default(load):
    settings = load(uncommented(starter_text()))
    least = load("streams: [{name: telemetry, topic: telemetry, model: models/telemetry}]")
    assert settings.worker.instance == "worker-1"
    expected = least.model_copy(update={"worker": least.worker.model_copy(update={"instance": "worker-1"})})
    assert settings == expected


def test_every_setting_is_there_and_explained():
    lines = uncommented(starter_text()).splitlines()
    for key, _ in leaves():
        pattern = re.compile(rf"^ *(- |#  )?{key[-1]}: ")
        places = [number for number, line in enumerate(lines) if pattern.match(line)]
        assert places, key
        assert all(lines[number - 1].lstrip().startswith(("# ", "#  # ")) for number in places), key


def test_an_optional_section_works_once_it_is_uncommented(load):
    text = re.sub(r"^  #(?=(?:sasl|tls|auth):|  )", "  ", starter_text(), flags=re.MULTILINE)
    text = text.replace("#security_protocol: PLAINTEXT", "security_protocol: SASL_SSL")
    secrets = {"KAFKA_PASSWORD": "secret", "METRICS_PASSWORD": "other", "DASHBOARD_PASSWORD": "third"}
    settings = load(text, secrets)
    sasl, http = settings.kafka.sasl, settings.http
    assert http.tls is not None
    assert http.auth is not None
    assert (http.tls.cert_file.name, http.auth.username, http.auth.open_probes) == ("server.pem", "prometheus", True)
    assert sasl is not None
    assert (sasl.mechanism, sasl.username) == ("SCRAM-SHA-512", "reconstream")
    assert sasl.password is not None
    assert sasl.password.get_secret_value() == "secret"


def test_brokers_are_a_list(load):
    settings = load(starter_text(bootstrap_servers="kafka-1:9092, kafka-2:9092"))
    assert list(settings.kafka.bootstrap_servers) == ["kafka-1:9092", "kafka-2:9092"]


def test_names_that_yaml_would_misread_are_quoted(load):
    stream = load(starter_text("123", "a: #b")).streams[0]
    assert (stream.topic, stream.model.name) == ("123", "a: #b")


def test_the_schema_accepts_what_the_loader_accepts():
    schema = settings_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    validator = jsonschema.Draft202012Validator(schema)
    for text in (starter_text(), uncommented(starter_text())):
        assert [error.message for error in validator.iter_errors(yaml.safe_load(text))] == []


STREAM = {"name": "s", "topic": "t", "model": "m"}


@pytest.mark.parametrize(
    "change",
    [
        {"kafka": {"bootstrap_servers": "a:1,b:2"}},
        {"kafka": {"sasl": {"mechanism": "${MECHANISM}", "username": "u", "password": "p"}}},
        {"http": {"port": "${PORT:-1}", "stalled_after_seconds": "5m"}},
        {"topics": {"create": "${CREATE}", "events": "${PREFIX}.events"}},
        {"streams": [{**STREAM, "incidents": {"threshold": "${THRESHOLD}"}}]},
        {"log": None},
    ],
)
def test_the_schema_allows(change):
    jsonschema.Draft202012Validator(settings_schema()).validate({"streams": [STREAM], **change})


@pytest.mark.parametrize(
    "change",
    [
        {"unknown": 1},
        {"streams": []},
        {"streams": [{"name": "s", "topic": "t"}]},
        {"streams": None},
        {"http": {"port": 70_000}},
        {"http": {"port": "many"}},
        {"http": {"prot": 1}},
        {"log": {"level": "loud"}},
        {"topics": {"events": "a b"}},
        {"streams": [{**STREAM, "window": {"stride": 0}}]},
    ],
)
def test_the_schema_refuses(change):
    assert not jsonschema.Draft202012Validator(settings_schema()).is_valid({"streams": [STREAM], **change})


def test_every_setting_has_a_description_in_the_schema():
    for model in settings_schema()["$defs"].values():
        for name, field in model["properties"].items():
            assert field.get("description") or "$ref" in str(field), name


def test_the_schema_does_not_depend_on_the_machine():
    instance = Settings.model_fields["worker"].annotation.model_fields["instance"]
    assert instance.default is PydanticUndefined
    assert "default" not in settings_schema()["$defs"]["WorkerSettings"]["properties"]["instance"]
    assert "instance" not in settings_schema()["properties"]["worker"].get("default", {})


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.0, "0s"),
        (0.5, "500ms"),
        (0.0025, "2.5ms"),
        (1.0, "1s"),
        (90.0, "90s"),
        (900.0, "15m"),
        (3600.0, "1h"),
        (86_400.0, "1d"),
        (604_800.0, "1w"),
        (31_536_000.0, "365d"),
        (-1.0, "-1"),
    ],
)
def test_durations(seconds, text):
    assert duration_text(seconds) == text
    assert yaml_value("x_seconds", seconds) == text
