"""One place of a running worker that holds a model, and what becomes of it when another bundle is there."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import structlog

from detector.cli.common.bundles import BundleSource, Named, follows_alias
from detector.errors import DetectorError, RegistryUnavailableError
from detector.model_address import ModelPlace
from detector.observability.metrics.labels import Role, SwapOutcome
from models.bundle import Bundle

_log = structlog.get_logger(__name__)


@dataclass(slots=True)
class Seat:
    """The model of a stream, or its challenger.

    Attributes:
        stream: Name of the stream.
        role: Which of the two.
        place: What the settings name.
        digest: Of the bundle that is in the seat; None: none.
        load: Opens and checks a bundle and puts it into the seat, and says what became of it, or raises.
        clear: Empties the seat, when its alias names nothing any more; None: it is never empty.
        source: Opens bundles.
        is_refused: Whether what the settings name was bad when it was last looked at.
        refused: What the alias named when its bundle turned out to be bad; not tried again until it names another.
    """

    stream: str
    role: Role
    place: ModelPlace
    digest: str | None
    load: Callable[[Bundle], SwapOutcome]
    clear: Callable[[], None] | None
    source: BundleSource
    is_refused: bool = False
    refused: Named | None = None
    _told_nothing: bool = field(default=False, repr=False)

    @property
    def follows(self) -> bool:
        """Whether a registry has to be asked now and then."""
        return follows_alias(self.place)

    def look(self, asked: bool) -> SwapOutcome | None:
        """See whether there is another bundle, and take it up.

        Args:
            asked: Whether somebody wants to know: directories are looked at too, and what was refused is tried again.

        Returns:
            What became of it; None when there is nothing to tell.

        Raises:
            DetectorError: the registry cannot be asked, or cannot be read; everything stays as it is.
        """
        if isinstance(self.place, Path):
            directory = self.place
            return self._take(lambda: self.source.open(directory)) if asked else None
        if not (asked or self.follows):
            return None
        reference = self.place
        named = self.source.named(reference)
        if named.digest is None:
            return self._nothing()
        self._told_nothing = False
        if named.digest == self.digest:
            self.refused, self.is_refused = None, False
            return self._same() if asked else None
        if named == self.refused and not asked:
            return None
        digest = named.digest
        outcome = self._take(lambda: self.source.fetch(reference, digest))
        self.refused = named if outcome == "refused" else None
        return outcome

    def _nothing(self) -> SwapOutcome | None:
        self.is_refused = False
        there_was = self.digest is not None
        if self.clear is not None:
            self.clear()
            self.digest = None
        if not self._told_nothing:
            self._told_nothing = True
            if self.clear is None:
                _log.warning("the alias names nothing; the old model goes on", **self._about())
            else:
                _log.info("the alias names nothing; there is no challenger", **self._about())
        return "removed" if there_was and self.clear is not None else None

    def _same(self) -> SwapOutcome:
        self.is_refused = False
        _log.info("the bundle is the one that runs already", **self._about())
        return "unchanged"

    def _take(self, opened: Callable[[], Bundle]) -> SwapOutcome:
        try:
            bundle = opened()
            if bundle.digest == self.digest:
                return self._same()
            outcome = self.load(bundle)
        except RegistryUnavailableError:
            raise
        except DetectorError as error:
            return self._refuse(str(error))
        except (
            Exception
        ) as error:  # whatever libraries make of a bad bundle: the model that runs is none of its business
            return self._refuse(f"{type(error).__name__}: {str(error)[:500]}")
        self.digest, self.is_refused = bundle.digest, False
        return outcome

    def _refuse(self, reason: str) -> SwapOutcome:
        self.is_refused = True
        if self.role == "champion":
            _log.error("the new bundle is refused, the old model goes on", reason=reason, **self._about())
        else:
            _log.error("the challenger is refused", reason=reason, **self._about())
        return "refused"

    def _about(self) -> dict[str, str]:
        return {"stream": self.stream, "role": self.role, "place": str(self.place)}
