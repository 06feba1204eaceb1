"""deploy/kubernetes: each object against the schema of its kind, and what they say of each other."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jsonschema
import kubernetes_validate
import pytest
import yaml

from deploy.kubernetes.rules import TARGET, text
from detector.settings import Settings
from detector.settings_file import load_settings
from tests.cli.test_examples import check
from tests.deploy.dockerfile import ROOT, stages
from tests.deploy.kustomize import Object, build

FOLDER = ROOT / "deploy" / "kubernetes"
SCHEMAS = ROOT / "tests" / "deploy" / "schemas"
BUILT = {"base": build(FOLDER / "base"), "example": build(FOLDER / "overlays" / "example")}
CUSTOM = {"PodMonitor", "PrometheusRule", "ScaledObject", "TriggerAuthentication"}
EXAMPLE = {(each["kind"], each["metadata"]["name"]): each for each in BUILT["example"]}
WORKER = EXAMPLE["StatefulSet", "reconstream-worker"]
WORKLOADS = [each for each in BUILT["example"] if each["kind"] in ("StatefulSet", "Deployment", "CronJob")]
VERSIONS = ("1.29", "1.34")


def pod_of(workload: Object) -> Any:
    """The template of a workload's pods."""
    spec = workload["spec"]
    return spec["jobTemplate"]["spec"]["template"] if workload["kind"] == "CronJob" else spec["template"]


def container_of(workload: Object) -> Any:
    (container,) = pod_of(workload)["spec"]["containers"]
    return container


def validator(kind: str) -> jsonschema.Draft202012Validator:
    return jsonschema.Draft202012Validator(json.loads((SCHEMAS / f"{kind.lower()}.json").read_text()))


def named(objects: list[Object]) -> list[Any]:
    return [pytest.param(each, id=f"{each['kind']}-{each['metadata']['name']}") for each in objects]


@pytest.mark.parametrize("each", named(BUILT["base"] + BUILT["example"]))
def test_every_object_is_of_its_kind(each: Object) -> None:
    if each["kind"] in CUSTOM:
        problems = [f"{'/'.join(map(str, e.path))}: {e.message}" for e in validator(each["kind"]).iter_errors(each)]
        assert not problems
    else:
        for version in VERSIONS:
            kubernetes_validate.validate(each, version, strict=True)


@pytest.mark.parametrize(
    ("kind", "way"),
    [
        ("ScaledObject", ["spec", "maxReplicas"]),
        ("PodMonitor", ["spec", "podMetricsEndpoint"]),
        ("PrometheusRule", ["spec", "group"]),
        ("TriggerAuthentication", ["spec", "secretRef"]),
    ],
)
def test_a_field_that_its_kind_does_not_have_is_found(kind: str, way: list[str]) -> None:
    (each,) = [found for found in BUILT["example"] if found["kind"] == kind]
    wrong = json.loads(json.dumps(each))
    wrong[way[0]][way[1]] = 1
    assert list(validator(kind).iter_errors(wrong))


def test_kustomize_builds_the_same() -> None:
    # Without kubectl, what the tests built by themselves has to do; a machine that has it says whether that is right.
    if shutil.which("kubectl") is None:
        assert BUILT["example"]
        return
    for name, folder in (("base", FOLDER / "base"), ("example", FOLDER / "overlays" / "example")):
        done = subprocess.run(
            ["kubectl", "kustomize", str(folder)], capture_output=True, text=True, check=False,
            env={**os.environ, "KUBECONFIG": os.devnull},
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        # Its name follows the content: reconstream-2gh9c2mgb2.
        (suffix,) = set(re.findall(r"^  name: reconstream(-[a-z0-9]{10})$", done.stdout, flags=re.MULTILINE))
        plain = done.stdout.replace(f"reconstream{suffix}", "reconstream")
        by_name = {(o["kind"], o["metadata"]["name"]): o for o in yaml.safe_load_all(plain)}
        assert by_name == {(o["kind"], o["metadata"]["name"]): o for o in BUILT[name]}


def test_every_file_is_used() -> None:
    used = {FOLDER / "README.md", FOLDER / "rules.py"}
    for path in FOLDER.rglob("kustomization.yaml"):
        used.add(path)
        here = yaml.safe_load(path.read_text())
        used |= {path.parent / name for name in here.get("resources", [])}
        used |= {path.parent / entry["path"] for entry in here.get("patches", []) if "path" in entry}
        used |= {path.parent / name for entry in here.get("configMapGenerator", []) for name in entry["files"]}
    found = {path for path in FOLDER.rglob("*") if path.is_file() and "__pycache__" not in path.parts}
    assert found <= used


def test_the_rules_are_those_of_deploy_prometheus() -> None:
    assert TARGET.read_text(encoding="utf-8") == text(), "run python -m deploy.kubernetes.rules"


@pytest.mark.parametrize("workload", named(WORKLOADS))
def test_pods_may_do_no_more_than_they_need(workload: Object) -> None:
    pod, container = pod_of(workload)["spec"], container_of(workload)
    user = pod["securityContext"]
    assert user["runAsNonRoot"] is True
    target = re.findall(r"reconstream/(\w+):", container["image"])[0]
    assert f"{user['runAsUser']}:{user['runAsGroup']}" == stages()[target].user
    assert user["seccompProfile"] == {"type": "RuntimeDefault"}
    assert pod["automountServiceAccountToken"] is False
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]},
    }  # fmt: skip
    assert {"cpu", "memory"} <= set(container["resources"]["requests"])
    assert "memory" in container["resources"]["limits"]


