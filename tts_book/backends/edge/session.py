"""Connections to the service: one session, a new connection for each request."""

from __future__ import annotations

import asyncio
import json
import random
import ssl
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TypeVar

import aiohttp
from edge_tts.exceptions import EdgeTTSException

from tts_book.backends import VoiceInfo
from tts_book.backends.edge.endpoint import Endpoint, ServerClock, describe_proxy, make_tls_context
from tts_book.backends.edge.error_table import ErrorContext, translate_error
from tts_book.backends.edge.failures import (
    Foreign,
    ServiceTrouble,
    Troubled,
    foreign,
    http_date,
    of_status,
    plain,
)
from tts_book.backends.edge.patience import Timeouts
from tts_book.backends.edge.redaction import redact_headers, redact_query
from tts_book.backends.edge.wire_log import WireLog, is_enabled, short
from tts_book.errors import Failure

# aiohttp tells its watchers nothing of who asked for a WebSocket; they run in the asker's context.
ASKING: ContextVar[WireLog | None] = ContextVar("ASKING", default=None)


def watching() -> aiohttp.TraceConfig:
    """For a session: tells what happens to the log that is ASKING."""
    config = aiohttp.TraceConfig()
    config.on_request_start.append(_asks)
    config.on_dns_resolvehost_end.append(_found)
    config.on_connection_create_end.append(_connected)
    config.on_request_end.append(_answered)
    return config


async def _asks(
    _session: aiohttp.ClientSession, _context: object, asked: aiohttp.TraceRequestStartParams
) -> None:
    if (log := ASKING.get()) is not None:
        url = asked.url
        query = redact_query(url.query, log.secrets)
        head = redact_headers(asked.headers, log.secrets)
        log.note(f"> GET {url.scheme}://{url.host}:{url.port}{url.path}?{query} [{head}]")


async def _found(
    _session: aiohttp.ClientSession, _context: object, found: aiohttp.TraceDnsResolveHostEndParams
) -> None:
    if (log := ASKING.get()) is not None:
        log.note(f"the address of {found.host} is found")


async def _connected(
    _session: aiohttp.ClientSession, _context: object, _: aiohttp.TraceConnectionCreateEndParams
) -> None:
    if (log := ASKING.get()) is not None:
        log.note("connected")


async def _answered(
    _session: aiohttp.ClientSession, _context: object, answered: aiohttp.TraceRequestEndParams
) -> None:
    if (log := ASKING.get()) is not None:
        answer = answered.response
        head = short(redact_headers(answer.headers, log.secrets))
        log.note(f"< {answer.status} {short(answer.reason or '')} [{head}]")


FOREIGN = (aiohttp.ClientError, EdgeTTSException, OSError)
# Until a service counts as out of reach.
CONNECTIONS_TRIED = 3
_MOST_LIST_BYTES = 8_000_000
_GENDERS = ("male", "female")
_Answer = TypeVar("_Answer")


def make_request_id(chance: random.Random) -> str:
    """32 hexadecimal digits."""
    return f"{chance.getrandbits(128):032x}"


