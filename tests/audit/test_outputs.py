"""What stands on the output topics and nobody of ours wrote."""

from __future__ import annotations

import pytest

from detector.alerting.dead_letter import HEADER_PREFIX
from detector.audit.outputs import Origin, dead_letters
from detector.records.values import InputPartition, PlainRecord

ORIGIN = Origin("pumps", "cluster", InputPartition("telemetry", 0))


@pytest.mark.parametrize(
    ("offset", "told"),
    [("12", None), ("", -1), ("-1", -1), ("1.5", -1), ("\N{SUPERSCRIPT TWO}", -1), ("9" * 5000, -1), ("٣", -1)],
)
def test_a_dead_letter_of_no_offset_is_told_and_the_others_are_read(offset: str, told: int | None) -> None:
    def record(place: str) -> PlainRecord:
        named = {"stream": "pumps", "topic": "telemetry", "partition": "0", "offset": place}
        headers = [(HEADER_PREFIX + name, value.encode()) for name, value in named.items()]
        return PlainRecord("dead-letters", 0, 7, 0, b"key", b"value", headers)

    odd: list[tuple[str, int, str]] = []
    read = dead_letters(
        iter([[record(offset), record("3")]]), ORIGIN, lambda kind, at, why, _: odd.append((kind, at, why))
    )
    found = [output.offset for output in read if output is not None]
    if told is None:
        assert (found, odd) == ([12, 3], [])
    else:
        assert found == [3]
        assert [(kind, at) for kind, at, _ in odd] == [("unexpected", told)]
        assert odd[0][2].startswith("record 7 in partition 0 of topic dead-letters says that it is of input partition")
