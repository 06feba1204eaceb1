"""A short run of the chaos test with fixed fates: a kill at steps of every kind, zombies, a broker's restart.

The long one is ``make chaos``.
"""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest

from tests.chaos.bench import Bench
from tests.chaos.brokers import Brokers
from tests.chaos.fates import Fate
from tests.chaos.ledger import Ledger
from tests.chaos.run import finish, scripted
from tests.chaos.slots import Owners, Slot

pytestmark = [pytest.mark.kafka, pytest.mark.keras]

FATES = {
    "w1": [
        Fate("kill-at", "some-sent", 4),
        Fate("kill-at", "offsets-sent", 5),
        Fate("zombie", "state-gathered", 5),
        Fate("kill-at", "committed", 3),
        *[Fate("zombie", "all-sent", 3)] * 3,
    ],
    "w2": [
        Fate("kill-at", "state-gathered", 6),
        Fate("kill-at", "re-read", 1),
        Fate("kill-at", "processed", 4),
        Fate("zombie", "offsets-sent", 4),
        *[Fate("zombie", "begun", 3)] * 3,
    ],
}
RECORDS = 6000


@pytest.mark.timeout(900)
def test_a_reader_sees_the_events_of_an_uninterrupted_run(chaos_brokers: Brokers, tmp_path: Path) -> None:
    ledger = Ledger()
    with Bench(chaos_brokers, tmp_path, seed=11, partitions=4, series=24, per_second=250) as bench:
        bench.start_feeding()
        owners = Owners()
        slots = [
            Slot(
                name, bench, scripted(fates), ledger, owners, None,
                static=name == "w1", through_proxy=name == "w1",
            )
            for name, fates in FATES.items()
        ]  # fmt: skip
        deadline = time.monotonic() + 240
        bounce: threading.Thread | None = None
        while not _enough(ledger) and time.monotonic() < deadline:
            for slot in slots:
                slot.tick()
            if bounce is None and ledger.killed >= 2:
                bounce = threading.Thread(target=_bounce, args=(chaos_brokers, ledger))
                bounce.start()
            time.sleep(0.03)
        assert bounce is not None
        bounce.join(60)
        finish(RECORDS, bench, slots, print)
        verdict = bench.verdict()
        reference = bench.reference()
    assert verdict.clean, str(verdict)
    assert not ledger.unexpected
    assert reference.clean, f"a real worker without faults differs: {reference}"
    # What makes the above mean something:
    assert ledger.killed >= 6
    assert ledger.kills_with_open_incident >= 4
    assert ledger.zombie_commits >= 1
    assert not ledger.zombies["let through"]
    assert verdict.event_count >= 200
    assert verdict.letter_count >= 20


def _enough(ledger: Ledger) -> bool:
    """On a busy machine a zombie may wake up before others have its partitions; then another one has to try."""
    # The reader that knows of open incidents may be late there, too.
    met = ledger.zombie_commits >= 1 and ledger.kills_with_open_incident >= 4
    return met and ledger.killed >= 6 and ledger.killed + ledger.zombie_commits >= 8


def _bounce(brokers: Brokers, ledger: Ledger) -> None:
    ledger.weather["broker restarted"] += 1
    (node,) = brokers.nodes.values()
    node.stop()
    node.start()
