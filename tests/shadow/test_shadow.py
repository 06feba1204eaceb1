"""A challenger sees the same windows, counts, and touches nothing: not with other windows, memory, nor by failing."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from detector.pipeline.context import StreamContext
from detector.pipeline.outcome import Outcome
from detector.pipeline.partition import PartitionPipeline
from detector.records.values import PlainRecord
from detector.scoring.scores import Scores
from detector.series.carried import States
from detector.series.values import WindowBatch
from detector.shadow import Shadow, ShadowModel, ShadowTally
from detector.shadow.model import MisfitError, Projection
from detector.shadow.places import Places
from tests.worker.support import CHANNELS, MagnitudeScorer, Nowhere, make_context, make_settings, record

SETTINGS = make_settings(Nowhere("localhost:1", "none"))


def challenger(scorer: Any = None, share: float = 1.0, length: int = 3, **policy: Any) -> ShadowModel:
    context = make_context(SETTINGS, "cluster", scorer, **policy)
    return ShadowModel(
        context.scorer,
        replace(context.spec, length=length, channels=len(context.policy.channels)),
        context.policy,
        replace(context.identity, model="1" * 64),
        share,
    )


def stream(shadow: Shadow | None, **policy: Any) -> StreamContext:
    return replace(make_context(SETTINGS, "cluster", **policy), shadow=shadow)


def records(levels: dict[str, list[float | None]]) -> list[PlainRecord]:
    """One sample a second of each series; None leaves a second out."""
    found = []
    for second in range(max(map(len, levels.values()))):
        for series, values in levels.items():
            level = values[second] if second < len(values) else None
            if level is not None:
                timestamp, value = record(second, level)
                found.append(PlainRecord("none.input", 0, len(found), timestamp, series.encode(), value))
    return found


def run(context: StreamContext, items: list[PlainRecord], cut: int = 7) -> list[Outcome]:
    pipeline = PartitionPipeline(context, 0)
    return [pipeline.process(items[start : start + cut]) for start in range(0, len(items), cut)]


def total(outcomes: list[Outcome]) -> ShadowTally:
    whole = ShadowTally()
    for outcome in outcomes:
        tally = outcome.shadow
        for verdict, count in tally.verdicts.items():
            whole.verdicts[verdict] = whole.verdicts.get(verdict, 0) + count
        whole.unscored += tally.unscored
        whole.opened += tally.opened
        whole.ratios += tally.ratios
        whole.failures += tally.failures
    return whole


LEVELS = {"p": [0.1] * 10 + [3.0] * 4 + [0.1] * 10 + [1.5] * 4 + [0.1] * 8, "q": [0.1] * 36}


class TestVerdicts:
    def test_at_each_ones_threshold(self):
        """The stream's model alerts above 1, the challenger above 2: of two faults it minds one."""
        whole = total(run(stream(Shadow(challenger(threshold=2.0, quiet_score=1.6))), records(LEVELS)))
        windows = 2 * 34
        assert whole.verdicts == {"both": 4, "champion_only": 4, "neither": windows - 8}
        assert whole.opened == 1
        ratios = np.concatenate(whole.ratios)
        assert len(ratios) == windows
        assert ratios.max() == 1.5
        assert whole.failures == []

    def test_the_other_way_round(self):
        whole = total(run(stream(Shadow(challenger(threshold=1.0)), threshold=2.0, quiet_score=1.6), records(LEVELS)))
        assert whole.verdicts == {"both": 4, "challenger_only": 4, "neither": 60}
        assert whole.opened == 2

    def test_a_window_without_a_score_is_no_verdict(self):
        class Blind(MagnitudeScorer):
            def score(self, batch: WindowBatch, states: States | None) -> Scores:
                scores = super().score(batch, states)
                return replace(scores, score=np.where(np.array(batch.series) == "q", np.nan, scores.score))

        whole = total(run(stream(Shadow(challenger(Blind()))), records(LEVELS)))
        assert (whole.unscored, sum(whole.verdicts.values())) == (34, 34)
        assert sum(map(len, whole.ratios)) == 34

    @pytest.mark.parametrize("cut", [1, 5, 1000])
    def test_where_batches_are_cut_changes_nothing(self, cut):
        levels = {**LEVELS, "r": [0.1] * 8 + [None] * 6 + [2.0] * 5 + [None] * 5 + [2.0] * 5}
        whole = total(run(stream(Shadow(challenger())), records(levels), cut))
        # The gaps close the incident before them, so that each of the faults of r opens one.
        assert (whole.verdicts, whole.opened) == ({"both": 14, "neither": 66}, 4)


