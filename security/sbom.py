"""``make sbom``: what a base installation consists of, as CycloneDX 1.6 in JSON.

cyclonedx-py describes the environment, in which there is more than the base installation brings; what is not reached
from it is left out here. The same environment gives the same bytes: the serial number is derived from the content, and
a timestamp is there only where SOURCE_DATE_EPOCH gives one.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import platform
import subprocess
import sys
import tomllib
import uuid
from collections.abc import Iterable, Mapping
from importlib import metadata
from pathlib import Path
from typing import Any, Final

from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from packageurl import PackageURL
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from detector.broker.lockfile import read_lock
from detector.files.whole import WholeFile
from security.installed import closure_of

ROOT: Final = Path(__file__).parents[1]
PROJECT: Final = "reconstream"
Document = dict[str, Any]

# What packages say that is no SPDX identifier, but means one.
SPDX: Final = {
    "3-Clause BSD License": "BSD-3-Clause",
    "Apache 2.0": "Apache-2.0",
    "Apache License 2.0": "Apache-2.0",
    "MIT License": "MIT",
    "License :: OSI Approved :: Apache Software License": "Apache-2.0",
    "License :: OSI Approved :: MIT License": "MIT",
}


class SbomError(Exception):
    """It cannot be made; the message says what to change."""


def environment() -> Document:
    """Everything that is installed, as cyclonedx-py sees it."""
    command = [
        *(sys.executable, "-m", "cyclonedx_py", "environment", "--output-reproducible", "--no-validate", "--sv", "1.6"),
        *("--pyproject", str(ROOT / "pyproject.toml"), "--mc-type", "application", "-o", "-", sys.executable),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SbomError(f"cyclonedx-py failed:\n{done.stderr}")
    return dict(json.loads(done.stdout))


def narrowed(document: Document, extras: Iterable[str]) -> Document:
    """The document without what the project, with these extras, does not bring."""
    wanted = frozenset(extras)
    needs = requirements(wanted)
    try:
        brought = closure_of(needs)
    except metadata.PackageNotFoundError as error:
        raise SbomError(f"{error.name} is not installed; install the extra first, or leave it out") from error
    components = [found for found in document["components"] if canonicalize_name(found["name"]) in brought]
    for component in components:
        component["licenses"] = licences(component.get("licenses", []), brought[canonicalize_name(component["name"])])
    kept = {component["bom-ref"]: canonicalize_name(component["name"]) for component in components}
    root = document["metadata"]["component"]
    root["purl"] = str(PackageURL("pypi", None, PROJECT, root["version"]))
    root["properties"] = [
        *({"name": "cdx:python:package:required-extra", "value": extra} for extra in sorted(wanted)),
        {"name": f"{PROJECT}:environment", "value": machine()},
    ]
    direct = {canonicalize_name(need.name) for need in needs}
    links = [
        {**link, "dependsOn": sorted(kept.keys() & set(link.get("dependsOn", [])))}
        for link in document["dependencies"]
        if link["ref"] in kept
    ]
    links.append({"ref": root["bom-ref"], "dependsOn": sorted(ref for ref, name in kept.items() if name in direct)})
    return {**document, "components": components, "dependencies": sorted(links, key=lambda link: link["ref"])}


def requirements(extras: Iterable[str]) -> list[Requirement]:
    """What pyproject.toml asks for, on this machine, with these extras.

    Raises:
        SbomError: there is no such extra.
    """
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    optional = project["optional-dependencies"]
    found, waiting = list(map(Requirement, project["dependencies"])), sorted(extras)
    while waiting:
        if (extra := waiting.pop()) not in optional:
            raise SbomError(f"{PROJECT} has no extra {extra}; pyproject.toml lists them")
        for need in map(Requirement, optional[extra]):
            if need.name == PROJECT:  # the extra stands for others
                waiting += sorted(need.extras)
            else:
                found.append(need)
    return [need for need in found if need.marker is None or need.marker.evaluate()]


def licences(declared: list[Any], distribution: metadata.Distribution) -> list[Any]:
    """As SPDX where the package says it so or says what is known to mean it; else in the package's own words."""
    if spdx := [found for found in declared if "expression" in found or "id" in found["license"]]:
        return spdx
    said = distribution.metadata
    words = [said.get("License", ""), *(found["license"]["name"] for found in declared)]
    known = next((SPDX[word] for word in words if word in SPDX), None)
    if known is not None:
        return [{"license": {"id": known, "acknowledgement": "declared"}}]
    return declared or [{"license": {"name": words[0].partition("\n")[0] or "not declared"}}]


