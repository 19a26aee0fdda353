"""Connections to the service: a new one for each request, and one ahead.

The one ahead is opened while replies still come, so that the next request need not wait for a
handshake.
"""

from __future__ import annotations

import asyncio
import contextvars
import random
import ssl
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from typing import TypeVar

import aiohttp

from tts_book.backends import VoiceInfo
from tts_book.backends.edge.endpoint import Endpoint, ServerClock, misconfigured
from tts_book.backends.edge.exchange import Timeouts
from tts_book.backends.edge.failures import (
    ErrorContext,
    Foreign,
    ServiceTrouble,
    Troubled,
    foreign,
    http_date,
    of_status,
    plain,
    translate_error,
)
from tts_book.backends.edge.protocol import parse_voice_list
from tts_book.backends.edge.wire_log import CURRENT_LOG, WireLog, watch_requests
from tts_book.backends.network import Proxy, make_tls_context, open_connector
from tts_book.errors import Failure, UserError

# The service closes idle connections after 30 s; a connection that nobody takes is closed earlier.
IDLE_S = 10.0
# After a 429 or 503 there is no spare until so many replies came whole and so much time passed;
# twice as many each time that the spare itself was too much.
RECOVERY_TURNS = 30
RECOVERY_S = 60.0

# Until a service counts as out of reach.
CONNECTIONS_TRIED = 3
_MOST_LIST_BYTES = 8_000_000
_Answer = TypeVar("_Answer")

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


def foreign_errors() -> tuple[type[BaseException], ...]:
    """What the libraries below raise. That of SOCKS is imported only where it is used."""
    socks = sys.modules.get("aiohttp_socks")
    more = (socks.ProxyError, socks.ProxyConnectionError, socks.ProxyTimeoutError) if socks else ()
    return (aiohttp.ClientError, asyncio.IncompleteReadError, OSError, *more)


def make_request_id(chance: random.Random) -> str:
    """32 hexadecimal digits."""
    return f"{chance.getrandbits(128):032x}"


