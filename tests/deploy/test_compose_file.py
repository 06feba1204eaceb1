"""docker-compose.yml without running it: its schema, and that whatever it names is there and fits."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml
from kafka.admin import ConfigResource, ConfigResourceType, KafkaAdminClient

from detector.broker import LocalBroker
from detector.settings import Settings
from detector.settings_file import load_settings
from tests.deploy.compose import COMPOSE, ROOT, compose, mounts, published_ports
from tests.deploy.dockerfile import stages

SERVICES: dict[str, dict[str, Any]] = compose()["services"]
OURS = {name: service for name, service in SERVICES.items() if "build" in service}
LONG_LIVED = {name for name, service in SERVICES.items() if service["restart"] == "unless-stopped"}

# What the pinned Grafana reads (conf/defaults.ini): section and key as GF_SECTION_KEY. Look there before adding one.
GRAFANA_READS = {
    "GF_ANALYTICS_CHECK_FOR_PLUGIN_UPDATES", "GF_ANALYTICS_CHECK_FOR_UPDATES", "GF_ANALYTICS_REPORTING_ENABLED",
    "GF_AUTH_ANONYMOUS_ENABLED", "GF_AUTH_ANONYMOUS_ORG_ROLE", "GF_AUTH_DISABLE_LOGIN_FORM", "GF_LOG_MODE",
    "GF_NEWS_NEWS_FEED_ENABLED", "GF_PLUGINS_PREINSTALL_DISABLED", "GF_SECURITY_DISABLE_INITIAL_ADMIN_CREATION",
}  # fmt: skip


def check_schema(path: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec", str(path)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_it_follows_the_compose_specification(tmp_path: Path) -> None:
    done = check_schema(COMPOSE)
    assert done.returncode == 0, done.stdout
    wrong = tmp_path / "docker-compose.yml"
    wrong.write_text(COMPOSE.read_text().replace("healthcheck:", "healthchecks:", 1))
    assert check_schema(wrong).returncode == 1


def test_images_are_pinned_by_version() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    for name, service in SERVICES.items():
        tag = service["image"].partition("@")[0].rpartition(":")[2]
        assert re.fullmatch(r"v?\d+\.\d+\.\d+", tag), f"{name}: {service['image']}"
        if name in OURS:
            assert tag == project["version"]
            assert service["image"] == f"reconstream-{service['build']['target']}:{tag}"


def test_kafka_is_the_version_that_everything_is_tested_with() -> None:
    lock = (ROOT / "detector" / "broker" / "jars.lock").read_text()
    (tested,) = re.findall(r"Apache Kafka (\d+\.\d+\.\d+)", lock)
    assert SERVICES["kafka"]["image"] == f"docker.io/apache/kafka:{tested}"


@pytest.mark.parametrize("name", OURS)
def test_images_are_built_from_stages_that_exist(name: str) -> None:
    build = OURS[name]["build"]
    assert (ROOT / build["context"] / build["dockerfile"]).is_file()
    assert build["target"] in stages()


@pytest.mark.parametrize("name", SERVICES)
def test_whatever_is_mounted_exists_and_is_used(name: str) -> None:
    service = SERVICES[name]
    said = yaml.safe_dump([service.get("command"), service.get("healthcheck"), service.get("environment")])
    for mount in mounts(service):
        if mount.is_bind:
            assert (ROOT / mount.source).exists(), mount.source
            assert mount.read_only, f"{mount.source}: a container must not write into the checkout"
        else:
            assert mount.source in compose()["volumes"]
        configuration = Path("/etc/grafana"), Path("/var/lib/grafana")
        named = f"{mount.target}" in said
        by_configuration = mount.target == "/models" and "/etc/reconstream/detector.yaml" in said
        by_the_image = any(Path(mount.target).is_relative_to(path) for path in configuration)
        assert named or by_configuration or by_the_image, f"nothing names {mount.target}"


def test_every_volume_is_mounted() -> None:
    used = {mount.source for service in SERVICES.values() for mount in mounts(service) if not mount.is_bind}
    assert used == set(compose()["volumes"])


def test_ports_are_those_that_are_listened_on_and_open_to_this_machine_only() -> None:
    settings = load_settings(ROOT / "deploy" / "compose" / "detector.yaml", {})
    listeners = dict(text.split("://:") for text in SERVICES["kafka"]["environment"]["KAFKA_LISTENERS"].split(","))
    # Where a service gives none, the port of its own documentation.
    listened = {
        "kafka": int(listeners["HOST"]), "worker": settings.http.port, "dashboard": 9465, "prometheus": 9090,
        "alertmanager": 9093, "grafana": 3000,
    }  # fmt: skip
    published = {name: published_ports(service) for name, service in SERVICES.items() if "ports" in service}
    assert published == {name: [("127.0.0.1", port, port)] for name, port in listened.items()}
    assert settings.http.host == "0.0.0.0"  # noqa: S104 - or nobody outside of the container would reach it
    for name in set(OURS) & set(published):
        assert stages()[OURS[name]["build"]["target"]].exposed == [listened[name]]


def test_addresses_of_other_services_are_right() -> None:
    environment = SERVICES["kafka"]["environment"]
    settings = load_settings(ROOT / "deploy" / "compose" / "detector.yaml", {})
    advertised = dict(text.split("://") for text in environment["KAFKA_ADVERTISED_LISTENERS"].split(","))
    assert settings.kafka.bootstrap_servers == (advertised["INTERNAL"],)
    assert advertised["HOST"] == "localhost:9092"
    alertmanager = yaml.safe_load((ROOT / "deploy" / "alertmanager" / "alertmanager.yaml").read_text())
    hooks = [hook["url"] for receiver in alertmanager["receivers"] for hook in receiver["webhook_configs"]]
    port = SERVICES["notifications"]["command"][-1]
    assert {url.rpartition("/")[0] for url in hooks} == {f"http://notifications:{port}"}
    prometheus = yaml.safe_load((ROOT / "deploy" / "prometheus" / "prometheus.yaml").read_text())
    targets = [
        target
        for section in (prometheus["scrape_configs"], prometheus["alerting"]["alertmanagers"])
        for entry in section
        for group in entry["static_configs"]
        for target in group["targets"]
    ]
    inside = {f"{name}:{port}" for name, service in SERVICES.items() for _, _, port in published_ports(service)}
    assert set(targets) <= inside | {"localhost:9090"}
    assert "worker:9464" in targets


def test_what_a_service_waits_for_can_happen() -> None:
    for name, service in SERVICES.items():
        for other, wait in service.get("depends_on", {}).items():
            awaited = SERVICES[other]
            if wait["condition"] == "service_healthy":
                assert "test" in awaited["healthcheck"], f"{name} waits for {other}, which has no health check"
            else:
                assert wait["condition"] == "service_completed_successfully"
                assert awaited["restart"] != "unless-stopped", f"{name} waits for the end of {other}, which has none"


def test_a_health_check_for_all_that_answer() -> None:
    for name, service in SERVICES.items():
        answers = "ports" in service or name == "notifications"
        assert answers == ("test" in service["healthcheck"]), name
    for name in ("worker", "dashboard"):
        assert SERVICES[name]["healthcheck"]["test"][1:] == stages()[name].health


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_may_do_no_more_than_it_needs(name: str) -> None:
    service = SERVICES[name]
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service.get("read_only") or name == "kafka"
    assert not {"privileged", "network_mode", "pid", "cap_add", "devices"} & set(service)
    assert set(service["deploy"]["resources"]["limits"]) == {"cpus", "memory", "pids"}
    assert service["networks"] == ["stack"]
    assert service["logging"]["options"]["max-size"]
    if name in OURS:
        assert stages()[service["build"]["target"]].user == "10001:10001"


def test_environment_variables_are_those_that_the_programs_read() -> None:
    for name, service in SERVICES.items():
        for variable in service.get("environment", {}):
            if name == "kafka":
                assert re.fullmatch(r"CLUSTER_ID|KAFKA_[A-Z_]+", variable)
            elif name == "grafana":
                assert variable in GRAFANA_READS
            else:
                raise AssertionError(f"{name}: settings belong into deploy/compose/detector.yaml, not {variable}")


@pytest.mark.kafka
def test_settings_of_the_broker_are_those_that_a_broker_has(broker: LocalBroker) -> None:
    admin = KafkaAdminClient(bootstrap_servers=broker.bootstrap)
    try:
        (node,) = {node["broker_id"] for node in admin.describe_cluster()["brokers"]}
        resource = ConfigResource(ConfigResourceType.BROKER, str(node))
        (known,) = admin.describe_configs([resource], config_filter="all")["broker"].values()
    finally:
        admin.close()
    of_the_image = {"CLUSTER_ID", "KAFKA_HEAP_OPTS"}
    variables = set(SERVICES["kafka"]["environment"]) - of_the_image
    wanted = {variable.removeprefix("KAFKA_").lower().replace("_", ".") for variable in variables}
    assert wanted <= set(known)


def test_the_workers_settings_are_checked() -> None:
    settings = load_settings(ROOT / "deploy" / "compose" / "detector.yaml", {})
    assert isinstance(settings, Settings)
    (stream,) = settings.streams
    for name in ("model", "publisher"):
        said = " ".join(SERVICES[name]["command"]).replace("=", " ")
        assert f"--topic {stream.topic}" in said
    # The alias that `model` sets is the one that the worker follows.
    assert str(stream.model) == "registry:///models/registry/telemetry@champion"
    assert "--push /models/registry/telemetry --alias champion" in SERVICES["model"]["command"][0]
    grace = SERVICES["worker"]["stop_grace_period"]
    assert settings.worker.drain_timeout_seconds < int(grace.removesuffix("s"))


def test_telemetry_is_compressed_alike_for_training_and_for_watching() -> None:
    (trained,) = re.findall(r"--compress (\d+)", SERVICES["model"]["command"][0])
    assert f"--compress={trained}" in SERVICES["publisher"]["command"]
    files = {f"/telemetry/live/{path.name}" for path in (ROOT / "examples" / "telemetry" / "live").glob("*.parquet")}
    assert files <= set(SERVICES["publisher"]["command"])
