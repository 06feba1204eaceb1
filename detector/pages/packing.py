"""Data that is written into a page packed: pictures are most of a report, and much of one is as in the others."""

from __future__ import annotations

import base64
import gzip
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Packed:
    """JSON, gzipped, in base64: nothing in it can end the element that it stands in, or begin another.

    Attributes:
        text: As it stands in the page.
    """

    text: str

    def __len__(self) -> int:
        return len(self.text)


def pack(data: Mapping[str, Any] | Packed) -> Packed:
    """Pack data, unless it is.

    Raises:
        ValueError: there is a number that JSON does not have.
    """
    if isinstance(data, Packed):
        return data
    text = json.dumps(data, separators=(",", ":"), allow_nan=False)
    return Packed(base64.b64encode(gzip.compress(text.encode(), 6, mtime=0)).decode())


def unpack(text: str) -> Any:
    """What was packed; for those who read pages by program."""
    return json.loads(gzip.decompress(base64.b64decode(text)))
