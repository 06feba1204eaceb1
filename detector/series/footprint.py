"""What a series takes in a worker's memory."""

from __future__ import annotations

from detector.series.carried import MemoryLayout
from detector.series.rings import slot_bytes
from detector.series.slots import BYTES_PER_SERIES
from detector.series.spec import WindowSpec


def series_bytes(spec: WindowSpec, memory: MemoryLayout) -> int:
    """Bytes of a series in memory, about: its rows, what the model carries along it, its name and columns."""
    return slot_bytes(spec.length, spec.channels) + memory.itemsize + BYTES_PER_SERIES
