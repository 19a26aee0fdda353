"""A conversation with one server over HTTP, its failures in our own words."""

from __future__ import annotations

import asyncio
import base64
import json
import ssl
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote, urlsplit

import aiohttp

from tts_book.backends.edge.failures import plain, retry_after
from tts_book.backends.edge.wire_log import Secrets
from tts_book.backends.network import Proxy, find_proxy, make_tls_context, open_connector
from tts_book.errors import (
    BackendError,
    BackendIncomplete,
    BackendRefused,
    BackendUnavailable,
    Failure,
    UserError,
    misconfigured,
)
from tts_book.model import SpeechServer

CONNECT_S = 10.0
ASK_S = 8.0
# 300 s of sound in floating point at 48 kHz are 58 MB.
MOST_BYTES = 256 << 20
_ABSENT = frozenset({404, 405, 501})
_OVERLOADED = frozenset({429, 503, 529})
_TOO_LONG_WORDS = ("too long", "too large", "maximum", "at most", "max_length", "limit", "4096")
_SOCKS_LIBRARIES = frozenset({"aiohttp_socks", "python_socks"})
_VOICE_WORDS = ("voice", "speaker", "model")


@dataclass(frozen=True, slots=True)
class ServerReply:
    """A reply that says 200: its headers, and its whole body."""

    headers: Mapping[str, str]
    body: bytes


class AbsentPathError(Exception):
    """The server has no such address: for what only some servers have."""


class ServerClient:
    """Talks to `server`. The key is looked up when it is needed and never kept in a message."""

    def __init__(self, server: SpeechServer, environ: Mapping[str, str], proxy: str = "") -> None:
        self._server, self._environ, self._proxy = server, environ, proxy
        self._session: aiohttp.ClientSession | None = None
        self._secrets = Secrets([server.login, server.login.partition(":")[2]])

    async def post(self, path: str, sent: Mapping[str, object], patience_s: float) -> ServerReply:
        """The whole reply to `sent` as JSON; the server may be silent for `patience_s`. Raises
        BackendError, or AbsentPathError."""
        return await self._request("POST", path, patience_s, json=sent)

    async def get(self, path: str, patience_s: float = ASK_S) -> Any:
        """The JSON at `path`, None for what is no JSON. Raises BackendError or AbsentPathError."""
        reply = await self._request("GET", path, patience_s)
        try:
            return json.loads(reply.body)
        except (ValueError, RecursionError):
            return None

    async def close(self) -> None:
        """Lets go of the connections."""
        if self._session is not None:
            await self._session.close()

    async def _request(self, method: str, path: str, patience_s: float, **sent: Any) -> ServerReply:
        url = self._server.url + path
        # Nothing may come while the server is speaking; a connection that drops shows at once.
        timeout = aiohttp.ClientTimeout(None, sock_connect=CONNECT_S, sock_read=patience_s)
        headers = {"Accept": "*/*", "User-Agent": "tts-book", **self._authorization()}
        try:
            proxy = self._find_proxy()
            http_proxy = proxy.url if proxy and not proxy.is_socks else None
            async with self._opened(proxy).request(
                method, url, headers=headers, timeout=timeout, proxy=http_proxy, **sent
            ) as response:
                body = await _read_whole(response)
                if response.status != 200:
                    raise self._refusal(response.status, response.headers, body)
                return ServerReply(dict(response.headers), body)
        except UserError as error:
            raise misconfigured(str(error)) from None
        except foreign_errors() as error:
            raise self._translated(error) from None

    def _find_proxy(self) -> Proxy | None:
        """A proxy is for servers elsewhere, never for one on this machine. Raises UserError."""
        host = urlsplit(self._server.url).hostname or ""
        is_here = host in ("localhost", "::1") or host.startswith("127.")
        return None if is_here else find_proxy(self._proxy, self._environ, host)

    def _opened(self, proxy: Proxy | None) -> aiohttp.ClientSession:
        if self._session is None:
            connector = open_connector(proxy, make_tls_context(self._environ))
            self._session = aiohttp.ClientSession(connector=connector, trust_env=False)
            if proxy is not None:
                self._secrets.add([proxy.name, proxy.password])
        return self._session

    def _authorization(self) -> dict[str, str]:
        name = self._server.key_env
        if name:
            key = self._environ.get(name, "").strip()
            if not key:
                raise misconfigured(
                    f"The key for {self._server.url} is looked for in ${name}, which is not set."
                )
            self._secrets.add([key])
            return {"Authorization": f"Bearer {key}"}
        if self._server.login:
            login = base64.b64encode(unquote(self._server.login).encode()).decode()
            self._secrets.add([login])
            return {"Authorization": f"Basic {login}"}
        return {}

    def _refusal(
        self, status: int, headers: Mapping[str, str], body: bytes
    ) -> BackendError | AbsentPathError:
        said = self._secrets.redact(find_error_text(body))
        what = f"{self._server.url} answers {status}" + (f": {said}" if said else "")
        wait_s = retry_after(headers.get("Retry-After"), time.time())
        if status in _ABSENT and not _is_about(said, _VOICE_WORDS):
            return AbsentPathError(what)
        if status in _OVERLOADED:
            return BackendUnavailable(f"{what}.", Failure.OVERLOAD, retry_after_s=wait_s)
        if status in (401, 403):
            hint = f"Check ${self._server.key_env}." if self._server.key_env else "Set key_env."
            return BackendRefused(f"{what}. {hint}", Failure.REFUSED, stops_run=True)
        if status == 407:
            return misconfigured(f"{what}. The proxy asks for a name and a password.")
        if status == 413 or (status < 500 and _is_about(said, _TOO_LONG_WORDS)):
            return BackendRefused(f"{what}.", Failure.TOO_LONG)
        if status < 500 and _is_about(said, _VOICE_WORDS):
            return misconfigured(f"{what}.")
        if 400 <= status < 500 and status not in (408, 425):
            return BackendRefused(f"{what}.", Failure.BAD_REQUEST)
        return BackendUnavailable(f"{what}.", retry_after_s=wait_s)

    def _translated(self, error: Exception) -> BackendError:
        why = self._secrets.redact(plain(str(error) or type(error).__name__))
        if type(error).__module__.partition(".")[0] in _SOCKS_LIBRARIES:
            return misconfigured(f"The proxy on the way to {self._server.url} fails ({why}).")
        meaning = next(meaning for kinds, meaning in ERRORS if isinstance(error, kinds))
        message = meaning.message.format(where=self._server.url, why=why)
        if meaning.error is BackendRefused:
            return misconfigured(message)
        return meaning.error(message)