class TestNothingElseChanges:
    def test_events_are_those_without_a_challenger(self):
        with_one = run(stream(Shadow(challenger(threshold=0.05, quiet_score=0.0))), records(LEVELS))
        without = run(stream(None), records(LEVELS))
        assert [outcome.events for outcome in with_one] == [outcome.events for outcome in without]
        assert [outcome.touched for outcome in with_one] == [outcome.touched for outcome in without]
        assert any(outcome.events for outcome in without)

    def test_one_that_fails_rests_until_it_is_replaced(self):
        class Broken(MagnitudeScorer):
            calls = 0

            def score(self, batch: WindowBatch, states: States | None) -> Scores:
                type(self).calls += 1
                raise RuntimeError("no memory")

        shadow = Shadow(challenger(Broken()))
        pipeline = PartitionPipeline(stream(shadow), 0)
        items = records(LEVELS)
        first = [pipeline.process(items[start : start + 5]) for start in range(0, 40, 5)]
        assert total(first).failures == ["RuntimeError: no memory"]
        assert Broken.calls == 1
        shadow.model = challenger()
        rest = [pipeline.process(items[start : start + 5]) for start in range(40, len(items), 5)]
        assert total(rest).failures == []
        assert sum(total(rest).verdicts.values()) == 32
        events = [event for outcome in first + rest for event in outcome.events]
        assert events == [event for outcome in run(stream(None), items) for event in outcome.events]

    def test_taken_away_it_is_gone_and_another_one_begins_anew(self):
        shadow = Shadow(challenger())
        pipeline = PartitionPipeline(stream(shadow), 0)
        items = records({"p": [0.1] * 5 + [3.0] * 3 + [3.0] * 12})
        assert pipeline.process(items[:8]).shadow.opened == 1
        shadow.model = None
        assert pipeline.process(items[8:12]).shadow == ShadowTally()
        shadow.model = challenger()
        assert pipeline.process(items[12:]).shadow.opened == 1  # it knows nothing of the incident before


class TestOtherWindows:
    def test_shorter_ones_and_fewer_channels_in_another_order(self):
        class Watching(MagnitudeScorer):
            seen: list[Any] = []  # noqa: RUF012

            def score(self, batch: WindowBatch, states: States | None) -> Scores:
                self.seen.append(batch.values)
                return super().score(batch, states)

        context = make_context(SETTINGS, "cluster")
        model = challenger(Watching(), length=2, channels=("b", "a"))
        projection = Projection.between(context.spec, CHANNELS, model)
        values = np.arange(12.0).reshape(2, 3, 2)
        seen, enough = projection.windows(values)
        assert seen.tolist() == [[[3, 2], [5, 4]], [[9, 8], [11, 10]]]
        assert enough.tolist() == [True, True]
        values[0, 2] = np.nan
        assert projection.windows(values)[1].tolist() == [False, True]
        total(run(stream(Shadow(model)), records({"p": [0.5] * 4})))
        assert Watching.seen[-1].shape[1:] == (2, 2)
        assert Watching.seen[-1][-1, -1].tolist() == [0.0, 0.5]

    @pytest.mark.parametrize(
        ("change", "message"),
        [
            ({"length": 4}, "its windows have 4 samples, the stream's only 3"),
            ({"channels": ("a", "heat")}, "the stream's windows lack its channels heat"),
        ],
    )
    def test_what_does_not_fit_is_told(self, change, message):
        model = challenger(**change)
        whole = total(run(stream(Shadow(model)), records(LEVELS)))
        assert whole.failures == [f"it does not fit the stream: {message}"]
        assert whole.verdicts == {}

    def test_another_step_does_not_fit(self):
        model = challenger()
        context = make_context(SETTINGS, "cluster")
        with pytest.raises(MisfitError, match=r"a step of 5 s, the stream's of 1 s"):
            Projection.between(context.spec, CHANNELS, replace(model, spec=replace(model.spec, period_ns=5 * 10**9)))
        with pytest.raises(MisfitError, match="a step of any length, the stream's of 1 s"):
            Projection.between(context.spec, CHANNELS, replace(model, spec=replace(model.spec, period_ns=None)))


