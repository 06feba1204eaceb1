"""A challenger beside the stream's model: it sees the same windows, and nothing that is written depends on it."""

from detector.shadow.model import Shadow, ShadowModel
from detector.shadow.observer import PartitionShadow
from detector.shadow.tally import VERDICTS, ShadowTally

__all__ = ["VERDICTS", "PartitionShadow", "Shadow", "ShadowModel", "ShadowTally"]
