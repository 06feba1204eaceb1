from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from detector.errors import ConfigError
from detector.model_address import RegistryReference
from detector.settings import SaslSettings, Settings
from detector.settings_file import load_settings

STREAM = """\
streams:
  - name: servers
    topic: telemetry
    model: models/servers
"""


def test_the_least_file_gives_the_defaults(load, tmp_path):
    expected = {"streams": [{"name": "servers", "topic": "telemetry", "model": tmp_path / "models/servers"}]}
    assert load() == Settings.model_validate(expected)


def test_every_kind_of_value(load, tmp_path):
    settings = load(
        STREAM
        + """\
    record: {series_fields: [tags.host], channel_fields: {cpu: load.0}, time_unit: auto}
    window: {stride: 2, forget_after_seconds: 1h30m, stale_after_seconds: 0.5, max_jump_seconds: "90"}
    incidents:
      threshold: 2.5
kafka:
  bootstrap_servers: "a:1, [::1]:2"
  security_protocol: SASL_SSL
  sasl: {mechanism: PLAIN, username: me, password_file: secrets/kafka}
  tls: {ca_file: /etc/ca.pem, check_hostname: no}
topics:
  retention_seconds: -1
http: {port: 0}
"""
    )
    stream = settings.streams[0]
    assert stream.record.series_fields == ("tags.host",)
    assert stream.record.channel_fields == {"cpu": "load.0"}
    assert (stream.window.stride, stream.window.forget_after_seconds) == (2, 5400.0)
    assert (stream.window.stale_after_seconds, stream.window.max_jump_seconds) == (0.5, 90.0)
    assert stream.incidents.threshold == 2.5
    assert settings.kafka.bootstrap_servers == ("a:1", "[::1]:2")
    assert settings.kafka.sasl is not None
    assert settings.kafka.sasl.password_file == tmp_path / "secrets/kafka"
    assert settings.kafka.tls.ca_file == Path("/etc/ca.pem")
    assert settings.kafka.tls.check_hostname is False
    assert settings.topics.retention_seconds == -1
    assert settings.http.port == 0


def test_relative_paths_start_at_the_directory_of_the_file(tmp_path, monkeypatch):
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc" / "detector.yaml").write_text(STREAM)
    monkeypatch.chdir(tmp_path)
    env = {"RECONSTREAM_KAFKA__TLS__CA_FILE": "ca.pem"}
    settings = load_settings(Path("etc/detector.yaml"), env)
    assert settings.streams[0].model == tmp_path / "etc/models/servers"
    assert settings.kafka.tls.ca_file == tmp_path / "etc/ca.pem"


def test_an_empty_section_means_its_defaults(load):
    assert load(STREAM + "    record:\n    window:\nkafka:\n  tls:\n  sasl:\nworker:\n") == load()


def test_json_is_yaml(load):
    text = '{"streams": [{"name": "servers", "topic": "telemetry", "model": "models/servers"}], "http": {"port": 1}}'
    assert load(text).http.port == 1


def test_streams_share_settings_through_an_anchor(load):
    settings = load(
        """\
streams:
  - &base
    name: one
    topic: one
    model: m
    window: &window {stride: 3, max_gap_steps: 1}
  - <<: *base
    name: two
    topic: two
    window:
      <<: [{stride: 9}, *window]
      max_series: 5
"""
    )
    one, two = settings.streams
    assert (one.window.stride, one.window.max_gap_steps, one.window.max_series) == (3, 1, 1_000_000)
    assert (two.name, two.model) == ("two", one.model)
    assert (two.window.stride, two.window.max_gap_steps, two.window.max_series) == (9, 1, 5)


@pytest.mark.parametrize(
    ("written", "env", "value"),
    [
        ("${GROUP}", {"GROUP": "g"}, "g"),
        ("a-${GROUP}-${GROUP}", {"GROUP": "g"}, "a-g-g"),
        ("${GROUP:-other}", {"GROUP": "g"}, "g"),
        ("${GROUP:-other}", {}, "other"),
        ("${GROUP:-other}", {"GROUP": ""}, "other"),
        ("'${GROUP:-a:b c}'", {}, "a:b c"),
        ("$${GROUP}", {"GROUP": "g"}, "${GROUP}"),
        ("$GROUP", {"GROUP": "g"}, "$GROUP"),
        ("${GROUP}", {"GROUP": "${OTHER}"}, "${OTHER}"),
        # What a variable holds is text, and adds no structure.
        ("${GROUP}", {"GROUP": "x\nhttp: {port: 5}"}, "x\nhttp: {port: 5}"),
        ("${GROUP}", {"GROUP": "007"}, "007"),
    ],
)
def test_variables_in_values(load, written, env, value):
    settings = load(
        STREAM + f"worker: {{group: {written}}}" if "'" in written else STREAM + f"worker:\n  group: {written}\n", env
    )
    assert settings.worker.group == value


def test_variables_for_numbers_and_durations(load):
    text = STREAM + "http: {port: '${PORT}', stalled_after_seconds: '${STALLED:-2m}'}\n"
    settings = load(text, {"PORT": "81"})
    assert (settings.http.port, settings.http.stalled_after_seconds) == (81, 120.0)


