"""One connection ahead: opened while replies still come, so that the next request need not wait
for a handshake."""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Awaitable, Callable

import aiohttp

from tts_book.backends.edge.failures import Troubled
from tts_book.errors import Failure

# The service closes idle connections after 30 s; a connection that nobody takes is closed earlier.
IDLE_S = 10.0
# After a 429 or 503 there is no spare until so many replies came whole and so much time passed;
# twice as many each time that the spare itself was too much.
RECOVERY_TURNS = 30
RECOVERY_S = 60.0

Socket = aiohttp.ClientWebSocketResponse
Open = Callable[[], Awaitable[Socket]]


class SpareConnection:
    """At most one, made by `open_socket`; `clock` gives seconds. For one event loop."""

    def __init__(self, open_socket: Open, clock: Callable[[], float]) -> None:
        self._open_socket, self._clock = open_socket, clock
        self._opening: asyncio.Task[Socket] | None = None
        self._idling: asyncio.Task[None] | None = None
        self._turns_to_wait = 0
        self._waits_until_s = clock()
        self._recovery_turns = RECOVERY_TURNS

    def open(self) -> None:
        """Opens one in the background, unless there is one or none may be opened now."""
        if self._opening is not None or self._turns_to_wait or self._clock() < self._waits_until_s:
            return
        own = contextvars.Context()  # what is logged about it belongs to no chunk
        opening = asyncio.create_task(_result_of(self._open_socket), context=own)
        self._opening = opening
        self._idling = asyncio.create_task(self._idle(opening), context=own)

    async def _idle(self, opening: asyncio.Task[Socket]) -> None:
        """Closes the connection when nobody takes it in time, or when the service does."""
        try:
            socket = await asyncio.shield(opening)
        except Troubled as troubled:
            if self._opening is opening:  # else whoever took it is told
                self._opening = None
                self._refused(troubled)
            return
        try:
            async with asyncio.timeout(IDLE_S):
                await socket.receive()  # only a farewell can come
        except TimeoutError:
            pass
        self._opening = None
        await socket.close()

    def _refused(self, troubled: Troubled) -> None:
        if troubled.trouble.failure is Failure.OVERLOAD:
            self._recovery_turns *= 2
            self._wait_for_recovery()
        else:
            self._turns_to_wait = 1

    def take(self) -> Awaitable[Socket] | None:
        """The spare connection, perhaps still being opened, or None where there is none. From now
        on it is no spare. To await it raises Troubled where opening it failed."""
        opening, idling = self._opening, self._idling
        if opening is None or idling is None:
            return None
        self._opening = self._idling = None
        idling.cancel()
        return _taken(opening, idling)

    async def forbid(self) -> None:
        """The service has too much to do: closes what is open, and opens none for a while."""
        self._wait_for_recovery()
        await self.close()

    def _wait_for_recovery(self) -> None:
        self._turns_to_wait = self._recovery_turns
        self._waits_until_s = self._clock() + RECOVERY_S

    def turn_succeeded(self) -> None:
        """A reply came whole."""
        self._turns_to_wait = max(0, self._turns_to_wait - 1)

    async def close(self) -> None:
        """Closes the spare connection, if there is one."""
        opening, idling = self._opening, self._idling
        self._opening = self._idling = None
        if idling is not None:
            idling.cancel()
            await asyncio.wait([idling])
        if opening is not None:
            await _discard(opening)


async def _taken(opening: asyncio.Task[Socket], idling: asyncio.Task[None]) -> Socket:
    try:
        await asyncio.wait([idling])  # it listens no more
        return await opening
    except asyncio.CancelledError:
        await _discard(opening)
        raise


async def _result_of(open_socket: Open) -> Socket:
    return await open_socket()


async def _discard(opening: asyncio.Task[Socket]) -> None:
    opening.cancel()
    await asyncio.wait([opening])
    if not opening.cancelled() and opening.exception() is None:
        await opening.result().close()
