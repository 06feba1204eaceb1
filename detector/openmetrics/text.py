r"""The text of OpenMetrics 1.0 (https://github.com/prometheus/OpenMetrics/blob/v1.0.0/specification/OpenMetrics.md).

Times are seconds since the epoch; within label values and help texts ``\``, ``"`` and line feeds are escaped, and
nothing else needs to be.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from prometheus_client.utils import floatToGoString

from detector.observability.replay_metrics import Family

END: Final = "# EOF\n"
_MS_PER_SECOND: Final = 1000


def escaped(text: str) -> str:
    """A label value or help text between its quotes."""
    return text.replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"')


def label_set(names: Iterable[str], values: Iterable[str]) -> str:
    """``stream="pumps",series="a"``."""
    return ",".join(f'{name}="{escaped(value)}"' for name, value in zip(names, values, strict=True))


def head(family: Family, prefix: str) -> str:
    """The lines before the samples of a family."""
    name = f"{prefix}{family.stem}"
    unit = f"# UNIT {name} {family.unit}\n" if family.unit else ""
    return f"# TYPE {name} {family.kind}\n{unit}# HELP {name} {escaped(family.documentation)}\n"


def number(value: float) -> str:
    """The shortest decimal that is the value; infinities as ``+Inf`` and ``-Inf``."""
    return str(floatToGoString(value))  # type: ignore[no-untyped-call]


def seconds(time_ms: int) -> str:
    """A time, to the millisecond, which is as exact as Prometheus keeps it."""
    sign = "-" if time_ms < 0 else ""
    whole, rest = divmod(abs(time_ms), _MS_PER_SECOND)
    return f"{sign}{whole}.{rest:03d}"


def sample(name: str, labels: str, value: float, time_ms: int) -> str:
    """One line."""
    return f"{name}{{{labels}}} {number(value)} {seconds(time_ms)}\n"
