"""The debug log of the protocol, on the logger `tts_book.edge`.

`>` is what is sent, `<` what comes. The text that is spoken is logged as it is; tokens, cookies and
passwords never are, in whatever spelling they come back: `Secrets` knows them all.
"""

from __future__ import annotations

import base64
import logging
import re
import time
from collections.abc import Callable, Iterable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, quote, quote_plus, unquote, unquote_plus

import aiohttp

from tts_book.backends.edge.protocol import parse_binary_frame

HIDDEN = "(hidden)"
# Parameters and headers whose values say nothing about anybody; all others are hidden.
_SHOWN_PARAMETERS = frozenset({"connectionid", "sec-ms-gec-version"})
_SHOWN_HEADERS = frozenset(
    {
        "accept-encoding", "accept-language", "cache-control", "connection", "content-encoding",
        "content-length", "content-type", "date", "origin", "pragma", "retry-after",
        "sec-websocket-extensions", "sec-websocket-version", "server", "upgrade", "user-agent",
        "x-cache",
    }
)  # fmt: skip
# Shorter ones would be found everywhere, and are no secrets.
_LEAST_CHARACTERS = 4


class Secrets:
    """Values to be hidden wherever they appear in a text."""

    def __init__(self, values: Iterable[str] = ()) -> None:
        self._spellings: set[str] = set()
        self._pattern: re.Pattern[str] | None = None
        self.add(values)

    def add(self, values: Iterable[str]) -> None:
        """More values: as they are, percent-encoded and decoded."""
        for value in values:
            bare = {value, unquote(value), unquote_plus(value)}
            coded = {quote(v, safe="") for v in bare} | {quote(v) for v in bare}
            every = bare | coded | {quote_plus(v) for v in bare}
            self._spellings |= {v for v in every if len(v) >= _LEAST_CHARACTERS}
        self._pattern = None

    def redact(self, text: str) -> str:
        """`text` without any of them, in either case."""
        if not self._spellings:
            return text
        if self._pattern is None:
            longest_first = sorted(self._spellings, key=lambda value: (-len(value), value))
            self._pattern = re.compile("|".join(map(re.escape, longest_first)), re.IGNORECASE)
        return self._pattern.sub(HIDDEN, text)


def find_url_secrets(url: str) -> list[str]:
    """Name and password in an address, also as a proxy is given them, and all of its query."""
    before_query, _, query = url.partition("?")
    userinfo = before_query.rpartition("@")[0].rpartition("://")[2]
    name, _, password = userinfo.partition(":")
    told = f"{unquote(name)}:{unquote(password)}".encode()
    basic = [base64.b64encode(told).decode()] if userinfo else []
    return [name, password, *basic, *(value for _, value in parse_qsl(query))]


def redact_query(query: Mapping[str, str], secrets: Secrets) -> str:
    """A query as it may be shown; what is hidden joins the `secrets`."""
    secrets.add(v for k, v in query.items() if k.lower() not in _SHOWN_PARAMETERS)
    shown = (f"{k}={v if k.lower() in _SHOWN_PARAMETERS else HIDDEN}" for k, v in query.items())
    return "&".join(shown)


def redact_headers(given: Mapping[str, str], secrets: Secrets) -> str:
    """Headers as they may be shown; cookies and passwords among them join the `secrets`."""
    for name, value in given.items():
        secrets.add(_secret_in(name.lower(), value))
    shown = [f"{k}: {v}" for k, v in given.items() if k.lower() in _SHOWN_HEADERS]
    rest = ", ".join(name for name in given if name.lower() not in _SHOWN_HEADERS)
    return "; ".join([*shown, f"hidden: {rest}"] if rest else shown)


def _secret_in(name: str, value: str) -> list[str]:
    if name in ("authorization", "proxy-authorization"):
        return value.split()[-1:]
    if name in ("cookie", "set-cookie"):
        pairs = value.split(";")[: 1 if name == "set-cookie" else None]
        return [pair.partition("=")[2].strip() for pair in pairs]
    return []


LOGGER = logging.getLogger("tts_book.edge")

# A chunk of 1,500 characters with all that is around it.
MOST_BODY_CHARACTERS = 2_000
# Frames of sound share a line: for so long, and until none comes for a while.
SOUND_TOGETHER_S = 1.0
SOUND_GAP_S = 0.25
_ID_CHARACTERS = 8


@dataclass(slots=True)
class _Sound:
    """Frames of sound with the same headers, and when the first and the last came."""

    headers: str
    first_s: float
    last_s: float
    sizes: list[int] = field(default_factory=list)

    def goes_on(self, headers: str, now_s: float) -> bool:
        """Whether a frame that comes now shares their line."""
        recent = now_s - self.first_s < SOUND_TOGETHER_S and now_s - self.last_s < SOUND_GAP_S
        return recent and headers == self.headers

    def __str__(self) -> str:
        least, most, together = min(self.sizes), max(self.sizes), sum(self.sizes)
        each = f"{most:,}" if least == most else f"{least:,} to {most:,}"
        many = f" in each of {len(self.sizes)} frames, {together:,} together"
        return f"audio {each} bytes{many if len(self.sizes) > 1 else ''}"


def is_enabled() -> bool:
    """Whether anything is logged here."""
    return LOGGER.isEnabledFor(logging.DEBUG)