@pytest.mark.parametrize("workload", named(WORKLOADS))
def test_what_is_mounted_is_there_and_what_is_written_to_is_mounted(workload: Object) -> None:
    pod, container = pod_of(workload)["spec"], container_of(workload)
    volumes = {volume["name"]: volume for volume in pod["volumes"]}
    mounted = {mount["mountPath"]: volumes[mount["name"]] for mount in container["volumeMounts"]}
    assert {mount["name"] for mount in container["volumeMounts"]} == set(volumes)
    assert {"/tmp", "/models", "/etc/reconstream", "/var/cache/reconstream"} <= set(mounted)
    assert mounted["/etc/reconstream"]["configMap"]["name"] == "reconstream"
    claim = mounted["/models"]["persistentVolumeClaim"]["claimName"]
    assert ("PersistentVolumeClaim", claim) in EXAMPLE
    assert f"{container['args'][container['args'].index('-c') + 1]}" == "/etc/reconstream/detector.yaml"
    assert set(EXAMPLE["ConfigMap", "reconstream"]["data"]) == {"detector.yaml"}
    assert ("ServiceAccount", pod["serviceAccountName"]) in EXAMPLE


def variables(workload: Object) -> Mapping[str, str]:
    """The environment of a workload's container; what comes from elsewhere stands in its place."""
    found = {}
    for entry in container_of(workload).get("env", []):
        source = entry.get("valueFrom", {})
        found[entry["name"]] = entry.get("value") or source.get("fieldRef", source.get("secretKeyRef", {})).get(
            "fieldPath", "somebody"
        )
    return found


def settings_of(workload: Object, tmp_path: Path) -> Settings:
    path = tmp_path / "detector.yaml"
    path.write_text(EXAMPLE["ConfigMap", "reconstream"]["data"]["detector.yaml"])
    return load_settings(path, variables(workload))


@pytest.mark.parametrize("workload", named(WORKLOADS))
def test_the_environment_holds_settings_that_there_are(workload: Object, tmp_path: Path) -> None:
    # Loading refuses a variable that looks like a setting and names none.
    settings = settings_of(workload, tmp_path)
    assert settings.kafka.security_protocol == "SASL_SSL"
    assert settings.kafka.sasl is not None
    login = {mount["mountPath"] for mount in container_of(workload)["volumeMounts"]}
    assert str(settings.kafka.sasl.password_file.parent) in login  # type: ignore[union-attr]
    assert str(settings.kafka.tls.ca_file.parent) in login  # type: ignore[union-attr]


def test_the_settings_of_the_base_are_right(tmp_path: Path) -> None:
    for name in ("base/detector.yaml", "overlays/example/detector.yaml"):
        settings = load_settings(FOLDER / name, {})
        mounts = {mount["mountPath"] for mount in container_of(WORKER)["volumeMounts"]}
        assert str(settings.worker.state.directory) in mounts
        assert settings.http.host == "0.0.0.0"  # noqa: S104 - or the kubelet would not reach it
        assert str(settings.streams[0].model).startswith("registry:///models/")


def test_a_worker_keeps_its_name_and_has_time_to_finish(tmp_path: Path) -> None:
    settings = settings_of(WORKER, tmp_path)
    assert settings.worker.instance == "metadata.name", "the name of the pod"
    assert settings.worker.static_membership
    assert pod_of(WORKER)["spec"]["terminationGracePeriodSeconds"] > settings.worker.drain_timeout_seconds + 20
    assert settings.worker.session_timeout_seconds > settings.worker.drain_timeout_seconds, "or a restart rebalances"


