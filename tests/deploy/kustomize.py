"""Builds a kustomization without kustomize: as much of it as deploy/kubernetes uses, and an error for everything else.

Where ``kubectl`` is at hand, a test compares what both make of the same folders.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

Object = dict[str, Any]
KNOWN = {
    "apiVersion",
    "kind",
    "resources",
    "components",
    "labels",
    "configMapGenerator",
    "images",
    "namespace",
    "patches",
}
# Lists whose items are one by what is at this key, rather than by their place.
MERGE_KEYS = {"containers": "name", "env": "name", "volumes": "name", "volumeMounts": "mountPath", "ports": "name"}


def build(folder: Path) -> list[Object]:
    """The objects of a folder's kustomization; generated names keep no suffix."""
    return _build(folder, [])


def _build(folder: Path, objects: list[Object]) -> list[Object]:
    here = yaml.safe_load((folder / "kustomization.yaml").read_text(encoding="utf-8"))
    assert set(here) <= KNOWN, f"{folder}: {set(here) - KNOWN}"
    # A component changes what is there before it; whatever else begins with what it names itself.
    own: list[Object] = []
    for entry in here.get("resources", []):
        path = folder / entry
        own += build(path) if path.is_dir() else list(yaml.safe_load_all(path.read_text(encoding="utf-8")))
    for entry in here.get("configMapGenerator", []):
        _generate(folder, entry, own)  # of what it has by its resources
    objects += own
    for entry in here.get("labels", []):
        for each in objects:
            _label(each, entry["pairs"], templates=entry.get("includeTemplates", False))
    for entry in here.get("components", []):
        _build(folder / entry, objects)
    for entry in here.get("patches", []):
        _patch(folder, entry, objects)
    for entry in here.get("images", []):
        for container in (found for each in objects for found in _containers(each)):
            if container["image"].rpartition(":")[0] == entry["name"]:
                container["image"] = f"{entry['newName']}:{entry['newTag']}"
    if "namespace" in here:
        for each in objects:
            if each["kind"] != "Namespace":
                each["metadata"]["namespace"] = here["namespace"]
    return objects


def _generate(folder: Path, entry: Mapping[str, Any], objects: list[Object]) -> None:
    data = {name: (folder / name).read_text(encoding="utf-8") for name in entry["files"]}
    if entry.get("behavior") == "replace":
        (found,) = [o for o in objects if o["kind"] == "ConfigMap" and o["metadata"]["name"] == entry["name"]]
        found["data"] = data
    else:
        assert "behavior" not in entry
        objects.append({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": entry["name"]}, "data": data})


def _label(each: Object, pairs: Mapping[str, str], *, templates: bool) -> None:
    each["metadata"].setdefault("labels", {}).update(pairs)
    if templates:
        for template in _templates(each):
            template.setdefault("metadata", {}).setdefault("labels", {}).update(pairs)


def _templates(value: Any) -> list[Object]:
    """Templates of pods and jobs, however deep."""
    if not isinstance(value, dict):
        return []
    found = [value[name] for name in ("template", "jobTemplate") if isinstance(value.get(name), dict)]
    return found + [inner for each in value.values() for inner in _templates(each)]


def _containers(each: Object) -> list[Object]:
    return [c for template in _templates(each) for c in template.get("spec", {}).get("containers", [])]


def _patch(folder: Path, entry: Mapping[str, Any], objects: list[Object]) -> None:
    target = entry["target"]
    text = entry["patch"] if "patch" in entry else (folder / entry["path"]).read_text(encoding="utf-8")
    patch = yaml.safe_load(text)
    for each in objects:
        if each["kind"] == target["kind"] and each["metadata"]["name"] == target["name"]:
            if isinstance(patch, list):
                for operation in patch:
                    _operate(each, operation)
            else:
                _merge(each, patch)


def _operate(each: Object, operation: Mapping[str, Any]) -> None:
    """One operation of RFC 6902."""
    *way, last = operation["path"].strip("/").split("/")
    place: Any = each
    for step in way:
        place = place[int(step)] if isinstance(place, list) else place[step]
    match operation["op"]:
        case "remove":
            del place[last]
        case "replace":
            assert last in place, f"{operation['path']}: there is nothing to replace"
            place[last] = operation["value"]
        case "add":
            place[last] = operation["value"]
        case other:
            raise AssertionError(other)


def _merge(into: Any, patch: Mapping[str, Any]) -> None:
    """A strategic merge."""
    for name, value in patch.items():
        if isinstance(value, dict):
            _merge(into.setdefault(name, {}), value)
        elif isinstance(value, list) and name in MERGE_KEYS:
            key = MERGE_KEYS[name]
            present = into.setdefault(name, [])
            new = []
            for item in value:
                same = next((each for each in present if each[key] == item[key]), None)
                if same is None:
                    new.append(copy.deepcopy(item))
                else:
                    _merge(same, item)
            present[:0] = new  # as kustomize does: before those that were there
        else:
            into[name] = value
