"""What outlives the process: the content of the state topic and of the epochs topic, as bytes."""

from detector.state.checkpoints import (
    CHECKPOINT_VERSION,
    Checkpoint,
    CheckpointPart,
    decode_checkpoint,
    decode_part,
    encode_checkpoint,
    encode_part,
)
from detector.state.epochs import EPOCH_VERSION, Epoch, Windows, decode_epoch, encode_epoch
from detector.state.keys import EpochKey, EpochKind, control_key, epoch_key, parse_epoch_key, parse_key, series_key
from detector.state.records import (
    STATE_VERSION,
    Control,
    DamagedStateError,
    SeriesState,
    UnreadableStateError,
    decode_control,
    decode_series,
    encode_state,
)

__all__ = [
    "CHECKPOINT_VERSION",
    "EPOCH_VERSION",
    "STATE_VERSION",
    "Checkpoint",
    "CheckpointPart",
    "Control",
    "DamagedStateError",
    "Epoch",
    "EpochKey",
    "EpochKind",
    "SeriesState",
    "UnreadableStateError",
    "Windows",
    "control_key",
    "decode_checkpoint",
    "decode_control",
    "decode_epoch",
    "decode_part",
    "decode_series",
    "encode_checkpoint",
    "encode_epoch",
    "encode_part",
    "encode_state",
    "epoch_key",
    "parse_epoch_key",
    "parse_key",
    "series_key",
]
