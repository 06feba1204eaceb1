"""A TCP proxy between workers and brokers that delays, withholds answers and cuts connections."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Coroutine, Mapping
from typing import Any

_CHUNK_BYTES = 1 << 16
_PATIENCE_SECONDS = 10.0
_HELD_PAUSE_SECONDS = 0.02


class Proxy:
    """Forwards each listening port to one of a broker. It runs on a thread of its own; a context manager.

    Args:
        routes: Port to connect to, by port to listen on; both of the loopback interface.
    """

    def __init__(self, routes: Mapping[int, int]) -> None:
        self._routes = dict(routes)
        self._delay_seconds = 0.0
        self._muted = False
        self._writers: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="proxy", daemon=True)

    def __enter__(self) -> Proxy:
        self._thread.start()
        self._wait(self._listen())
        return self

    def __exit__(self, *exc: object) -> None:
        self._wait(self._shut())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(_PATIENCE_SECONDS)
        self._loop.close()

    def delay(self, seconds: float) -> None:
        """Let every piece of data wait, in both directions; 0 ends it."""
        self._delay_seconds = seconds

    def cut(self) -> None:
        """Break every connection; new ones are served."""
        self._wait(self._cut())

    def mute(self) -> None:
        """From now on requests arrive, and no answer comes back."""
        self._muted = True

    def unmute(self) -> None:
        """Serve again. Connections whose answers were withheld are broken: they would be out of step."""
        self.cut()
        self._muted = False

    def heal(self) -> None:
        """End every disturbance."""
        self.delay(0.0)
        if self._muted:
            self.unmute()

    def _wait(self, work: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(_PATIENCE_SECONDS)

    async def _listen(self) -> None:
        self._servers = [
            await asyncio.start_server(self._serve(target), "127.0.0.1", port) for port, target in self._routes.items()
        ]

    def _serve(self, target: int) -> Any:
        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            try:
                up_reader, up_writer = await asyncio.open_connection("127.0.0.1", target)
            except OSError:
                writer.transport.abort()
                return
            self._writers |= {writer, up_writer}
            pumps = [
                asyncio.ensure_future(self._pump(reader, up_writer, answers=False)),
                asyncio.ensure_future(self._pump(up_reader, writer, answers=True)),
            ]
            self._tasks.update(pumps)
            await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
            for pump in pumps:
                pump.cancel()
            self._tasks.difference_update(pumps)
            for one in (writer, up_writer):
                self._writers.discard(one)
                one.transport.abort()

        return serve

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, answers: bool) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(_CHUNK_BYTES):
                if self._delay_seconds:
                    await asyncio.sleep(self._delay_seconds)
                while answers and self._muted:
                    await asyncio.sleep(_HELD_PAUSE_SECONDS)  # until `unmute` cuts this connection
                writer.write(data)
                await writer.drain()

    async def _cut(self) -> None:
        for task in list(self._tasks):
            task.cancel()
        for writer in list(self._writers):
            writer.transport.abort()

    async def _shut(self) -> None:
        for server in self._servers:
            server.close()
        await self._cut()
        await asyncio.sleep(0)
