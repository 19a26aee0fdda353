"""Connections to the service: a new one for each request, and one opened ahead of time."""

from __future__ import annotations

import asyncio
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
from tts_book.backends.edge.spare import SpareConnection
from tts_book.backends.edge.wire_log import CURRENT_LOG, WireLog, watch_requests
from tts_book.backends.network import Proxy, make_tls_context, open_connector
from tts_book.errors import Failure, UserError

Socket = aiohttp.ClientWebSocketResponse
# Until a service counts as out of reach.
CONNECTIONS_TRIED = 3
_MOST_LIST_BYTES = 8_000_000
_Answer = TypeVar("_Answer")


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
