"""``make fuzz MINUTES=10 TARGETS='config state'``: hypothesis on the targets, in turn, until the time is up.

What fails is shown with the bytes that do it, shrunk.
"""

from __future__ import annotations

import sys
import time
import traceback

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

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


def main(minutes: float, names: list[str]) -> int:
    """Fuzz for so long; 1 if something was found."""
    targets = list(named(names))
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
    sys.exit(main(float(sys.argv[1]), sys.argv[2:]))
