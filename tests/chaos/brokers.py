"""The cluster under test: one local broker, or three, each also reachable through the proxy."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from detector.broker import Listener, LocalBroker
from detector.broker.ports import free_ports
from detector.broker.properties import HOST
from tests.chaos.cluster import ClusterNode, new_cluster_id
from tests.chaos.proxy import Proxy

PROXIED = Listener("PROXIED", "PLAINTEXT")
_QUICK: Mapping[str, str] = {
    # Transactions of dead workers are looked for every ten seconds otherwise.
    "transaction.abort.timed.out.transaction.cleanup.interval.ms": "500",
    "offsets.topic.num.partitions": "4",
    "transaction.state.log.num.partitions": "4",
}


class Node(Protocol):
    """One broker, as the faults treat it."""

    def start(self) -> None:
        """Start it and wait until it serves."""

    def stop(self) -> None:
        """Ask it to stop, and wait."""

    def kill(self) -> None:
        """End it at once."""

    def pause(self) -> None:
        """Freeze it."""

    def resume(self) -> None:
        """Let it go on."""


@dataclass(frozen=True, slots=True)
class Brokers:
    """A running cluster.

    Attributes:
        direct: Bootstrap servers without the proxy.
        proxied: Through the proxy, which is also what the brokers advertise there.
        nodes: By node id.
        logs: Logs of the brokers.
    """

    cluster_id: str
    direct: str
    proxied: str
    nodes: Mapping[int, Node]
    proxy: Proxy
    logs: tuple[Path, ...]


@contextmanager
def start_brokers(folder: Path, count: int) -> Iterator[Brokers]:
    """A cluster of one or three nodes and the proxy before it."""
    with ExitStack() as stack:
        yield _single(stack, folder) if count == 1 else _several(stack, folder, count)


def _advertised(port: int, proxy_port: int) -> str:
    return f"PLAINTEXT://{HOST}:{port},{PROXIED.name}://{HOST}:{proxy_port}"


def _single(stack: ExitStack, folder: Path) -> Brokers:
    port, proxy_port = free_ports(2)
    properties = {**_QUICK, "advertised.listeners": _advertised(port, proxy_port)}
    broker = stack.enter_context(
        LocalBroker(folder / "broker", port, listeners=[PROXIED], server_properties=properties)
    )
    upstream = int(broker.address(PROXIED.name).rpartition(":")[2])
    proxy = stack.enter_context(Proxy({proxy_port: upstream}))
    return Brokers(broker.cluster_id, broker.bootstrap, f"{HOST}:{proxy_port}", {1: broker}, proxy, (broker.log_path,))


def _several(stack: ExitStack, folder: Path, count: int) -> Brokers:
    cluster_id = new_cluster_id()
    ports = free_ports(4 * count)
    plain, controllers, inner, outer = (ports[i * count : (i + 1) * count] for i in range(4))
    voters = ",".join(f"{number}@{HOST}:{port}" for number, port in enumerate(controllers, 1))
    replication = {
        "controller.quorum.voters": voters,
        "default.replication.factor": str(count),
        "min.insync.replicas": "2",
        # A leader that died is replaced quickly.
        "broker.session.timeout.ms": "3000",
        "broker.heartbeat.interval.ms": "500",
    }
    for topic in ("offsets.topic", "transaction.state.log"):
        replication[f"{topic}.replication.factor"] = str(count)
    replication["transaction.state.log.min.isr"] = "2"
    nodes: dict[int, ClusterNode] = {}
    for i in range(count):
        properties = {**_QUICK, **replication, "advertised.listeners": _advertised(plain[i], outer[i])}
        nodes[i + 1] = ClusterNode(
            folder / f"broker-{i + 1}", cluster_id, i + 1, plain[i], controllers[i], [(PROXIED, inner[i])], properties
        )
        stack.callback(nodes[i + 1].stop)
    for node in nodes.values():
        node.launch()
    for node in nodes.values():
        node.await_start()
    proxy = stack.enter_context(Proxy(dict(zip(outer, inner, strict=True))))
    return Brokers(
        cluster_id,
        ",".join(f"{HOST}:{port}" for port in plain),
        ",".join(f"{HOST}:{port}" for port in outer),
        nodes,
        proxy,
        tuple(node.log_path for node in nodes.values()),
    )


def skipped_markers(brokers: Brokers) -> list[str]:
    """Lines with which a broker says that it ended a transaction without telling its partitions.

    A defect of Apache Kafka 4 (up to 4.3.1 at least): while a partition has no leader, its transaction coordinator
    takes it for deleted and skips the marker (``KRaftMetadataCache.getPartitionLeaderEndpoint`` is empty in both
    cases, ``TransactionMarkerChannelManager`` cannot tell). What was to be aborted is then committed by the producer's
    next transaction. It takes a coordinator that lives while every replica of a partition is fenced: a cluster of one
    whose broker was killed and is back before its session ended. No client can do anything about it, so the only
    broker is restarted, frozen and cut off, but killed only where there are three.
    """
    return [
        line
        for log in brokers.logs
        for line in log.read_text(encoding="utf-8", errors="replace").splitlines()
        if "these partitions are likely deleted already" in line
    ]
