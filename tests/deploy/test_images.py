"""deploy/docker as far as it goes without Docker: what is copied, what is installed, what starts."""

from __future__ import annotations

import fnmatch
import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

from deploy.docker.requirements import requirements
from detector.broker.ports import free_ports
from tests.deploy.dockerfile import DOCKERFILE, ROOT, instructions, stages

HADOLINT = Path(sys.executable).parent / "hadolint"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
INSTRUCTIONS = instructions(DOCKERFILE.read_text(encoding="utf-8"))


def copied() -> list[str]:
    """Sources of COPY that come from the checkout."""
    sources: list[str] = []
    for word, rest in INSTRUCTIONS:
        if word == "COPY" and not rest.startswith("--from="):
            sources += rest.split()[:-1]
    return sources


def tracked(*paths: str) -> list[str]:
    done = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "--", *paths],
        cwd=ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    return done.stdout.splitlines()


def in_context(path: str) -> bool:
    """Whether .dockerignore lets a file in: the last pattern that matches the file or a folder of it decides."""
    let_in = True
    for line in (ROOT / ".dockerignore").read_text().splitlines():
        if not line or line.startswith("#"):
            continue
        pattern = line.removeprefix("!").removeprefix("**/")
        parts = Path(path).parts
        candidates = ["/".join(parts[: n + 1]) for n in range(len(parts))]
        if "**/" in line:
            candidates += list(parts)
        # An asterisk stays within one folder.
        if any(fnmatch.fnmatch(c, pattern) and c.count("/") == pattern.count("/") for c in candidates):
            let_in = line.startswith("!")
    return let_in


def test_hadolint_has_nothing_to_say(tmp_path: Path) -> None:
    done = subprocess.run([HADOLINT, DOCKERFILE], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")
    bad = tmp_path / "Dockerfile"
    bad.write_text(DOCKERFILE.read_text() + "USER root\n")
    assert subprocess.run([HADOLINT, bad], capture_output=True, check=False).returncode == 1


def test_the_context_holds_what_is_copied_and_nothing_else() -> None:
    wanted = {path for source in copied() for path in tracked(source)}
    assert all((ROOT / source).exists() for source in copied())
    assert {path for path in tracked() if in_context(path)} == wanted
    for stays_out in (".git/config", ".venv/bin/python", ".env", "detector/cli/__pycache__/app.cpython-313.pyc"):
        assert not in_context(stays_out), stays_out


def test_images_run_as_a_numbered_user_and_say_what_they_are() -> None:
    final = {name: stages()[name] for name in ("worker", "dashboard", "training")}
    assert {stage.user for stage in final.values()} == {"10001:10001"}
    assert {tuple(stage.entrypoint) for stage in final.values()} == {("detector",)}
    assert list(stages())[-1] == "worker", "what is built where no target is named"
    arguments = [rest for word, rest in INSTRUCTIONS if word == "ARG"]
    assert f"VERSION={PROJECT['version']}" in arguments
    labels = " ".join(rest for word, rest in INSTRUCTIONS if word == "LABEL")
    for name in ("title", "description", "source", "licenses", "version", "revision"):
        assert f"org.opencontainers.image.{name}=" in labels
    assert f'licenses="{PROJECT["license"]}"' in labels
    assert f'description="{PROJECT["description"]}"' in labels


def test_the_python_is_one_that_is_supported_and_pinned() -> None:
    (image,) = [rest for word, rest in INSTRUCTIONS if word == "ARG" and rest.startswith("PYTHON_IMAGE")]
    (version, minor) = re.findall(r":((3\.\d+)\.\d+)-slim-\w+$", image)[0]
    assert version
    assert f"Programming Language :: Python :: {minor}" in PROJECT["classifiers"]


@pytest.mark.parametrize(
    ("stage", "extras"), [("worker", []), ("dashboard", ["dashboard"]), ("training", ["keras-cpu"])]
)
def test_each_image_gets_what_its_extras_require(stage: str, extras: list[str]) -> None:
    texts = re.split(r"^FROM ", DOCKERFILE.read_text(), flags=re.MULTILINE)[1:]
    lines = dict(zip(stages(), texts, strict=True))
    (named,) = re.findall(r"requirements\.py pyproject\.toml ?([\w -]*) >", lines[f"{stage}-packages"])
    assert set(extras) <= set(named.split())
    found = requirements(ROOT / "pyproject.toml", named.split())
    every = PROJECT["optional-dependencies"]
    assert found == ([line for name in named.split() for line in every[name]] or PROJECT["dependencies"])
    assert not re.search("tensorflow|keras", lines["worker-packages"] + lines["dashboard-packages"])


def test_an_extra_that_does_not_exist_fails_the_build() -> None:
    with pytest.raises(KeyError, match="kears"):
        requirements(ROOT / "pyproject.toml", ["kears"])


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the stage `wheel` builds, from the files of the context alone."""
    context = tmp_path_factory.mktemp("context")
    for path in tracked(*copied()):
        (context / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / path, context / path)
    (command,) = [rest for word, rest in INSTRUCTIONS if word == "RUN" and "pip wheel" in rest]
    assert command == "pip wheel --no-build-isolation --no-deps --wheel-dir /wheels ."
    wheels = tmp_path_factory.mktemp("wheels")
    words = [sys.executable, "-m", *command.replace("/wheels", str(wheels)).split()]
    environment = {**os.environ, "PIP_NO_INDEX": "1", "PIP_DISABLE_PIP_VERSION_CHECK": "1", "PYTHONPATH": ""}
    done = subprocess.run(words, cwd=context, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    (found,) = wheels.glob("*.whl")
    return found


def test_the_wheel_holds_every_file_of_the_packages(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        held = {name for name in archive.namelist() if ".dist-info/" not in name}
    assert held == set(tracked("detector", "models"))


def test_the_worker_image_starts_from_the_wheel_without_an_extra(
    wheel: Path, slim_python: Path, slim_env: dict[str, str], tmp_path: Path
) -> None:
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path / "installed")
    environment = {**slim_env, **stages()["worker"].environment, "PATH": os.environ["PATH"]}
    environment["PYTHONPATH"] = str(tmp_path / "installed")  # before the checkout, which the environment links to

    def detector(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [str(slim_python), "-m", *stages()["worker"].entrypoint, *arguments]
        return subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)

    where = subprocess.run(
        [slim_python, "-c", "import json, detector, models; print(json.dumps([detector.__file__, models.__file__]))"],
        cwd=tmp_path, env=environment, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert all(path.startswith(str(tmp_path / "installed")) for path in json.loads(where.stdout))
    assert detector("--version").stdout == f"reconstream {PROJECT['version']}\n"
    missing = detector(*stages()["worker"].command)
    assert missing.returncode == 2
    assert "/etc/reconstream/detector.yaml: there is no such file" in missing.stderr
    (port,) = map(str, free_ports(1))  # where nobody listens, whatever runs on this machine
    ill = detector(*(word.replace("9465", port) for word in (stages()["dashboard"].health or [])[1:]))
    assert ill.returncode == 12
    assert not list((tmp_path / "installed").rglob("__pycache__")), "nothing may be written beside the code"
