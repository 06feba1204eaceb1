"""Numbers and durations as people read them."""

from __future__ import annotations

import math

_UNITS = ((86_400.0, "d"), (3600.0, "h"), (60.0, "min"), (1.0, "s"))


def number(value: float | None, digits: int = 4) -> str:
    """With so many digits that matter; ``missing`` for what is not known."""
    if value is None or not math.isfinite(value):
        return "missing"
    if value != 0 and not 1e-4 <= abs(value) < 1e7:
        return f"{value:.{digits - 1}e}"
    text = f"{value:,.{max(0, digits - 1 - math.floor(math.log10(abs(value))))}f}" if value else "0"
    return text.rstrip("0").rstrip(".") if "." in text else text


def duration(seconds: float) -> str:
    """In the two largest units that fit: ``2 h 5 min``."""
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms" if seconds else "0 s"
    rest = round(seconds)
    parts = []
    for size, name in _UNITS:
        count, rest = divmod(rest, int(size))
        if count:
            parts.append(f"{count} {name}")
    return " ".join(parts[:2])


def sentence(text: str) -> str:
    """With a capital at its beginning and a full stop at its end."""
    text = text.strip()
    return text[:1].upper() + text[1:] + ("" if text.endswith((".", "!", "?")) else ".")
