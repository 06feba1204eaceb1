"""What the first one to look would else wait for: connections, the model, and the picture at the top of the list."""

from __future__ import annotations

from detector.dashboard.board import Board
from detector.dashboard.drawing import Studio
from detector.dashboard.query import Query


class Warming:
    """Has the picture of the first incident drawn before anybody asks for it.

    One at a time is enough: what it opens serves the others, and a thread stays free for who comes meanwhile.

    Args:
        board: The incidents.
        studio: Draws.
    """

    def __init__(self, board: Board, studio: Studio) -> None:
        self._board, self._studio = board, studio
        self._done = False

    def look(self, read_once: bool) -> None:
        """Called whenever something has changed, by one thread.

        Args:
            read_once: Whether all that there is was read; before, nobody knows which incident comes first.
        """
        if self._done or not read_once:
            return
        found = self._board.view().incidents
        if found:
            self._done = True
            query = Query()
            self._studio.ask(min(found, key=query.rank).latest.event)