def test_probes_ask_what_the_program_answers(tmp_path: Path) -> None:
    settings = settings_of(WORKER, tmp_path)
    ports = {"worker": settings.http.port, "dashboard": 9465}
    for workload in WORKLOADS:
        container = container_of(workload)
        if workload["kind"] == "CronJob":
            continue
        assert {port["name"]: port["containerPort"] for port in container["ports"]} == {
            "http": ports[container["name"]]
        }
        asked = {name: container[f"{name}Probe"]["httpGet"] for name in ("startup", "readiness", "liveness")}
        assert {probe["port"] for probe in asked.values()} == {"http"}
        assert {name: probe["path"] for name, probe in asked.items()} == {
            "startup": "/healthz", "readiness": "/readyz", "liveness": "/healthz",
        }  # fmt: skip


@pytest.mark.parametrize("workload", named(WORKLOADS))
def test_commands_are_accepted(workload: Object) -> None:
    check(shlex.join(["detector", *container_of(workload)["args"]]))


def matches(selector: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    return set(selector["matchLabels"].items() if "matchLabels" in selector else selector.items()) <= set(
        labels.items()
    )


def test_selectors_find_the_pods_that_they_are_meant_for() -> None:
    labels = {each["metadata"]["name"]: pod_of(each)["metadata"]["labels"] for each in WORKLOADS}
    wanted = {
        ("StatefulSet", "reconstream-worker"): {"reconstream-worker"},
        ("Deployment", "reconstream-dashboard"): {"reconstream-dashboard"},
        ("Service", "reconstream-worker"): {"reconstream-worker"},
        ("Service", "reconstream-dashboard"): {"reconstream-dashboard"},
        ("PodDisruptionBudget", "reconstream-worker"): {"reconstream-worker"},
        ("PodMonitor", "reconstream"): {"reconstream-worker"},
    }
    for key, pods in wanted.items():
        selector = EXAMPLE[key]["spec"]["selector"]
        assert {name for name, found in labels.items() if matches(selector, found)} == pods, key
    policies = {
        name: EXAMPLE["NetworkPolicy", name]["spec"]["podSelector"] for name in ("reconstream", "reconstream-dashboard")
    }
    assert all(matches(policies["reconstream"], found) for found in labels.values())
    assert [name for name, found in labels.items() if matches(policies["reconstream-dashboard"], found)] == [
        "reconstream-dashboard"
    ]
    for spread in pod_of(WORKER)["spec"]["topologySpreadConstraints"]:
        assert matches(spread["labelSelector"], labels["reconstream-worker"])


def test_keda_asks_about_the_workers_own_group_and_topic(tmp_path: Path) -> None:
    settings = settings_of(WORKER, tmp_path)
    spec = EXAMPLE["ScaledObject", "reconstream-worker"]["spec"]
    (trigger,) = spec["triggers"]
    metadata = trigger["metadata"]
    assert metadata["consumerGroup"] == settings.worker.group
    assert metadata["topic"] == settings.streams[0].topic
    assert metadata["bootstrapServers"] == ",".join(settings.kafka.bootstrap_servers)
    assert metadata["offsetResetPolicy"] == settings.worker.auto_offset_reset
    assert metadata["sasl"] == settings.kafka.sasl.mechanism.lower().replace("-", "_").replace("sha_", "sha")  # type: ignore[union-attr]
    assert (metadata["allowIdleConsumers"], metadata["excludePersistentLag"]) == ("false", "true")
    # More than what waits between two commits of a worker at full speed, or the number of workers swings.
    assert int(metadata["lagThreshold"]) >= settings.worker.commit_records
    assert 1 <= spec["minReplicaCount"] <= spec["fallback"]["replicas"] <= spec["maxReplicaCount"]
    assert "replicas" not in WORKER["spec"], "or applying would undo what KEDA did"
    assert ("TriggerAuthentication", trigger["authenticationRef"]["name"]) in EXAMPLE


def test_trigger_parameters_are_those_that_keda_reads() -> None:
    known = set(json.loads((SCHEMAS / "keda-kafka-trigger.json").read_text())["metadata"])
    (trigger,) = EXAMPLE["ScaledObject", "reconstream-worker"]["spec"]["triggers"]
    assert set(trigger["metadata"]) <= known


def test_no_secret_is_part_of_it() -> None:
    assert not [each for each in BUILT["base"] + BUILT["example"] if each["kind"] == "Secret"]
    for path in FOLDER.rglob("*.yaml"):
        assert not re.search(r"password: \S", path.read_text().replace("key: password", "")), path