def machine() -> str:
    """What decides which files are installed."""
    return f"{platform.python_implementation()} {platform.python_version()}, {sys.platform} {platform.machine()}"


def published(components: Iterable[Mapping[str, Any]]) -> list[Any]:
    """What the package index would have us install for these very versions; pip's report, with hashes."""
    pins = [f"{component['name']}=={component['version']}" for component in components]
    command = [
        *(sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input", "--dry-run"),
        *("--ignore-installed", "--no-deps", "--only-binary=:all:", "--report", "-", *pins),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SbomError(
            f"the package index does not tell the hashes; without them: make sbom OFFLINE=1\n{done.stderr.strip()}"
        )
    return list(json.loads(done.stdout)["install"])


def with_hashes(components: list[Document], report: Iterable[Mapping[str, Any]]) -> list[Document]:
    """Components with the SHA-256 of the file that is published for this machine, and its name."""
    files = {canonicalize_name(found["metadata"]["name"]): found["download_info"] for found in report}
    found = []
    for component in components:
        file = files.get(canonicalize_name(component["name"]))
        sha256 = file and file["archive_info"].get("hashes", {}).get("sha256")
        if file and sha256:
            component = {
                **component,
                "hashes": [{"alg": "SHA-256", "content": sha256}],
                "properties": [{"name": f"{PROJECT}:file", "value": file["url"].partition("#")[0].rpartition("/")[2]}],
            }
        found.append(component)
    return found


def jars() -> list[Document]:
    """What the extra ``broker`` fetches when it first runs, as it is locked."""
    return [
        {
            "type": "library",
            "bom-ref": jar.coordinate,
            "group": jar.group,
            "name": jar.artifact,
            "version": jar.version,
            "purl": str(PackageURL("maven", jar.group, jar.artifact, jar.version)),
            "hashes": [{"alg": "SHA-256", "content": jar.sha256}],
        }
        for jar in read_lock()
    ]


def complete(document: Document) -> str:
    """The text: numbered by its content, in a fixed order, checked against the schema.

    Raises:
        SbomError: it does not keep to the schema.
    """
    content = json.dumps(document, sort_keys=True).encode()
    serial = uuid.uuid5(uuid.NAMESPACE_URL, hashlib.sha256(content).hexdigest())
    text = json.dumps({**document, "serialNumber": serial.urn}, indent=2, sort_keys=True) + "\n"
    if (error := JsonStrictValidator(SchemaVersion.V1_6).validate_str(text)) is not None:
        raise SbomError(f"the document does not keep to CycloneDX 1.6: {error}")
    return text


def make(extras: Iterable[str], hashes: bool) -> str:
    """The document of this environment."""
    wanted = list(extras)
    document = narrowed(environment(), wanted)
    if hashes:
        document["components"] = with_hashes(document["components"], published(document["components"]))
    if "broker" in wanted or "all" in wanted:
        document["components"] += jars()
    return complete(document)


def main(arguments: list[str]) -> int:
    """Write it; 1 if it cannot be made."""
    parser = argparse.ArgumentParser(prog="python -m security.sbom", description=__doc__.partition("\n")[0])
    parser.add_argument("--extra", action="append", default=[], help="with this extra too; may be given again")
    parser.add_argument("--no-hashes", action="store_true", help="do not ask the package index for hashes")
    parser.add_argument("-o", "--out", type=Path, required=True, help="file to write")
    options = parser.parse_args(arguments)
    try:
        text = make(options.extra, not options.no_hashes)
    except SbomError as error:
        sys.stderr.write(f"error: {error}\n")
        return 1
    options.out.parent.mkdir(parents=True, exist_ok=True)
    with WholeFile(options.out) as file:
        file.write(text.encode())
    sys.stdout.write(f"{options.out}: {len(json.loads(text)['components'])} components\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
