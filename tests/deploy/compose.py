"""docker-compose.yml as the tests see it, and its containers as processes of this machine.

A service is run as it is written: the image's entry point or the service's own, its command, its environment, its
health check. What is mapped is what a container has of its own: folders (a volume becomes a folder of the test, a bind
mount the file or folder that it names), the names of other services, and ports.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from tests.deploy.dockerfile import ROOT, Stage, stages

COMPOSE = ROOT / "docker-compose.yml"


def compose() -> dict[str, Any]:
    """The file, with anchors and merge keys resolved."""
    return yaml.safe_load(COMPOSE.read_text(encoding="utf-8"))


@dataclass(frozen=True)
class Mount:
    """A volume of a service in the short form ``source:target[:ro]``."""

    source: str
    target: str
    read_only: bool

    @classmethod
    def parse(cls, text: str) -> Mount:
        source, target, *mode = text.split(":")
        return cls(source, target, "ro" in mode)

    @property
    def is_bind(self) -> bool:
        return self.source.startswith((".", "/"))


def mounts(service: Mapping[str, Any]) -> list[Mount]:
    return [Mount.parse(text) for text in service.get("volumes", [])]


def published_ports(service: Mapping[str, Any]) -> list[tuple[str, int, int]]:
    """Address, port of this machine and port of the container."""
    found = [text.split(":") for text in service.get("ports", [])]
    return [(address, int(outside), int(inside)) for address, outside, inside in found]


@dataclass
class Machine:
    """Runs services of the compose file as processes.

    Attributes:
        room: A folder for what containers have of their own.
        python: The interpreter that ``detector`` runs with, by the image's target.
        names: What the names and ports of other services become, such as ``kafka:19092``.
        binds: What is mounted in place of a path of the checkout.
        programs: What images of others start, by service.
    """

    room: Path
    python: Mapping[str, Path]
    names: dict[str, str]
    binds: Mapping[str, Path] = field(default_factory=dict)
    programs: dict[str, Path] = field(default_factory=dict)
    processes: dict[str, subprocess.Popen[str]] = field(default_factory=dict)

    def folders(self, service: Mapping[str, Any]) -> dict[str, Path]:
        """Where the paths of a container lie here."""
        found = {"/tmp": self._made("tmp")}
        for mount in mounts(service):
            found[mount.target] = self._bind(mount) if mount.is_bind else self._made(mount.source)
        return found

    def words(self, name: str, command: Sequence[str]) -> list[str]:
        """A command line of a container as it is run here."""
        folders = self.folders(compose()["services"][name])
        return [self._mapped(word, folders) for word in command]

    def command(self, name: str) -> list[str]:
        """The whole command line of a service."""
        service = compose()["services"][name]
        target = service.get("build", {}).get("target")
        stage = stages()[target] if target else Stage()
        image = [str(self.programs[name])] if name in self.programs else stage.entrypoint
        entrypoint = service.get("entrypoint", image)
        command = service.get("command", stage.command if "entrypoint" not in service else [])
        return self.words(name, [*entrypoint, *command])

    def environment(self, name: str) -> dict[str, str]:
        service = compose()["services"][name]
        target = service.get("build", {}).get("target")
        own = {key: value for key, value in os.environ.items() if not key.startswith(("RECONSTREAM_", "XDG_"))}
        own.update(service.get("environment", {}))
        if target:
            image = {key: value for key, value in stages()[target].environment.items() if key != "PATH"}
            own.update({key: self._mapped(value, self.folders(service)) for key, value in image.items()})
            # The image's PATH leads to its own programs; here a folder with nothing but `detector` takes that place.
            own["PATH"] = f"{self._program(target)}{os.pathsep}{os.environ['PATH']}"
            own["XDG_CACHE_HOME"] = str(self._made("cache"))
            own["PYTHONPATH"] = str(ROOT)
            # Ports of the containers may be taken on this machine, so each becomes another one.
            own["RECONSTREAM_HTTP__PORT"] = self.names["127.0.0.1:9464"].rpartition(":")[2]
            if target == "dashboard":
                own["RECONSTREAM_DASHBOARD__PORT"] = self.names["127.0.0.1:9465"].rpartition(":")[2]
        return own

    def run(self, name: str, timeout: float = 240) -> subprocess.CompletedProcess[str]:
        return self._run(name, self.command(name), timeout)

    def start(self, name: str, *further: str) -> subprocess.Popen[str]:
        log = (self.room / f"{name}.log").open("w")
        process = subprocess.Popen(
            [*self.command(name), *further], cwd=self._made("cwd"), env=self.environment(name),
            stdout=log, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, text=True,
        )  # fmt: skip
        self.processes[name] = process
        return process

    def log(self, name: str) -> str:
        return (self.room / f"{name}.log").read_text()

    def healthy(self, name: str) -> bool:
        """Whether the service's health check passes."""
        kind, *command = compose()["services"][name]["healthcheck"]["test"]
        assert kind == "CMD"
        done = self._run(name, self.words(name, command), 60)
        assert done.returncode != 2 or "detector" not in command, done.stderr
        assert done.returncode not in {126, 127}, done.stderr
        return done.returncode == 0

    def stop(self) -> None:
        for process in self.processes.values():
            if process.poll() is None:
                process.kill()
            process.wait()

    def _run(self, name: str, command: Sequence[str], timeout: float) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command, cwd=self._made("cwd"), env=self.environment(name), capture_output=True, text=True,
            timeout=timeout, check=False,
        )  # fmt: skip

    def _mapped(self, text: str, folders: Mapping[str, Path]) -> str:
        here = {**self.names, **{path: str(folder) for path, folder in folders.items()}}
        # All at once: what a path became may hold another one. A path begins a word, or the value of an option.
        paths = [rf"(?<![\w/.]){re.escape(path)}(?![\w-])" for path in sorted(folders, key=len, reverse=True)]
        pattern = "|".join([*map(re.escape, self.names), *paths])
        return re.sub(pattern, lambda found: here[found.group()], text)

    def _bind(self, mount: Mount) -> Path:
        path = self.binds.get(mount.source, ROOT / mount.source)
        if path.is_dir() or path.suffix != ".yaml":
            return path
        # A configuration file names paths and other services itself.
        copy = self._made("configuration") / path.name
        text = path.read_text(encoding="utf-8")
        for name, here in self.names.items():
            text = text.replace(name, here)
        copy.write_text(text.replace("registry:///models", f"registry://{self._made('models')}"), encoding="utf-8")
        return copy

    def _program(self, target: str) -> Path:
        folder = self._made(f"bin-{target}")
        program = folder / "detector"
        program.write_text(f'#!/bin/sh\nexec {shlex.quote(str(self.python[target]))} -m detector "$@"\n')
        program.chmod(0o755)
        return folder

    def _made(self, name: str) -> Path:
        folder = self.room / name
        folder.mkdir(exist_ok=True)
        return folder
