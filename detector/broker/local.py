"""A local single-node Apache Kafka (KRaft) as a context manager."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType, TracebackType

from detector.broker.data_dir import DataDir, lock_data_dir, open_data_dir
from detector.broker.errors import LocalBrokerError
from detector.broker.jars import JarCache, Progress, default_cache_dir
from detector.broker.java import find_java, java_command, run_tool
from detector.broker.lockfile import kafka_version, read_lock
from detector.broker.ports import check_free, free_ports
from detector.broker.process import PortTakenError, ServerProcess
from detector.broker.properties import HOST, Listener, Scram, log4j_properties, render, server_properties

_PORT_ATTEMPTS = 3


class LocalBroker:
    """Apache Kafka on the loopback interface, with its data in a directory.

    As a context manager it starts on entry and stops on exit. Java never outlives this process, however it ends.
    Not thread-safe.

    Args:
        data_dir: Kept when the broker stops; without one, a temporary directory that `close` deletes.
        port: Of the plaintext listener; 0 takes a free one, kept over restarts.
        listeners: Further listeners, each on a free port.
        users: SCRAM users, added when the data directory is formatted, thus only to an empty one.
        server_properties: Further properties of the server; they override all others.
        cache_dir: Where the jars are kept; by default in the user's cache.
        progress: Told about downloads.
    """

    def __init__(
        self,
        data_dir: Path | None = None,
        port: int = 0,
        *,
        listeners: Sequence[Listener] = (),
        users: Sequence[Scram] = (),
        server_properties: Mapping[str, str] = MappingProxyType({}),
        cache_dir: Path | None = None,
        progress: Progress | None = None,
    ) -> None:
        self._requested_dir = data_dir
        self._temporary_dir: Path | None = None
        self._requested_port = port
        self._listeners = tuple(listeners)
        self._users = tuple(users)
        self._extra = dict(server_properties)
        self._cache = JarCache(cache_dir or default_cache_dir())
        self._progress = progress
        self._data: DataDir | None = None
        self._ports: dict[str, int] = {}
        self._process: ServerProcess | None = None
        self._jars = read_lock()

    @property
    def version(self) -> str:
        """Version of Apache Kafka."""
        return kafka_version(self._jars)

    @property
    def bootstrap(self) -> str:
        """``host:port`` of the plaintext listener."""
        return self.address("PLAINTEXT")

    @property
    def data_dir(self) -> Path:
        """Where the data is."""
        return self._started_data().path

    @property
    def cluster_id(self) -> str:
        """Identifier of the cluster; it stays with the data directory."""
        return self._started_data().cluster_id

    @property
    def log_path(self) -> Path:
        """Kafka's log."""
        return self._started_data().log

    @property
    def is_running(self) -> bool:
        """Whether the broker was started and has not ended since."""
        return self._process is not None and self._process.is_running

    def address(self, listener: str) -> str:
        """``host:port`` of a listener, by its name.

        Raises:
            RuntimeError: the broker was never started.
        """
        if not self._ports:
            raise RuntimeError("the broker was not started")
        return f"{HOST}:{self._ports[listener]}"

    def start(self) -> None:
        """Install the jars if need be, format an empty data directory, and return once clients are served.

        Raises:
            ConfigError: the port is taken, or the data directory is damaged or not the broker's.
            LocalBrokerError: the jars cannot be had, another broker uses the directory, or Kafka did not start.
            ModuleNotFoundError: the extra ``broker`` is not installed.
        """
        if self.is_running:
            raise RuntimeError("the broker is running")
        java = find_java()
        data = self._data = self._open_data()
        lock = lock_data_dir(data)
        try:
            if self._requested_port:
                check_free(self._requested_port)
            formatted = data.is_formatted()
            jars = self._cache.ensure(self._jars, self._progress)
            data.log4j_properties.write_text(log4j_properties(data.log), encoding="ascii")
            for attempt in range(1, _PORT_ATTEMPTS + 1):
                ports = self._choose_ports()
                self._write_properties(data, ports)
                if not formatted:
                    self._format(data, java, jars)
                    formatted = True
                try:
                    self._launch(data, java, jars, lock)
                except PortTakenError as error:
                    # Somebody was quicker. A port that the user named, or that clients know by now, stays.
                    if attempt == _PORT_ATTEMPTS or self._requested_port or self._ports:
                        raise LocalBrokerError(str(error)) from error
                    continue
                self._ports = ports
                return
        finally:
            os.close(lock)

    def stop(self) -> None:
        """Ask Kafka to stop and wait until it has; a broker that does not stop in time is killed."""
        if self._process is not None:
            self._process.stop()

    def kill(self) -> None:
        """End Kafka at once, as a crash of its machine would."""
        if self._process is not None:
            self._process.kill()

    def pause(self) -> None:
        """Freeze Kafka: connections stay open, nothing is answered."""
        if self._process is not None:
            self._process.pause()

    def resume(self) -> None:
        """Let a frozen Kafka go on."""
        if self._process is not None:
            self._process.resume()

    def restart(self) -> None:
        """Stop and start again, on the same ports with the same data."""
        self.stop()
        self.start()

    def wait(self, timeout_seconds: float | None = None) -> int | None:
        """Exit status of Kafka once it has ended by itself; None when it still runs after the timeout.

        Raises:
            RuntimeError: the broker was never started.
        """
        if self._process is None:
            raise RuntimeError("the broker was not started")
        return self._process.wait(timeout_seconds)

    def problems(self) -> str:
        """The last errors that Kafka logged since it was started, shortened to one line."""
        return self._process.problems() if self._process is not None else ""

    def close(self) -> None:
        """Stop, and delete a data directory that was temporary."""
        self.stop()
        if self._temporary_dir is not None:
            shutil.rmtree(self._temporary_dir, ignore_errors=True)
            self._temporary_dir = self._data = None

    def __enter__(self) -> LocalBroker:
        try:
            self.start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _open_data(self) -> DataDir:
        path = self._requested_dir or self._temporary_dir
        if path is None:
            path = self._temporary_dir = Path(tempfile.mkdtemp(prefix="reconstream-broker-"))
        return open_data_dir(path, self.version)

    def _started_data(self) -> DataDir:
        if self._data is None:
            raise RuntimeError("the broker was not started")
        return self._data

    def _choose_ports(self) -> dict[str, int]:
        names = ["CONTROLLER", "PLAINTEXT", *(listener.name for listener in self._listeners)]
        ports = dict(zip(names, free_ports(len(names)), strict=True)) | self._ports
        if self._requested_port:
            ports["PLAINTEXT"] = self._requested_port
        return ports

    def _write_properties(self, data: DataDir, ports: Mapping[str, int]) -> None:
        listeners = [(listener, ports[listener.name]) for listener in self._listeners]
        properties = server_properties(data.kafka, ports["PLAINTEXT"], ports["CONTROLLER"], listeners, self._extra)
        # It may hold private keys and passwords.
        descriptor = os.open(data.server_properties, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
        with open(descriptor, "w", encoding="ascii") as file:
            file.write(render(properties))

    def _format(self, data: DataDir, java: Path, jars: Sequence[Path]) -> None:
        arguments = ["format", "--config", str(data.server_properties), "--cluster-id", data.cluster_id]
        for user in self._users:
            arguments += ["--add-scram", user.format_argument()]
        command = java_command(java, "kafka.tools.StorageTool", jars, data.log4j_properties, arguments)
        run_tool(command, f"formatting the data directory {data.path}")

    def _launch(self, data: DataDir, java: Path, jars: Sequence[Path], lock: int) -> None:
        command = java_command(java, "kafka.Kafka", jars, data.log4j_properties, [str(data.server_properties)])
        self._process = ServerProcess(command, data.log, data.output, lock)
        self._process.await_start()