class WireLog:
    """The lines about one request. Nothing is built unless level DEBUG is enabled when the request
    begins. `secrets` are redacted."""

    def __init__(
        self,
        secrets: Callable[[], Secrets] = Secrets,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._enabled, self._clock = is_enabled(), clock
        self.secrets = secrets() if self._enabled else Secrets()
        self._id = ""
        self._began_s = clock()
        self._sound: _Sound | None = None

    def begin(self, request_id: str) -> None:
        """All lines from now on are about this request."""
        self._id, self._began_s, self._sound = request_id, self._clock(), None

    def note(self, text: str) -> None:
        """Logs one line, after all sound that came before."""
        if self._enabled:
            self._log_sound()
            self._log(text)

    def log_sent(self, frame: str) -> None:
        """Logs a frame that goes out."""
        if self._enabled:
            self.note(f"> {_text_frame(frame, '')}")

    def log_received(self, message: aiohttp.WSMessage) -> None:
        """Logs what came."""
        if not self._enabled:
            return
        if message.type is aiohttp.WSMsgType.BINARY:
            self._take_binary(message.data)
        elif message.type is aiohttp.WSMsgType.TEXT:
            line = f"< {_text_frame(message.data, self._id)}"
            # Marks come between the frames of sound and do not part them.
            (self._log if line.startswith("< audio.metadata ") else self.note)(line)
        elif message.type is aiohttp.WSMsgType.CLOSE:
            self.note(f"< close {message.data} {shorten(str(message.extra or 'without a reason'))}")
        else:
            what = f": {message.data}" if isinstance(message.data, BaseException) else ""
            self.note(f"the connection is {message.type.name.lower()}{what}")

    def _take_binary(self, message: bytes) -> None:
        frame, now_s = parse_binary_frame(message), self._clock()
        if frame is None:
            self.note(f"< {len(message):,} bytes that are no frame: {message[:16].hex(' ')} …")
            return
        headers = _bracketed(frame.headers.items(), self._id)
        if frame.path != "audio":
            self.note(f"< {frame.path} {len(frame.body):,} bytes {headers}")
            return
        if self._sound is None or not self._sound.goes_on(headers, now_s):
            self._log_sound()
            self._sound = _Sound(headers, now_s, now_s)
        self._sound.sizes.append(len(frame.body))
        self._sound.last_s = now_s

    def _log_sound(self) -> None:
        sound, self._sound = self._sound, None
        if sound is not None:
            since = f", the first at +{self._since_ms(sound.first_s)} ms"
            self._log(f"< {sound}{since if len(sound.sizes) > 1 else ''} {sound.headers}")

    def _log(self, text: str) -> None:
        about, since_ms = self._id[:_ID_CHARACTERS], self._since_ms(self._clock())
        LOGGER.debug("%s +%d ms %s", about or "-", since_ms, self.secrets.redact(text))

    def _since_ms(self, at_s: float) -> int:
        return round((at_s - self._began_s) * 1_000)


def _text_frame(frame: str, request_id: str) -> str:
    """Path, other headers and body of a text frame on one line."""
    head, _, body = frame.partition("\r\n\r\n")
    lines = [line.partition(":") for line in shorten(head, "\n").splitlines()]
    headers = [(name.strip(), value.strip()) for name, _, value in lines]
    path = next((value for name, value in headers if name.lower() == "path"), "(no path)")
    return f"{path} {_bracketed(headers, request_id)} {shorten(body)}".rstrip()


def _bracketed(headers: Iterable[tuple[str, str]], request_id: str) -> str:
    """Headers without the path, and without the id that the line begins with."""
    return f"[{'; '.join(f'{k}: {v}' for k, v in headers if not _is_said(k, v, request_id))}]"


def _is_said(name: str, value: str, request_id: str) -> bool:
    return name.lower() == "path" or (name.lower() == "x-requestid" and value == request_id)


def shorten(text: str, joint: str = "") -> str:
    """`text` without line breaks and the blanks around them; if it is long, its beginning and
    its length."""
    begun = text[: 2 * MOST_BODY_CHARACTERS]
    line = joint.join(part.strip() for part in begun.splitlines())
    if len(text) > len(begun) or len(line) > MOST_BODY_CHARACTERS:
        return f"{line[:MOST_BODY_CHARACTERS]} … ({len(text):,} characters in all)"
    return line


# aiohttp does not say to its watchers who asked for a WebSocket; they run in that context.
CURRENT_LOG: ContextVar[WireLog | None] = ContextVar("CURRENT_LOG", default=None)


def watch_requests() -> list[aiohttp.TraceConfig]:
    """For an aiohttp session: logs what it does for a request on the CURRENT_LOG."""
    if not is_enabled():
        return []
    config = aiohttp.TraceConfig()
    config.on_request_start.append(_asks)
    config.on_dns_resolvehost_end.append(_resolved)
    config.on_connection_create_end.append(_connected)
    config.on_request_end.append(_answered)
    return [config]


async def _asks(
    _session: aiohttp.ClientSession, _context: object, asked: aiohttp.TraceRequestStartParams
) -> None:
    if (log := CURRENT_LOG.get()) is not None:
        url = asked.url
        query = redact_query(url.query, log.secrets)
        head = redact_headers(asked.headers, log.secrets)
        log.note(f"> GET {url.scheme}://{url.host}:{url.port}{url.path}?{query} [{head}]")


async def _resolved(
    _session: aiohttp.ClientSession, _context: object, found: aiohttp.TraceDnsResolveHostEndParams
) -> None:
    if (log := CURRENT_LOG.get()) is not None:
        log.note(f"the address of {found.host} is found")


async def _connected(
    _session: aiohttp.ClientSession, _context: object, _: aiohttp.TraceConnectionCreateEndParams
) -> None:
    if (log := CURRENT_LOG.get()) is not None:
        log.note("connected")


async def _answered(
    _session: aiohttp.ClientSession, _context: object, answered: aiohttp.TraceRequestEndParams
) -> None:
    if (log := CURRENT_LOG.get()) is not None:
        answer = answered.response
        head = shorten(redact_headers(answer.headers, log.secrets))
        log.note(f"< {answer.status} {shorten(answer.reason or '')} [{head}]")
