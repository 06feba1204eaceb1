"""The quickest mutants; ``make chaos-mutants`` plays all of them, each beside the real worker."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.chaos.brokers import Brokers
from tests.chaos.mutants import MUTATIONS
from tests.chaos.scenarios import SCENARIOS, run

pytestmark = [pytest.mark.kafka, pytest.mark.keras]


def test_every_mutant_has_a_scenario() -> None:
    assert set(SCENARIOS) == set(MUTATIONS)


@pytest.mark.parametrize("name", ["commit-before-produce", "skip-snapshot"])
def test_a_mutant_is_caught(name: str, chaos_brokers: Brokers, tmp_path: Path) -> None:
    verdict = run(name, chaos_brokers, tmp_path, mutant=True)
    assert verdict.events.losses, str(verdict)
