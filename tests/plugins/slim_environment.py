"""A Python that has what the base installation brings and nothing else: no TensorFlow, no Keras, no Java.

It is built from the packages that are installed anyway, without a network: a fresh virtual environment whose
site-packages holds links to the files of the base dependencies, found by following the requirements in the packages'
own metadata.
"""

from __future__ import annotations

import os
import venv
from importlib import metadata
from pathlib import Path

import pytest

from security.installed import closure

PROJECT = "reconstream"
ROOT = Path(__file__).parents[2]


def link_files(distribution: metadata.Distribution, site_packages: Path) -> None:
    """Link each file of a distribution that lies in site-packages; scripts and compiled files stay away."""
    for file in distribution.files or []:
        if ".." in file.parts or "__pycache__" in file.parts:
            continue
        link = site_packages / file
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(Path(str(distribution.locate_file(file))).absolute())


def build(place: Path) -> Path:
    """Make the environment in an empty folder and return its interpreter."""
    venv.EnvBuilder(symlinks=True, with_pip=False).create(place)
    (site_packages,) = place.glob("lib/python3*/site-packages")
    for distribution in closure(PROJECT).values():
        link_files(distribution, site_packages)
    for package in ("detector", "models"):
        (site_packages / package).symlink_to(ROOT / package)
    # Version and entry points of the project itself are looked up in its metadata.
    for file in metadata.distribution(PROJECT).files or []:
        if file.parent.suffix == ".dist-info":
            target = site_packages / file
            target.parent.mkdir(exist_ok=True)
            target.symlink_to(Path(str(metadata.distribution(PROJECT).locate_file(file))).absolute())
    return place / "bin" / "python"


@pytest.fixture(scope="session")
def slim_python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The interpreter of an environment that holds the base installation only; run it with ``slim_env``."""
    return build(tmp_path_factory.mktemp("slim"))


@pytest.fixture(scope="session")
def slim_env() -> dict[str, str]:
    """The environment variables to run ``slim_python`` with: nothing that could lead it to other packages."""
    return {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "VIRTUAL_ENV"))}
