"""Two streams of outputs side by side; no broker, no pipeline."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pytest

from detector.audit import matching
from detector.audit.findings import Kind
from detector.audit.matching import Matching, Output

Said = list[tuple[str, str, bool]]


def output(offset: int, series: str | None = "pump", content: str = "x", key: str | None = None) -> Output[str]:
    return Output(key or f"{series}-{offset}", offset, series, content)


class Bench:
    def __init__(self, written: Sequence[Output[str] | None], certain: bool = True) -> None:
        self.said: Said = []
        self.read = 0
        self.matching = Matching(self._written(written), self._differences, lambda _: certain, self._report)

    def _written(self, written: Sequence[Output[str] | None]) -> Iterator[Output[str] | None]:
        for item in written:
            self.read += 1
            yield item

    @staticmethod
    def _differences(one: str, other: str) -> list[str]:
        return [] if one == other else ["content"]

    def _report(self, kind: Kind, found: Output[str], certain: bool, fields: Sequence[str]) -> None:
        del fields
        self.said.append((kind, found.key, certain))

    def run(self, *steps: tuple[Sequence[Output[str]], int]) -> Said:
        for expected, reached in steps:
            self.matching.advance([(item, True) for item in expected], reached)
        self.matching.finish()
        return self.said


def test_the_same_on_both_sides() -> None:
    outputs = [output(1), output(5), output(9)]
    bench = Bench([outputs[0], None, *outputs[1:]])
    assert bench.run((outputs[:2], 6), (outputs[2:], 10)) == []
    assert bench.matching.compared == 3


def test_the_topic_is_read_no_further_than_the_recomputation_has_come() -> None:
    outputs = [output(offset) for offset in range(100)]
    bench = Bench(outputs)
    bench.matching.advance([(item, True) for item in outputs[:10]], 10)
    assert bench.read == 11  # one ahead shows that there is nothing more


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ([1, 9], [("missing", "pump-5", True)]),
        ([1, 5, 5, 9], [("repeated", "pump-5", True)]),
        ([1, 5, 9, 1], [("repeated", "pump-1", True)]),
        ([1, 5, 7, 9], [("unexpected", "pump-7", True)]),
        ([5, 1, 9], [("out of order", "pump-1", True)]),
        ([9, 1, 5], [("out of order", "pump-1", True), ("out of order", "pump-5", True)]),
        ([], [("missing", "pump-1", True), ("missing", "pump-5", True), ("missing", "pump-9", True)]),
    ],
)
def test_what_is_wrong_is_called_by_its_name(written: list[int], said: Said) -> None:
    steps = [([output(1)], 4), ([output(5)], 8), ([output(9)], 12)]
    assert Bench([output(offset) for offset in written]).run(*steps) == said


def test_series_keep_no_order_among_each_other() -> None:
    bench = Bench([output(5, "b"), output(4, "a")])
    assert bench.run(([output(4, "a"), output(5, "b")], 6)) == []


def test_other_content() -> None:
    assert Bench([output(1, content="y")]).run(([output(1)], 2)) == [("different", "pump-1", True)]


def test_what_is_not_certain_is_said_so() -> None:
    bench = Bench([output(3)], certain=False)
    bench.matching.advance([(output(1), False)], 5)
    bench.matching.finish()
    assert bench.said == [("unexpected", "pump-3", False), ("missing", "pump-1", False)]


def test_few_wait_for_their_counterpart(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(matching, "MOST_WAITING", 2)
    bench = Bench([])
    bench.matching.advance([(output(offset), True) for offset in range(5)], 5)
    assert bench.said == [("missing", f"pump-{offset}", True) for offset in range(3)]