@dataclass(frozen=True, slots=True)
class _StatusMeaning:
    error: type[BackendRefused | BackendUnavailable | BackendIncomplete]
    message: str


class _TooMuchError(Exception):
    """A body without end."""


# First match counts; the last three hold all that aiohttp and the system raise.
ERRORS: tuple[tuple[tuple[type[Exception], ...], _StatusMeaning], ...] = (
    (
        (_TooMuchError,),
        _StatusMeaning(BackendIncomplete, "{where} sends more for one text than any text takes."),
    ),
    (
        (aiohttp.ClientConnectorCertificateError, ssl.SSLCertVerificationError),
        _StatusMeaning(
            BackendRefused,
            "The certificate of {where} is not accepted. For one of your own, set SSL_CERT_FILE to "
            "the file that signs it.",
        ),
    ),
    (
        (aiohttp.ClientSSLError, ssl.SSLError),
        _StatusMeaning(
            BackendRefused, "There is no encrypted connection to {where} ({why}). Is it http://?"
        ),
    ),
    (
        (aiohttp.ClientProxyConnectionError, aiohttp.ClientHttpProxyError),
        _StatusMeaning(BackendRefused, "The proxy on the way to {where} cannot be used ({why})."),
    ),
    (
        (aiohttp.InvalidURL, aiohttp.TooManyRedirects),
        _StatusMeaning(
            BackendRefused, "{where} cannot be used ({why}). Check its url in voices.toml."
        ),
    ),
    (
        (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError),
        _StatusMeaning(
            BackendUnavailable, "{where} cannot be reached ({why}). Is the server running?"
        ),
    ),
    ((TimeoutError,), _StatusMeaning(BackendUnavailable, "{where} sends nothing any more.")),
    (
        (aiohttp.ClientError, asyncio.IncompleteReadError, OSError),
        _StatusMeaning(BackendUnavailable, "The connection to {where} dropped ({why})."),
    ),
)


def foreign_errors() -> tuple[type[Exception], ...]:
    """What the libraries below raise. That of SOCKS is imported only where it is used."""
    socks = sys.modules.get("aiohttp_socks")
    more = (socks.ProxyError, socks.ProxyConnectionError, socks.ProxyTimeoutError) if socks else ()
    known = (aiohttp.ClientError, asyncio.IncompleteReadError, OSError, TimeoutError)
    return (*known, _TooMuchError, *more)


async def _read_whole(response: aiohttp.ClientResponse) -> bytes:
    body = bytearray()
    async for block in response.content.iter_chunked(1 << 16):
        body += block
        if len(body) > MOST_BYTES:
            raise _TooMuchError
        await asyncio.sleep(0)
    return bytes(body)


def find_error_text(body: bytes) -> str:
    """What a server's error says, on one line: OpenAI's and FastAPI's forms, or plain text."""
    text = body[:20_000].decode("utf-8", "replace")
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return "" if "<html" in text.lower() else plain(text)
    return plain(_message_in(found))


def _message_in(found: object) -> str:
    if isinstance(found, dict):
        for key in ("message", "detail", "error", "msg"):
            if found.get(key):
                return _message_in(found[key])
        return ""
    if isinstance(found, list):
        return "; ".join(filter(None, map(_message_in, found[:3])))
    return str(found)


def _is_about(said: str, words: tuple[str, ...]) -> bool:
    folded = said.casefold()
    return any(word in folded for word in words)
