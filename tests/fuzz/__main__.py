"""``make fuzz MINUTES=10 TARGETS='config state'``: each of the targets, until the time is up.

Under atheris where it is installed, else under hypothesis. What fails is shown with the bytes that do it.
"""

from __future__ import annotations

import sys
import time
import traceback

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.fuzz import guided
from tests.fuzz.mutations import nearly
from tests.fuzz.targets import Target, named

_EXAMPLES_A_ROUND = 2_000


def fuzz(target: Target) -> None:
    """One round.

    Raises:
        Exception: whatever a reader raised that it should not.
    """

    @settings(
        max_examples=_EXAMPLES_A_ROUND,
        deadline=None,
        phases=[Phase.reuse, Phase.generate, Phase.shrink],
        suppress_health_check=list(HealthCheck),
    )
    @given(nearly(target.seeds()) | st.binary(max_size=2000))
    def run(data: bytes) -> None:
        target.run(data)

    run()


def main(minutes: float, names: list[str], use_guided: bool) -> int:
    """Fuzz for so long; 1 if something was found."""
    targets = list(named(names))
    return with_atheris(minutes, targets) if use_guided else with_hypothesis(minutes, targets)


def with_atheris(minutes: float, targets: list[Target]) -> int:
    """Each for its share of the time."""
    share = minutes * 60 / len(targets)
    failed = [target.name for target in targets if not guided.fuzz_in_process_of_its_own(target.name, share)]
    sys.stderr.write(f"{len(targets)} targets, {share:.0f} s each, failed: {', '.join(failed) or 'none'}\n")
    return 1 if failed else 0


def with_hypothesis(minutes: float, targets: list[Target]) -> int:
    """In turn, a round each."""
    end = time.monotonic() + minutes * 60
    rounds, failed = 0, set()
    while time.monotonic() < end or rounds < len(targets):
        target = targets[rounds % len(targets)]
        rounds += 1
        try:
            fuzz(target)
        except Exception:  # the point of it
            traceback.print_exc()
            failed.add(target.name)
        sys.stderr.write(f"{target.name}: {'FAILED' if target.name in failed else 'ok'}, round {rounds}\n")
    sys.stderr.write(
        f"{rounds} rounds of {_EXAMPLES_A_ROUND} examples, failed: {', '.join(sorted(failed)) or 'none'}\n"
    )
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(float(sys.argv[1]), sys.argv[2:], guided.is_installed()))