@dataclass(slots=True)
class EdgeSession:
    """The way to the service. `proven` once a connection has worked. Raises Troubled only."""

    endpoint: Endpoint
    clock: ServerClock
    times: Timeouts
    chance: random.Random
    environ: Mapping[str, str]
    tls: ssl.SSLContext | None = None
    proven: bool = False
    _sessions: dict[str, aiohttp.ClientSession] = field(default_factory=dict)
    _loop: asyncio.AbstractEventLoop | None = None
    _spare: SpareConnection | None = None
    _another_follows: bool = False
    _closing: set[asyncio.Task[None]] = field(default_factory=set)

    async def aclose(self) -> None:
        """Closes every connection; the next request opens others."""
        sessions, spare, closing = self._sessions, self._spare, self._closing
        self._sessions, self._spare, self._closing = {}, None, set()
        if self._loop is not asyncio.get_running_loop():
            for session in sessions.values():
                session.detach()  # the loop is gone, and with it every connection
            return
        if spare is not None:
            await spare.close()
        await asyncio.gather(*closing, return_exceptions=True)
        for session in sessions.values():
            await session.close()

    def open_log(self, request_id: str = "") -> WireLog:
        """For what is logged about a request."""
        log = WireLog(self.endpoint.secrets)
        log.begin(request_id)
        return log

    def preconnect(self) -> None:
        """Another request follows the next: its connection is opened as soon as that is under
        way."""
        self._another_follows = True

    @asynccontextmanager
    async def connect(self, log: WireLog) -> AsyncIterator[Socket]:
        """A new connection, ready for a request."""
        with _failures_logged(log):
            spare = await self._spare_here()
            try:
                socket = await self._connected(spare, log)
                try:
                    yield socket
                finally:
                    self._close_soon(socket, log)
            except foreign_errors() as error:
                cause = self._foreign(error, log)
                raise self._troubled(error, "receiving the answer") from cause
            except Troubled as troubled:
                if troubled.trouble.failure is Failure.OVERLOAD:
                    await spare.forbid()
                raise
            spare.turn_succeeded()

    async def _connected(self, spare: SpareConnection, log: WireLog) -> Socket:
        """The connection that was opened ahead, or a new one; the next is opened beside it."""
        taken = spare.take()
        if self.proven:
            self._open_ahead(spare)
        if taken is None:
            socket = await self.open_socket(log)
        else:
            socket = await taken
            log.note("goes over the connection that was opened ahead")
        self._open_ahead(spare)
        return socket

    def _open_ahead(self, spare: SpareConnection) -> None:
        if self._another_follows:
            self._another_follows = False
            spare.open()

    async def _spare_here(self) -> SpareConnection:
        await self._enter_loop()
        if self._spare is None:
            log = self.open_log("spare")
            clock = asyncio.get_running_loop().time
            self._spare = SpareConnection(lambda: self.open_socket(log), clock)
        return self._spare

    async def open_socket(self, log: WireLog) -> Socket:
        """A new connection, which the caller closes."""
        await self._enter_loop()
        with _failures_logged(log):
            socket = await self._with_right_clock(self._handshake, "connecting", log)
        self.proven = True
        return socket

    def _close_soon(self, socket: Socket, log: WireLog) -> None:
        """Closing takes a round trip, which nobody needs to wait for."""

        async def close() -> None:
            await socket.close()
            log.note(f"closed, code {socket.close_code}")

        task = asyncio.create_task(close())
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)

    async def find_obstacle(self, trouble: ServiceTrouble, limit_s: float) -> ServiceTrouble | None:
        """After `trouble` with the list of voices: what keeps speech away, too, or None. The list
        may be broken alone, and one dropped connection is no reason to give a book up; what is
        overloaded does answer, and is treated gently by whoever speaks."""
        began_s = time.monotonic()
        for _ in range(CONNECTIONS_TRIED):
            if trouble.failure is Failure.OVERLOAD:
                return None
            if time.monotonic() - began_s > limit_s:
                return trouble
            try:
                await self._reach(limit_s)
            except Troubled as troubled:
                trouble = troubled.trouble
                if trouble.failure is Failure.MISCONFIGURED:
                    return trouble
            else:
                return None
        return None if trouble.failure is Failure.OVERLOAD else trouble

    async def _reach(self, limit_s: float) -> None:
        """Connects for speech, and leaves again."""
        try:
            async with asyncio.timeout(limit_s), self.connect(self.open_log("health")):
                pass
        except TimeoutError as error:
            raise self._troubled(error, "connecting") from error

    async def list_voices(self, limit_s: float) -> tuple[VoiceInfo, ...]:
        """The service's list of voices, within `limit_s`."""

        async def ask() -> tuple[VoiceInfo, ...]:
            async with asyncio.timeout(limit_s):
                return await self._get_voices()

        log = self.open_log("voices")
        with _failures_logged(log):
            await self._enter_loop()
            found = await self._with_right_clock(ask, "asking for the list of voices", log)
        log.note(f"{len(found)} voices")
        return found

    async def _handshake(self) -> Socket:
        url = self.endpoint.speech_url(self.clock.server_s(), make_request_id(self.chance))
        session, proxy = self._session_for(url)
        async with asyncio.timeout(self.times.connect_s):
            return await session.ws_connect(
                url,
                headers=self.endpoint.library.speech_headers(),
                proxy=proxy,
                compress=15,
                timeout=aiohttp.ClientWSTimeout(ws_close=self.times.close_s),
            )

    async def _get_voices(self) -> tuple[VoiceInfo, ...]:
        url = self.endpoint.voices_url(self.clock.server_s())
        session, proxy = self._session_for(url)
        async with session.get(
            url, headers=self.endpoint.library.voices_headers(), proxy=proxy
        ) as answer:
            if answer.status != 200:
                answer.raise_for_status()
                raise Troubled(of_status(answer.status, answer.headers, self.clock.server_s()))
            body = await answer.content.read(_MOST_LIST_BYTES)
            while more := await answer.content.read(_MOST_LIST_BYTES):
                body += more
                if len(body) > _MOST_LIST_BYTES:
                    raise Troubled(ServiceTrouble("The list of voices does not end"))
        self.proven = True
        try:
            return parse_voice_list(body)
        except ValueError as error:
            raise Troubled(ServiceTrouble(str(error))) from error

    async def _enter_loop(self) -> None:
        """Forgets the connections of another event loop."""
        loop = asyncio.get_running_loop()
        if self._loop is not loop:
            await self.aclose()
            self._loop = loop

    def _session_for(self, url: str) -> tuple[aiohttp.ClientSession, str | None]:
        """The session on the way to `url`, and the HTTP proxy that goes with each request."""
        proxy = self.endpoint.proxy_for(url)
        socks = proxy if proxy is not None and proxy.is_socks else None
        key = socks.url if socks else ""
        if key not in self._sessions or self._sessions[key].closed:
            self._sessions[key] = self._open_session(socks)
        return self._sessions[key], proxy.url if proxy and not socks else None

    def get_tls(self) -> ssl.SSLContext:
        """The certificates that are trusted. Raises Troubled where they cannot be read."""
        try:
            self.tls = self.tls or make_tls_context(self.environ)
        except UserError as error:
            what, _, fix = str(error).partition(": ")
            raise misconfigured(what, f"{fix[:1].upper()}{fix[1:]}") from error
        return self.tls

    def _open_session(self, proxy: Proxy | None) -> aiohttp.ClientSession:
        return aiohttp.ClientSession(
            connector=open_connector(proxy, self.get_tls()),
            timeout=aiohttp.ClientTimeout(total=None),  # limits stand around each wait
            trace_configs=watch_requests(),
        )

    async def _with_right_clock(
        self, ask: Callable[[], Awaitable[_Answer]], stage: str, log: WireLog
    ) -> _Answer:
        """Asks; where the service refuses because our clock is wrong, once more with its own."""
        CURRENT_LOG.set(log)
        if proxy := self.endpoint.any_proxy():
            log.note(f"through the proxy {proxy}")
        used_s = self.clock.skew_s
        try:
            return await ask()
        except foreign_errors() as error:
            cause = self._foreign(error, log)
            if not self.clock.corrected(used_s, _refused_at(error)):
                raise self._troubled(error, stage) from cause
        tried_s = self.clock.skew_s
        log.note(f"the server's clock is {tried_s:+.0f} s from ours: asking again with its time")
        try:
            return await ask()
        except foreign_errors() as error:
            cause = self._foreign(error, log)
            if _refused_at(error) is not None:
                self.clock.restore(used_s, tried_s)
                log.note("that did not help: back to the time before")
            raise self._troubled(error, stage) from cause

    def _foreign(self, error: BaseException, log: WireLog) -> Foreign:
        """`error` as it may be seen, logged."""
        cause = foreign(error, self.endpoint.secrets().redact(plain(error)))
        log.note(str(cause))
        return cause

    def _troubled(self, error: BaseException, stage: str) -> Troubled:
        proxy = self.endpoint.any_proxy()
        where = ErrorContext(stage, str(proxy or ""), self.proven, self.clock.server_s())
        return Troubled(translate_error(error, where))


@contextmanager
def _failures_logged(log: WireLog) -> Iterator[None]:
    try:
        yield
    except Troubled as troubled:
        log.note(f"failed ({troubled.trouble.failure}): {troubled.trouble.what}")
        raise


def _refused_at(error: BaseException) -> float | None:
    """The server's time in a refusal (403) by the service itself."""
    if not isinstance(error, aiohttp.ClientResponseError) or error.status != 403:
        return None
    if isinstance(error, aiohttp.ClientHttpProxyError) or error.headers is None:
        return None
    return http_date(error.headers.get("Date"))
