"""Numbers of foreign records to floats."""

from __future__ import annotations

import math
from decimal import Decimal
from typing import Any

from detector.errors import InvalidRecordError
from detector.records.quoting import quoted

_NAN = math.nan


def to_float(value: Any, field: str) -> float:
    """The value as a finite float, or NaN for one that is missing: null, NaN, or the text ``NaN``.

    Text that spells a number counts as that number; ``true`` and ``false`` count as 1 and 0.

    Args:
        value: From the record.
        field: Name for messages.

    Raises:
        InvalidRecordError: ``not_a_number`` or ``not_finite``.
    """
    if value is None:
        return _NAN
    if isinstance(value, str):
        # float() would also take digits of other scripts, and 1_000: those are names or codes, not measurements.
        if not value.isascii() or "_" in value:
            raise InvalidRecordError("not_a_number", f"{field} is {quoted(value)}")
    elif not isinstance(value, int | float | Decimal):
        raise InvalidRecordError("not_a_number", f"{field} is {quoted(value)}")
    try:
        number = float(value)
    except OverflowError as error:
        raise InvalidRecordError("not_finite", f"{field} is {quoted(value)}") from error
    except ValueError as error:
        raise InvalidRecordError("not_a_number", f"{field} is {quoted(value)}") from error
    if math.isinf(number):
        raise InvalidRecordError("not_finite", f"{field} is {quoted(value)}")
    return number