@dataclass(slots=True)
class EdgeSession:
    """The way to the service. `proven` once a connection has worked;
    Raises Troubled only."""

    endpoint: Endpoint
    clock: ServerClock
    times: Timeouts
    chance: random.Random
    environ: Mapping[str, str]
    tls: ssl.SSLContext | None = None
    proven: bool = False
    _session: aiohttp.ClientSession | None = None
    _loop: asyncio.AbstractEventLoop | None = None

    async def aclose(self) -> None:
        """Closes the session; the next request opens another."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    def open_log(self, request_id: str = "") -> WireLog:
        """For telling what is said about a request."""
        log = WireLog(self.endpoint.secrets)
        log.begin(request_id)
        return log

    @asynccontextmanager
    async def connect(self, log: WireLog) -> AsyncIterator[aiohttp.ClientWebSocketResponse]:
        """A new connection, ready for a request."""
        with _telling(log):
            socket = await self._with_right_clock(self._connect, "connecting", log)
            self.proven = True
            try:
                async with socket:
                    yield socket
            except FOREIGN as error:
                cause = self._foreign(error, log)
                raise self._troubled(error, "receiving the answer") from cause
            log.note(f"closed, code {socket.close_code}")

    async def find_obstacle(self, trouble: ServiceTrouble, limit_s: float) -> ServiceTrouble | None:
        """After `trouble` with the list of voices: what keeps speech away, too, or None. The list
        may be broken alone, and one dropped connection is no reason to give a book up; what is
        overloaded does answer, and is treated gently by whoever speaks."""
        began_s = time.monotonic()
        for _ in range(CONNECTIONS_TRIED):
            if trouble.failure is Failure.OVERLOAD:
                return None
            if trouble.failure is Failure.MISCONFIGURED or time.monotonic() - began_s > limit_s:
                return trouble
            try:
                await self._reach(limit_s)
            except Troubled as troubled:
                trouble = troubled.trouble
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

    async def voices(self, limit_s: float) -> tuple[VoiceInfo, ...]:
        """The service's list of voices, within `limit_s`."""

        async def ask() -> tuple[VoiceInfo, ...]:
            async with asyncio.timeout(limit_s):
                return await self._get_voices()

        log = self.open_log("voices")
        with _telling(log):
            found = await self._with_right_clock(ask, "asking for the list of voices", log)
        log.note(f"{len(found)} voices")
        return found

    async def _connect(self) -> aiohttp.ClientWebSocketResponse:
        url = self.endpoint.speech_url(self.clock.server_s(), make_request_id(self.chance))
        async with asyncio.timeout(self.times.connect_s):
            return await self._open().ws_connect(
                url,
                headers=self.endpoint.speech_headers(),
                proxy=self.endpoint.proxy_for(url),
                compress=15,
                timeout=aiohttp.ClientWSTimeout(ws_close=self.times.close_s),
            )

    async def _get_voices(self) -> tuple[VoiceInfo, ...]:
        url = self.endpoint.voices_url(self.clock.server_s())
        headers, proxy = self.endpoint.voices_headers(), self.endpoint.proxy_for(url)
        async with self._open().get(url, headers=headers, proxy=proxy) as answer:
            if answer.status != 200:
                answer.raise_for_status()
                raise Troubled(of_status(answer.status, answer.headers, self.clock.server_s()))
            body = await answer.content.read(_MOST_LIST_BYTES)
            while more := await answer.content.read(_MOST_LIST_BYTES):
                body += more
                if len(body) > _MOST_LIST_BYTES:
                    raise Troubled(ServiceTrouble("The list of voices does not end"))
        self.proven = True
        return parse_voice_list(body)

    def _open(self) -> aiohttp.ClientSession:
        loop = asyncio.get_running_loop()
        if self._session is not None and self._loop is not loop:
            self._session.detach()  # its loop is gone, and with it every connection
            self._session = None
        if self._session is None or self._session.closed:
            self.tls = self.tls or make_tls_context(self.environ)
            connector = aiohttp.TCPConnector(ssl=self.tls, limit=0, force_close=True)
            timeout = aiohttp.ClientTimeout(total=None)  # limits stand around each wait
            self._session = aiohttp.ClientSession(
                connector=connector,
                timeout=timeout,
                trace_configs=[watching()] if is_enabled() else None,
            )
            self._loop = loop
        return self._session

    async def _with_right_clock(
        self, ask: Callable[[], Awaitable[_Answer]], stage: str, log: WireLog
    ) -> _Answer:
        """Asks; where the service refuses because our clock is wrong, once more with its own."""
        ASKING.set(log)
        if proxy := describe_proxy(self.endpoint.any_proxy()):
            log.note(f"through the proxy {proxy}")
        used_s = self.clock.skew_s
        try:
            return await ask()
        except FOREIGN as error:
            cause = self._foreign(error, log)
            if not self.clock.corrected(used_s, _refused_at(error)):
                raise self._troubled(error, stage) from cause
        tried_s = self.clock.skew_s
        log.note(f"the server's clock is {tried_s:+.0f} s from ours: asking again with its time")
        try:
            return await ask()
        except FOREIGN as error:
            cause = self._foreign(error, log)
            if _refused_at(error) is not None:
                self.clock.restore(used_s, tried_s)
                log.note("that did not help: back to the time before")
            raise self._troubled(error, stage) from cause

    def _foreign(self, error: BaseException, log: WireLog) -> Foreign:
        """`error` as it may be seen, told."""
        cause = foreign(error, self.endpoint.secrets().redact(plain(error)))
        log.note(str(cause))
        return cause

    def _troubled(self, error: BaseException, stage: str) -> Troubled:
        proxy = describe_proxy(self.endpoint.any_proxy())
        where = ErrorContext(stage, proxy, self.proven, self.clock.server_s())
        return Troubled(translate_error(error, where))


@contextmanager
def _telling(log: WireLog) -> Iterator[None]:
    """Tells also what went wrong in the end."""
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


def parse_voice_list(body: bytes) -> tuple[VoiceInfo, ...]:
    """The voices in the service's JSON; entries without a name are passed over."""
    try:
        told = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise Troubled(ServiceTrouble("The list of voices came incomplete")) from error
    found = tuple(_voices(told)) if isinstance(told, list) else ()
    if not found:
        raise Troubled(ServiceTrouble("The list of voices came empty"))
    return found


def _voices(told: list[object]) -> list[VoiceInfo]:
    found: list[VoiceInfo] = []
    for voice in told:
        if not isinstance(voice, dict) or not isinstance(voice.get("ShortName"), str):
            continue
        name = str(voice["ShortName"])
        language = str(voice.get("Locale") or name.rpartition("-")[0])
        gender = str(voice.get("Gender", "")).lower()
        tag = voice.get("VoiceTag")
        traits = tag.get("VoicePersonalities") if isinstance(tag, dict) else None
        note = ", ".join(map(str, traits)) if isinstance(traits, list) else ""
        known = gender if gender in _GENDERS else ""
        found.append(VoiceInfo("edge", name, language, known, note))
    return found