class TestShare:
    def test_a_share_of_the_series_always_the_same(self):
        names = [f"pump-{number}" for number in range(1000)]
        taken = {name for name in names if challenger(share=0.3).takes(name)}
        assert 250 < len(taken) < 350
        assert taken < {name for name in names if challenger(share=0.5).takes(name)}
        assert all(challenger().takes(name) for name in names)

    def test_the_others_are_not_scored(self):
        model = challenger(share=0.5)
        levels = {f"pump-{number}": [0.1] * 6 for number in range(20)}
        taken = sum(model.takes(name) for name in levels)
        assert 0 < taken < 20
        assert sum(total(run(stream(Shadow(model)), records(levels))).verdicts.values()) == 4 * taken


class CountingScorer(MagnitudeScorer):
    """Carries along how many samples of the series it has read; that is its score."""

    state_dtype = np.dtype([("rows", "<i8")])  # type: ignore[assignment]

    def score(self, batch: WindowBatch, states: States | None) -> Scores:
        assert states is not None
        scores = super().score(batch, states)
        found = np.empty(len(batch.series))
        for index, (slot, steps) in enumerate(zip(batch.slots.tolist(), batch.steps.tolist(), strict=True)):
            states["rows"][slot] = batch.values.shape[1] if steps == 0 else states["rows"][slot] + steps
            found[index] = states["rows"][slot]
        return replace(scores, score=found)


class TestMemory:
    def test_what_it_carries_is_its_own_and_follows_the_series(self):
        """More series than places at first; one pauses, and begins anew behind the gap."""
        levels: dict[str, list[float | None]] = {f"pump-{number}": [0.1] * 10 for number in range(100)}
        levels["pauses"] = [0.1] * 5 + [None] * 5 + [0.1] * 4
        model = challenger(CountingScorer(), threshold=1.0)
        ratios = np.concatenate(total(run(stream(Shadow(model)), records(levels), cut=333)).ratios)
        expected = [3, 4, 5, 6, 7, 8, 9, 10] * 100 + [3, 4, 5] + [3, 4]
        assert sorted(ratios.tolist()) == sorted(expected)

    def test_it_begins_with_the_first_window_that_it_sees(self):
        shadow = Shadow()
        pipeline = PartitionPipeline(stream(shadow), 0)
        items = records({"p": [0.1] * 12})
        pipeline.process(items[:6])
        shadow.model = challenger(CountingScorer())
        ratios = [ratio for item in items[6:] for ratio in np.concatenate(pipeline.process([item]).shadow.ratios)]
        assert ratios == [3, 4, 5, 6, 7, 8]

    def test_a_series_that_is_forgotten_and_back_within_a_batch_keeps_its_place(self):
        model, context = challenger(CountingScorer()), make_context(SETTINGS, "cluster")
        items = records({"p": [0.5] * 6 + [None] * 30 + [0.5] * 12})
        found = []
        for cut in (1, 12):
            spec = replace(context.spec, forget_after_ns=20 * 10**9, max_jump_ns=100 * 10**9)
            whole = total(run(replace(context, spec=spec, shadow=Shadow(model)), items, cut))
            found.append(np.concatenate(whole.ratios).tolist())
        assert found[0] == found[1]
        assert len(set(found[0])) == 10  # it counts from 3 to 6 and, anew, from 3 to 12

    def test_the_place_of_a_forgotten_series_goes_to_another(self):
        places = Places(CountingScorer.state_dtype)
        slots, known = places.of(["a", "b", "a"])
        assert (slots.tolist(), known.tolist()) == ([0, 1, 0], [False, False, True])
        places.forget("a")
        places.forget("never seen")
        slots, known = places.of(["c", "b", "d", "a"])
        assert (slots.tolist(), known.tolist()) == ([0, 1, 2, 3], [False, True, False, False])

    def test_without_memory_no_series_is_remembered(self):
        places = Places(None)
        assert places.of(["a", "b"])[0].tolist() == [0, 0]
        assert places.states is None
