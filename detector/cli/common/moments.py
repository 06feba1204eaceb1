"""Times and offsets as people type them; see `detector.moments`."""

from detector.moments import NS_PER_SECOND, parse_moment, parse_span

__all__ = ["NS_PER_SECOND", "parse_moment", "parse_span"]