def test_the_environment_wins_over_the_file(load, tmp_path):
    settings = load(
        STREAM + "http: {port: 5}\nkafka: {sasl: null}\n",
        {
            "RECONSTREAM_KAFKA__BOOTSTRAP_SERVERS": "a:1,b:2",
            "RECONSTREAM_KAFKA__SECURITY_PROTOCOL": "SASL_SSL",
            "RECONSTREAM_KAFKA__SASL__MECHANISM": "SCRAM-SHA-256",
            "RECONSTREAM_KAFKA__SASL__USERNAME": "me",
            "RECONSTREAM_KAFKA__SASL__PASSWORD": "{123",
            "RECONSTREAM_WORKER__STATIC_MEMBERSHIP": "false",
            "RECONSTREAM_WORKER__BAD_RECORDS__MAX_RUN": "7",
            "RECONSTREAM_HTTP__PORT": "6",
            "RECONSTREAM_STREAMS__0__TOPIC": "other",
            "RECONSTREAM_STREAMS__0__RECORD__SERIES_FIELDS": '["a.b", c]',
            "RECONSTREAM_STREAMS__0__RECORD__CHANNEL_FIELDS": "{cpu: load.0}",
            "RECONSTREAM_STREAMS__0__INCIDENTS__THRESHOLD": "",
            "RECONSTREAM_STREAMS__1__NAME": "second",
            "RECONSTREAM_STREAMS__1__TOPIC": "second",
            "RECONSTREAM_STREAMS__1__MODEL": "models/second",
        },
    )
    assert settings.kafka.bootstrap_servers == ("a:1", "b:2")
    assert settings.kafka.sasl is not None
    assert settings.kafka.sasl.password is not None
    assert settings.kafka.sasl.password.get_secret_value() == "{123"
    assert (settings.worker.static_membership, settings.worker.bad_records.max_run) == (False, 7)
    assert settings.http.port == 6
    first, second = settings.streams
    assert (first.topic, first.record.series_fields) == ("other", ("a.b", "c"))
    assert first.record.channel_fields == {"cpu": "load.0"}
    assert first.incidents.threshold is None
    assert (second.name, second.model) == ("second", tmp_path / "models/second")


def test_variables_of_others_are_left_alone(load):
    env = {
        "RECONSTREAM_CACHE": "x",
        # What Kubernetes adds for a service named reconstream-kafka.
        "RECONSTREAM_KAFKA_PORT": "tcp://10.0.0.1:9092",
        "RECONSTREAM_KAFKA_SERVICE_HOST": "10.0.0.1",
        "RECONSTREAM_KAFKA_PORT_9092_TCP": "tcp://10.0.0.1:9092",
        "KAFKA__BOOTSTRAP_SERVERS": "z:1",
    }
    assert load(env=env) == load()


def test_secrets_do_not_show(load):
    settings = load(
        STREAM + "kafka: {security_protocol: SASL_SSL, sasl: {mechanism: PLAIN, username: me, password: hunter2}}"
    )
    assert "hunter2" not in repr(settings) + str(settings) + settings.model_dump_json()


def test_secrets_do_not_show_in_the_errors_of_the_models_themselves():
    with pytest.raises(ValidationError) as caught:
        SaslSettings.model_validate({"mechanism": "PLAIN", "username": 5, "password": ["hunter2"]})
    assert "hunter2" not in str(caught.value)


def test_a_missing_file_says_how_to_write_one(tmp_path):
    with pytest.raises(ConfigError) as caught:
        load_settings(tmp_path / "detector.yaml", {})
    path = tmp_path / "detector.yaml"
    assert str(caught.value) == f"{path}: there is no such file; write one with: detector config init {path}"


def test_a_directory_is_no_file(tmp_path):
    with pytest.raises(ConfigError) as caught:
        load_settings(tmp_path, {})
    assert str(caught.value) == f"{tmp_path}: cannot be read (Is a directory); name a readable file"


def test_files_that_are_something_else(tmp_path):
    path = tmp_path / "model.keras"
    path.write_bytes(b"a: 1\nb: \xff\xfe\n")
    with pytest.raises(ConfigError) as caught:
        load_settings(path, {})
    assert str(caught.value) == f"{path}:2: not UTF-8; save the file in this encoding"
    path.write_bytes(b"#" * 1_048_577)
    with pytest.raises(ConfigError) as caught:
        load_settings(path, {})
    assert str(caught.value) == f"{path}: larger than 1048576 bytes; this is not a settings file"


def test_models_of_registries(load, tmp_path):
    settings = load(
        "streams:\n"
        "  - {name: a, topic: a, model: registry://models/pumps@champion,"
        " shadow: {model: 's3://bucket/m/pumps@challenger', share: 0.5}}\n"
        "  - {name: b, topic: b, model: registry:///srv/models/pumps@champion}\n"
        "registry: {check_interval_seconds: 5m, cache_directory: cache}\n"
    )
    one, two = settings.streams
    assert one.model == RegistryReference(f"registry://{tmp_path}/models", "pumps", "champion")
    assert one.shadow is not None
    assert (one.shadow.model, one.shadow.share) == (RegistryReference("s3://bucket/m", "pumps", "challenger"), 0.5)
    assert str(two.model) == "registry:///srv/models/pumps@champion"
    assert settings.registry.cache_directory == tmp_path / "cache"
    # The settings of another time are made of dumped ones.
    assert type(one).model_validate(one.model_dump()) == one
