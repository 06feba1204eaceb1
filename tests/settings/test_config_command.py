from __future__ import annotations

import json

import jsonschema
import pytest
import yaml
from typer.testing import CliRunner

from detector.cli.config import app
from detector.errors import ConfigError
from detector.settings_file import fingerprint, load_settings

RUNNER = CliRunner()


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(*arguments, env=None):
    return RUNNER.invoke(app, list(arguments), env=env)


def refused(*arguments, env=None):
    """The message of the ConfigError that ends the command; `detector` shows it and exits with 2."""
    result = run(*arguments, env=env)
    assert isinstance(result.exception, ConfigError)
    assert result.exception.exit_code == 2
    assert result.stdout == ""
    return str(result.exception)


def make_bundle(folder, name="models/telemetry", manifest='{"schema_version": 1}'):
    (folder / name).mkdir(parents=True)
    (folder / name / "manifest.json").write_text(manifest)


def test_init_then_check(folder):
    result = run("init", "detector.yaml")
    assert (result.exit_code, result.stdout) == (0, "")
    assert result.stderr == "wrote detector.yaml; next: edit it, then: detector config check detector.yaml\n"
    make_bundle(folder)
    result = run("check", "detector.yaml", env={"RECONSTREAM_WORKER__INSTANCE": "worker-7"})
    assert result.exit_code == 0, result.exception
    stream = load_settings(folder / "detector.yaml", {}).streams[0]
    assert result.stdout == (
        "OK: detector.yaml\n"
        "  kafka: localhost:9092 (PLAINTEXT)\n"
        "  worker: worker-7 of group reconstream, exactly once\n"
        "  stream telemetry: topic telemetry (json, wide; series: record key; time: record timestamp), "
        f"model {folder / 'models/telemetry'}, settings {fingerprint(stream)[:12]}\n"
        "  writes: reconstream.events, reconstream.dead-letters, reconstream.state, reconstream.epochs\n"
        "  serves: http://127.0.0.1:9464/metrics\n"
    )


def test_init_to_stdout_is_what_init_writes(folder):
    run("init", "detector.yaml", "--topic", "sensors", "--model", "models/x")
    text = run("init", "--topic", "sensors", "--model", "models/x").stdout
    assert text == (folder / "detector.yaml").read_text()
    assert yaml.safe_load(text)["streams"][0]["topic"] == "sensors"


def test_init_does_not_overwrite_unless_told_to(folder):
    (folder / "detector.yaml").write_text("mine")
    assert refused("init", "detector.yaml") == (
        "detector.yaml: there is such a file already; name another, or overwrite it with --force"
    )
    assert (folder / "detector.yaml").read_text() == "mine"
    assert run("init", "detector.yaml", "--force").exit_code == 0
    assert (folder / "detector.yaml").read_text().startswith("# Settings of reconstream.")


def test_init_into_no_directory():
    assert refused("init", "no/such.yaml") == (
        "no/such.yaml: cannot be written (No such file or directory); name a file in a writable directory"
    )


def test_check_names_the_file_that_is_not_there():
    assert (
        refused("check") == "detector.yaml: there is no such file; write one with: detector config init detector.yaml"
    )


def test_check_uses_the_environment(folder):
    run("init", "detector.yaml")
    assert refused("check", env={"RECONSTREAM_HTTP__PORT": "x"}) == (
        "environment: RECONSTREAM_HTTP__PORT: http.port: 'x' is not a whole number; write digits only"
    )


STREAMS = """\
streams:
  - name: one
    topic: one
    model: missing
  - {name: two, topic: two, model: empty}
  - {name: three, topic: three, model: damaged}
  - {name: four, topic: four, model: good}
kafka:
  security_protocol: SASL_SSL
  sasl: {mechanism: PLAIN, username: me, password_file: secret}
  tls:
    ca_file: ca.pem
"""


def test_check_finds_every_file_that_is_not_there(folder):
    (folder / "detector.yaml").write_text(STREAMS)
    (folder / "empty").mkdir()
    make_bundle(folder, "damaged", "[")
    make_bundle(folder, "good")
    assert refused("check").split("\n") == [
        f"detector.yaml:4: streams[0].model: there is no bundle at {folder}/missing; "
        "name the directory that 'detector train --out' wrote",
        f"detector.yaml:5: streams[1].model: {folder}/empty is not a bundle: it has no manifest.json; "
        "name the directory that 'detector train --out' wrote",
        f"detector.yaml:6: streams[2].model: {folder}/damaged/manifest.json is damaged; "
        "train the bundle again, or copy it again",
        f"detector.yaml:10: kafka.sasl.password_file: there is no file {folder}/secret; correct the path",
        f"detector.yaml:12: kafka.tls.ca_file: there is no file {folder}/ca.pem; correct the path",
    ]


def test_check_finds_registries_that_are_none(folder):
    (folder / "detector.yaml").write_text(
        "streams: [{name: s, topic: t, model: 'registry://models/pumps@champion',\n           shadow: {model: gone}}]"
    )
    assert refused("check").split("\n") == [
        f"detector.yaml:1: streams[0].model: there is no registry of models at {folder}/models; correct the directory, "
        f"or begin one with: detector models push BUNDLE registry://{folder}/models/pumps",
        f"detector.yaml:2: streams[0].shadow.model: there is no bundle at {folder}/gone; "
        "name the directory that 'detector train --out' wrote",
    ]
    (folder / "models").mkdir()
    (folder / "models" / "registry.json").write_text("{}")
    make_bundle(folder, "gone")
    assert f"model registry://{folder}/models/pumps@champion, shadow {folder}/gone, settings" in run("check").stdout


def test_check_shows_the_login_but_no_secret(folder):
    (folder / "detector.yaml").write_text(STREAMS.replace("password_file: secret", "password: hunter2"))
    (folder / "ca.pem").touch()
    for name in ("missing", "empty", "damaged", "good"):
        make_bundle(folder, name)
    result = run("check")
    assert "kafka: localhost:9092 (SASL_SSL, PLAIN)\n" in result.stdout
    assert "hunter2" not in result.output


def test_a_manifest_that_may_not_be_read(folder):
    (folder / "detector.yaml").write_text("streams: [{name: s, topic: t, model: m}]")
    (folder / "m" / "manifest.json").mkdir(parents=True)
    assert refused("check") == (
        f"detector.yaml:1: streams[0].model: {folder}/m/manifest.json cannot be read (Is a directory); make it readable"
    )


def test_schema_prints_a_schema_that_accepts_the_starter_file():
    schema = json.loads(run("schema").stdout)
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.Draft202012Validator(schema).validate(yaml.safe_load(run("init").stdout))
