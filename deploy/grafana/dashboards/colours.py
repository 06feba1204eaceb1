"""The colours, which people tell apart who see red and green alike.

They are those of Okabe and Ito, *Color Universal Design*, 2008 (https://jfly.uni-koeln.de/color/), without black;
limits are dashed as well. Where the number of lines is not known beforehand they are shades of one colour, which differ
in lightness.
"""

from __future__ import annotations

from typing import Final

SKY: Final = "#56B4E9"
BLUE: Final = "#0072B2"
GREEN: Final = "#009E73"
ORANGE: Final = "#E69F00"
VERMILLION: Final = "#D55E00"
PURPLE: Final = "#CC79A7"
YELLOW: Final = "#F0E442"
GREY: Final = "#999999"

# Beneath what matters: what is all right for most of the time.
FAINT: Final = "rgba(86, 180, 233, 0.25)"

GOOD: Final = GREEN
WARN: Final = ORANGE
BAD: Final = VERMILLION

SEVERITIES: Final = {"info": SKY, "warning": ORANGE, "critical": VERMILLION}
KINDS: Final = {"reconstruction": VERMILLION, "silence": PURPLE, "frozen": SKY}
