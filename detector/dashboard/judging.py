"""What somebody says about an incident, on its way to the feedback topic."""

from __future__ import annotations

import json
from http import HTTPStatus
from typing import Final, get_args

import structlog

from detector.alerting.timestamps import format_time
from detector.dashboard.aside import off_the_loop
from detector.dashboard.base import Handler, RefusalError
from detector.feedback.verdicts import VerdictName, verdict_on

_LONGEST_NOTE: Final = 2000
_LONGEST_AUTHOR: Final = 100
_MAY_BE_SAID: Final = frozenset(get_args(VerdictName)) - {"missed"}
_LOG = structlog.get_logger(__name__)


class FeedbackHandler(Handler):
    """What somebody says about an incident."""

    async def post(self, name: str) -> None:
        """Put it on the feedback topic; the board hears of it from there, like everyone."""
        parts = self.parts
        if parts.settings.read_only:
            raise RefusalError(HTTPStatus.FORBIDDEN, "this dashboard only shows (dashboard.read_only)")
        event = self.incident(name).latest.event
        said = self._said()
        now = parts.clock() // 1_000_000 * 1_000_000
        verdict = verdict_on(event, said[0], author=said[1], note=said[2], given_at=format_time(now))
        await off_the_loop(lambda: parts.give(verdict))
        _LOG.info("verdict given", incident_id=event.incident_id, verdict=verdict.verdict, author=verdict.author)
        self.answer({"verdict": verdict.verdict, "given_at": verdict.given_at})

    def _said(self) -> tuple[VerdictName, str, str]:
        try:
            body = json.loads(self.request.body)
        except (ValueError, RecursionError):
            body = None
        if not isinstance(body, dict):
            raise RefusalError(HTTPStatus.BAD_REQUEST, "send a JSON object with verdict, author and note")
        verdict, author, note = body.get("verdict"), body.get("author"), body.get("note", "")
        if not isinstance(verdict, str) or verdict not in _MAY_BE_SAID:
            raise RefusalError(HTTPStatus.BAD_REQUEST, f"verdict: choose of {', '.join(sorted(_MAY_BE_SAID))}")
        auth = self.parts.settings.auth
        if auth is not None and not author:
            author = auth.username
        if not isinstance(author, str) or not 0 < len(author.strip()) <= _LONGEST_AUTHOR:
            raise RefusalError(
                HTTPStatus.BAD_REQUEST, f"author: say who you are, in up to {_LONGEST_AUTHOR} characters"
            )
        if not isinstance(note, str) or len(note) > _LONGEST_NOTE:
            raise RefusalError(HTTPStatus.BAD_REQUEST, f"note: up to {_LONGEST_NOTE} characters of text")
        if not _encodes(author + note):
            raise RefusalError(HTTPStatus.BAD_REQUEST, "author and note must be text that can be encoded as UTF-8")
        return verdict, author.strip(), note.strip()  # type: ignore[return-value]  # one of those that may be said


def _encodes(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
