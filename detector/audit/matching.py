"""Two streams of outputs side by side, the recomputed one and the one that was written, in bounded memory.

Both come in the order of the input's records. What was written is read only as far as the recomputation has come; an
output that is not where it should be is looked for among the few that wait on the other side, and among all that were
matched before, of which no more than sixteen bytes each is remembered.
"""

from __future__ import annotations

import hashlib
from array import array
from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from detector.audit.findings import Kind

T = TypeVar("T")

MOST_WAITING = 10_000


@dataclass(frozen=True, slots=True)
class Output(Generic[T]):
    """An output of either side.

    Attributes:
        key: Identifies it among the outputs of its partition.
        offset: Of the record that caused it.
        series: Within which order must hold; None where there is no order to hold.
        content: What is compared.
    """

    key: str
    offset: int
    series: str | None
    content: T


Report = Callable[[Kind, Output[T], bool, Sequence[str]], None]
"""Takes kind, output, whether it is certain, and the names of the fields that differ."""


class Matching(Generic[T]):
    """Compares one kind of output of one partition.

    Args:
        written: What the topic holds, in its order; None where nothing came for a moment.
        differences: Names of the fields in which two contents differ.
        certain: Whether, as of now, it is certain that an output that was not recomputed should not be there.
        report: Takes what is found.
    """

    def __init__(
        self,
        written: Iterator[Output[T] | None],
        differences: Callable[[T, T], Sequence[str]],
        certain: Callable[[Output[T]], bool],
        report: Report[T],
    ) -> None:
        self._written = written
        self._differences = differences
        self._certain = certain
        self._report = report
        self._expected: dict[str, tuple[Output[T], bool]] = {}
        self._ahead: list[Output[T]] = []
        self._last: dict[str, int] = {}
        # Of everything that was recomputed: offsets, ascending, and a part of each key's hash.
        self._offsets = array("q")
        self._hashes = array("Q")
        self.compared = 0

    def advance(self, expected: Sequence[tuple[Output[T], bool]], reached: int) -> None:
        """Take what was recomputed of the records before ``reached``, each with whether it is certain."""
        for output, certain in expected:
            if len(self._expected) >= MOST_WAITING:
                self._give_up(next(iter(self._expected)))
            self._expected[output.key] = output, certain
            self._offsets.append(output.offset)
            self._hashes.append(_hash(output.key))
        self._pull(reached)

    def finish(self) -> None:
        """Read what is left of the topic, and report what never came."""
        for output in self._ahead:
            self._take(output)
        self._ahead = []
        for left in self._written:
            if left is not None:
                self._take(left)
        for key in list(self._expected):
            self._give_up(key)

    def _pull(self, reached: int) -> None:
        waiting, self._ahead = self._ahead, []
        for output in waiting:
            self._place(output, reached)
        while not self._ahead:
            try:
                found = next(self._written)
            except StopIteration:
                return
            if found is not None:
                self._place(found, reached)

    def _place(self, output: Output[T], reached: int) -> None:
        if output.offset >= reached:
            self._ahead.append(output)
        else:
            self._take(output)

    def _take(self, output: Output[T]) -> None:
        found = self._expected.pop(output.key, None)
        if found is None:
            kind: Kind = "repeated" if self._was_expected(output) else "unexpected"
            self._report(kind, output, kind == "repeated" or self._certain(output), ())
            return
        expected, certain = found
        self.compared += 1
        fields = self._differences(expected.content, output.content)
        if fields:
            self._report("different", output, certain, fields)
        if output.series is not None:
            if output.offset < self._last.get(output.series, output.offset):
                self._report("out of order", output, certain, ())
            self._last[output.series] = max(output.offset, self._last.get(output.series, output.offset))

    def _give_up(self, key: str) -> None:
        output, certain = self._expected.pop(key)
        self._report("missing", output, certain, ())

    def _was_expected(self, output: Output[T]) -> bool:
        at, wanted = bisect_left(self._offsets, output.offset), _hash(output.key)
        while at < len(self._offsets) and self._offsets[at] == output.offset:
            if self._hashes[at] == wanted:
                return True
            at += 1
        return False


def _hash(key: str) -> int:
    return int.from_bytes(hashlib.blake2b(key.encode("utf-8", "surrogatepass"), digest_size=8).digest())
