"""A model with memory in the shadow of itself: its memory follows each series as the stream's own does, to the bit."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from detector.cli.common.assemble import open_bundle, stream_context
from detector.pipeline.outcome import Outcome
from detector.pipeline.partition import PartitionPipeline
from detector.records.values import PlainRecord
from detector.settings import StreamSettings
from detector.shadow import Shadow, ShadowModel

pytestmark = pytest.mark.keras


def records() -> list[PlainRecord]:
    """Three series, one a second; one pauses in the middle, and one is heard of late."""
    random, found = np.random.default_rng(5), []
    for second in range(120):
        for number, series in enumerate("abc"):
            if (series == "b" and 50 <= second < 80) or (series == "c" and second < 70):
                continue
            x, y = np.sin(second / 5) + number, 5 + 3 * np.cos(second / 9) + random.normal(scale=0.1)
            value = json.dumps({"x": x, "y": y, "z": 7.0}).encode()
            found.append(PlainRecord("t", 0, len(found), 1_700_000_000_000 + second * 1000, series.encode(), value))
    return found


def run(path: Path, share: float, cuts: int) -> tuple[list[Outcome], ShadowModel]:
    settings = StreamSettings(name="s", topic="t", model=path)
    bundle = open_bundle(path)
    context = stream_context(settings, bundle, "cluster", keep_scores=True)
    other = stream_context(settings, bundle, "cluster")
    model = ShadowModel(other.scorer, other.spec, other.policy, other.identity, share)
    pipeline = PartitionPipeline(replace(context, shadow=Shadow(model)), 0)
    items = records()
    return [pipeline.process(items[start : start + cuts]) for start in range(0, len(items), cuts)], model


@pytest.mark.parametrize("cuts", [1, 17, 10_000])
def test_it_agrees_with_itself_about_every_window(streaming_path, cuts):
    outcomes, model = run(streaming_path, 1.0, cuts)
    assert model.scorer.state_dtype is not None
    assert [failure for outcome in outcomes for failure in outcome.shadow.failures] == []
    champion = np.concatenate([ratios for outcome in outcomes for ratios in outcome.ratios])
    challenger = np.concatenate([ratios for outcome in outcomes for ratios in outcome.shadow.ratios])
    assert len(champion) > 150
    np.testing.assert_array_equal(challenger, champion)


def test_a_share_of_it_is_the_same_to_the_bit(streaming_path):
    outcomes, model = run(streaming_path, 0.5, 17)
    wanted = [
        score / model.policy.threshold
        for outcome in outcomes
        for rows in outcome.scores
        for series, score in zip(rows.series, rows.score.tolist(), strict=True)
        if model.takes(series) and score == score
    ]
    challenger = np.concatenate([ratios for outcome in outcomes for ratios in outcome.shadow.ratios])
    assert 0 < len(challenger) < sum(len(rows.series) for outcome in outcomes for rows in outcome.scores)
    np.testing.assert_array_equal(challenger, wanted)
