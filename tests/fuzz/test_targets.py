"""A few seconds of fuzzing with every run of the tests; ``make fuzz`` goes on for as long as it is told to."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.fuzz.mutations import TOKENS, nearly
from tests.fuzz.targets import TARGETS, Target

EXAMPLES = {"config": 100, "keras_archive": 60, "series_snapshot": 100}


@pytest.mark.parametrize("target", TARGETS.values(), ids=TARGETS)
def test_hostile_input_is_answered(target: Target) -> None:
    seeds = target.seeds()

    @settings(
        max_examples=EXAMPLES.get(target.name, 250),
        deadline=None,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    )
    @given(nearly(seeds) | st.binary(max_size=200))
    def run(data: bytes) -> None:
        target.run(data)

    run()


@pytest.mark.parametrize("target", TARGETS.values(), ids=TARGETS)
def test_each_token_alone_and_everywhere(target: Target) -> None:
    for data in TOKENS:
        target.run(data)
    for seed in target.seeds():
        target.run(seed)
        step = max(1, len(seed) // 12)
        for at in range(0, len(seed), step):
            target.run(seed[:at])
            target.run(seed[:at] + b"\xff" + seed[at + 1 :])


def test_seeds_are_accepted() -> None:
    """Else the fuzzing would only ever see the first check."""
    for name in ("manifest", "npy", "onnx", "keras_config"):
        assert reaches_the_end(TARGETS[name]), name


def reaches_the_end(target: Target) -> bool:
    accepted = []

    def watch(frame, what, _argument):  # type: ignore[no-untyped-def]
        if what == "exception" and frame.f_code is target.run.__code__:
            accepted.append(False)
        return watch

    import sys

    before = sys.gettrace()
    sys.settrace(watch)
    try:
        target.run(target.seeds()[0])
    finally:
        sys.settrace(before)
    return not accepted
