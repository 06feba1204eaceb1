"""A node of a cluster of several, from the parts of the local broker, which by itself is always the only one."""

from __future__ import annotations

import base64
import os
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path

from detector.broker.jars import JarCache, default_cache_dir
from detector.broker.java import find_java, java_command, run_tool
from detector.broker.lockfile import read_lock
from detector.broker.process import ServerProcess
from detector.broker.properties import Listener, log4j_properties, render, server_properties


def new_cluster_id() -> str:
    """16 random bytes in URL-safe Base64, as Kafka writes it; never like an option of a command."""
    return "C" + base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")[1:]


class ClusterNode:
    """Broker and controller in one process, one of several voters.

    Args:
        folder: For its data and its log.
        cluster_id: Shared by all nodes.
        node_id: From 1 on.
        port: Of the plaintext listener.
        controller_port: As the list of voters in ``properties`` says.
        listeners: Further listeners, each with its port.
        properties: Overrides of the server's properties.
    """

    def __init__(
        self,
        folder: Path,
        cluster_id: str,
        node_id: int,
        port: int,
        controller_port: int,
        listeners: Sequence[tuple[Listener, int]],
        properties: Mapping[str, str],
    ) -> None:
        folder.mkdir(parents=True)
        self.log_path = folder / "kafka.log"
        self._output = folder / "java.out"
        self._lock_path = folder / "lock"
        self._properties = folder / "server.properties"
        self._log4j = folder / "log4j2.properties"
        self._log4j.write_text(log4j_properties(self.log_path), encoding="ascii")
        own = {**properties, "node.id": str(node_id)}
        text = render(server_properties(folder / "data", port, controller_port, listeners, own))
        self._properties.write_text(text, encoding="ascii")
        self._java = find_java()
        self._jars = JarCache(default_cache_dir()).ensure(read_lock(), None)
        arguments = ["format", "--config", str(self._properties), "--cluster-id", cluster_id]
        run_tool(
            java_command(self._java, "kafka.tools.StorageTool", self._jars, self._log4j, arguments),
            f"formatting node {node_id}",
        )
        self._process: ServerProcess | None = None

    def launch(self) -> None:
        """Start without waiting: no node of a new cluster serves before most of them are there."""
        command = java_command(self._java, "kafka.Kafka", self._jars, self._log4j, [str(self._properties)])
        lock = os.open(self._lock_path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            self._process = ServerProcess(command, self.log_path, self._output, lock)
        finally:
            os.close(lock)

    def await_start(self) -> None:
        """Return once it serves clients."""
        assert self._process is not None
        self._process.await_start()

    def start(self) -> None:
        """Start and wait."""
        self.launch()
        self.await_start()

    def stop(self) -> None:
        """Ask it to stop, and wait."""
        if self._process is not None:
            self._process.stop()

    def kill(self) -> None:
        """End it at once."""
        if self._process is not None:
            self._process.kill()

    def pause(self) -> None:
        """Freeze it."""
        if self._process is not None:
            self._process.pause()

    def resume(self) -> None:
        """Let it go on."""
        if self._process is not None:
            self._process.resume()
