"""What a model carries along is part of what a snapshot may take."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from detector.cli.common.policies import window_spec
from detector.errors import BundleError
from detector.settings import WindowSettings


def bundle(window: int, channels: int) -> Any:
    spec = SimpleNamespace(window=window, channels=[f"c{i}" for i in range(channels)], period_seconds=None)
    return SimpleNamespace(spec=spec)


def test_it_counts() -> None:
    fits = bundle(1000, 99)  # 800,000 bytes
    assert window_spec(fits, WindowSettings(), 8_200_000).length == 1000
    with pytest.raises(BundleError) as refused:
        window_spec(fits, WindowSettings(), 8_200_001)
    assert str(refused.value) == (
        "a window of 1000 samples of 99 channels, with 8,200,001 bytes that the model carries along, takes 9,000,001 "
        "bytes in the state topic, more than 9,000,000; train with a shorter --window, fewer --channels or fewer "
        "--units"
    )


def test_a_window_alone_may_be_too_large() -> None:
    with pytest.raises(BundleError) as refused:
        window_spec(bundle(20_000, 99), WindowSettings())
    assert str(refused.value) == (
        "a window of 20000 samples of 99 channels takes 16,000,000 bytes in the state topic, more than 9,000,000; "
        "train with a shorter --window or fewer --channels"
    )
