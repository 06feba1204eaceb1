"""Faults of brokers and network, by seed, on a thread of their own: a broker's restart takes seconds."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Mapping

from kafka.protocol.metadata import CoordinatorType, FindCoordinatorRequest

from detector.kafka.probe import BrokerConnection
from detector.kafka.sockets import ConnectError
from detector.settings import KafkaSettings
from tests.chaos.brokers import Brokers
from tests.chaos.ledger import Ledger

_EVERY_SECONDS = (5.0, 16.0)


class Weather:
    """Disturbs the cluster again and again; a context manager that leaves it whole.

    Args:
        brokers: To disturb.
        group: Whose coordinators are hit, where there are several brokers.
        transactional_ids: Likewise.
        ledger: Told of every fault.
        rng: By seed.
    """

    def __init__(
        self, brokers: Brokers, group: str, transactional_ids: tuple[str, ...], ledger: Ledger, rng: random.Random
    ) -> None:
        self._brokers = brokers
        self._group = group
        self._transactional_ids = transactional_ids
        self._ledger = ledger
        self._rng = rng
        self._stop = threading.Event()
        self.error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="weather", daemon=True)

    def __enter__(self) -> Weather:
        self._thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._stop.set()
        self._thread.join(120)

    def _run(self) -> None:
        several = len(self._brokers.nodes) > 1
        faults: Mapping[str, tuple[Callable[[], None], float]] = {
            "connections cut": (self._cut, 3),
            "network slow": (self._slow, 1.5),
            "answers withheld": (self._mute, 2),
            # Not the only broker: see `brokers.skipped_markers`.
            "broker killed": (self._killed, 1 if several else 0),
            "broker restarted": (self._restarted, 1 if several else 2.5),
            "broker frozen": (self._frozen, 1),
            "group coordinator killed": (self._group_coordinator, 2 if several else 0),
            "transaction coordinator killed": (self._transaction_coordinator, 2 if several else 0),
        }
        try:
            while not self._stop.wait(self._rng.uniform(*_EVERY_SECONDS)):
                name = self._rng.choices(list(faults), [weight for _, weight in faults.values()])[0]
                self._ledger.weather[name] += 1
                self._ledger.weather_at = time.monotonic()
                faults[name][0]()
                self._ledger.weather_at = time.monotonic()
        except BaseException as error:
            self.error = error
        finally:
            self._brokers.proxy.heal()

    def _cut(self) -> None:
        self._brokers.proxy.cut()

    def _slow(self) -> None:
        self._brokers.proxy.delay(self._rng.uniform(0.02, 0.15))
        self._stop.wait(self._rng.uniform(1, 5))
        self._brokers.proxy.delay(0)

    def _mute(self) -> None:
        self._brokers.proxy.mute()
        self._stop.wait(self._rng.uniform(0.3, 9))
        self._brokers.proxy.unmute()

    def _any_node(self) -> int:
        return self._rng.choice(sorted(self._brokers.nodes))

    def _killed(self) -> None:
        self._kill_node(self._any_node())

    def _kill_node(self, number: int) -> None:
        node = self._brokers.nodes[number]
        node.kill()
        self._stop.wait(self._rng.uniform(0, 4))
        node.start()

    def _restarted(self) -> None:
        node = self._brokers.nodes[self._any_node()]
        node.stop()
        node.start()

    def _frozen(self) -> None:
        node = self._brokers.nodes[self._any_node()]
        node.pause()
        self._stop.wait(self._rng.uniform(0.5, 7))
        node.resume()

    def _group_coordinator(self) -> None:
        self._kill_node(coordinator(self._brokers.direct, self._group, CoordinatorType.GROUP) or self._any_node())

    def _transaction_coordinator(self) -> None:
        key = self._rng.choice(self._transactional_ids)
        self._kill_node(coordinator(self._brokers.direct, key, CoordinatorType.TRANSACTION) or self._any_node())


def coordinator(bootstrap: str, key: str, kind: CoordinatorType) -> int | None:
    """Node id of a group's or a transactional id's coordinator; None when no broker tells."""
    for address in bootstrap.split(","):
        settings = KafkaSettings.model_validate({"bootstrap_servers": address})
        try:
            with BrokerConnection(settings, address, time.monotonic() + 2, time.monotonic) as connection:
                response = connection.call(FindCoordinatorRequest(key=key, key_type=kind.value, max_version=3))
        except ConnectError:
            continue
        if response.error_code == 0:
            return int(response.node_id)
    return None
