"""Failures of the online service: what happened, what to do about it, and of which class it is.

Statuses and close codes of the service come first, then what aiohttp, edge-tts and ssl raise.
Foreign exceptions are looked up by name ("package.Class", then along their bases), so the table can
name classes that only some versions have. No text made here holds a token or a whole URL.
"""

from __future__ import annotations

import os
import re
import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC
from email.utils import parsedate_to_datetime

from tts_book.errors import (
    BackendError,
    BackendIncomplete,
    BackendRefused,
    BackendUnavailable,
    Failure,
)

_INCOMPLETE = (Failure.INCOMPLETE, Failure.NO_AUDIO)
_UNAVAILABLE = (Failure.TRANSIENT, Failure.OVERLOAD)

UPDATE = (
    "Update edge-tts (pip install -U edge-tts); where the region is blocked, use a VPN or "
    "--proxy URL."
)
NETWORK = "Check the network; where the service is blocked, use --proxy URL."
PROXY = "Check --proxy, HTTPS_PROXY and ALL_PROXY."
NO_SOUND = "Where it stays so, another voice, another network or --proxy URL may help."
LATER = "It is worth trying again."


@dataclass(frozen=True, slots=True)
class ServiceTrouble:
    """What happened, what to do about it, and of which class it is. `of_config`: perhaps not the
    text but the configuration sent before it was refused."""

    what: str
    fix: str = LATER
    failure: Failure = Failure.TRANSIENT
    retry_after_s: float | None = None
    stops_run: bool = False
    of_config: bool = False

    def error(self) -> BackendError:
        """It as an exception."""
        message = f"{self.what}. {self.fix}"
        if self.failure in _INCOMPLETE:
            return BackendIncomplete(message, self.failure)
        if self.failure in _UNAVAILABLE:
            return BackendUnavailable(
                message, self.failure, stops_run=self.stops_run, retry_after_s=self.retry_after_s
            )
        return BackendRefused(message, self.failure, stops_run=self.stops_run)


class Troubled(Exception):
    """Carries a `ServiceTrouble` within this package. `started`: the answer had begun."""

    def __init__(self, trouble: ServiceTrouble, *, started: bool = False) -> None:
        super().__init__(trouble.what)
        self.trouble = trouble
        self.started = started


class Foreign(Exception):
    """Stands for the exception of another library, whose own words may hold a whole address with
    its token: in a traceback, too, only this is to be seen."""


def foreign(error: BaseException, said: str) -> Foreign:
    """`error` by its name, what it `said` (without secrets), and where it was raised."""
    kind = type(error)
    told = f"{kind.__module__.partition('.')[0]}.{kind.__qualname__}: {said}"
    return Foreign(told.rstrip(": ")).with_traceback(error.__traceback__)


def plain(text: object, most: int = 160) -> str:
    """`text` of a stranger on one line, short, without addresses and long keys."""
    line = " ".join(str(text).split())
    line = re.sub(r"(?<!\w)\w+://\S+", "(address)", line)
    line = re.sub(r"[0-9A-Fa-f]{24,}", "(key)", line)
    line = "".join(c for c in line if c.isprintable())
    return line if len(line) <= most else line[: most - 1] + "…"


def retry_after(value: str | None, now_s: float) -> float | None:
    """Seconds that a Retry-After header asks for: a number, or a date against `now_s`."""
    if not value:
        return None
    if re.fullmatch(r" *[0-9]{1,9} *", value):
        return float(value)
    at = http_date(value)
    return None if at is None else max(0.0, at - now_s)


def http_date(value: str | None) -> float | None:
    """Unix time of an HTTP date; None where there is none to be read."""
    try:
        at = parsedate_to_datetime(value or "")
    except (TypeError, ValueError, OverflowError):
        return None
    return (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp()


def of_status(status: int, headers: Mapping[str, str] | None, now_s: float) -> ServiceTrouble:
    """An HTTP answer other than the one hoped for."""
    wait = retry_after((headers or {}).get("Retry-After"), now_s)
    told = f"The online service answered {status}"
    if status in (429, 503):
        what = f"{told} ({'too many requests' if status == 429 else 'overloaded'})"
        return ServiceTrouble(what, "Fewer requests at once may help.", Failure.OVERLOAD, wait)
    if status in (401, 403):
        what = f"{told}: it turns this program, this address or this region away"
        return ServiceTrouble(what, UPDATE, Failure.REFUSED, stops_run=True)
    if status == 407:
        what = "The proxy asks for a name and a password (407)"
        return ServiceTrouble(what, PROXY, Failure.MISCONFIGURED, stops_run=True)
    if status == 400:
        return ServiceTrouble(f"{told} (bad request)", UPDATE, Failure.BAD_REQUEST)
    if status in (408, 425) or status >= 500:
        return ServiceTrouble(told, retry_after_s=wait)
    if 400 < status < 500:
        what = f"{told}: the service has moved or changed"
        return ServiceTrouble(what, UPDATE, Failure.REFUSED, stops_run=True)
    what = f"A web page came instead of the online service (status {status})"
    return ServiceTrouble(what, "Check whether this network asks for a login first.")


@dataclass(frozen=True, slots=True)
class _Reason:
    pattern: re.Pattern[str]
    trouble: ServiceTrouble


# Reasons that the service has been seen to give; the first that fits decides.
_REASONS = (
    _Reason(
        re.compile(r"throttl|too many|quota|rate limit|exceeded the limit", re.I),
        ServiceTrouble("throttled", "Fewer requests at once may help.", Failure.OVERLOAD),
    ),
    _Reason(
        re.compile(r"maximum media duration", re.I),
        ServiceTrouble("too much sound for one request", "Send it in parts.", Failure.TOO_LONG),
    ),
    _Reason(
        re.compile(r"(unsupported|unknown|invalid) voice|voice .*not (found|supported)", re.I),
        ServiceTrouble(
            "unknown voice",
            "See tts-book voices for those that exist.",
            Failure.MISCONFIGURED,
            stops_run=True,
        ),
    ),
)

_ABOUT_TEXT = re.compile(r"ssml|entity|pars(e|ing)", re.I)


def of_close(code: int | None, reason: str, heard: str) -> ServiceTrouble:
    """A connection closed before the answer was complete. `heard` says how far it had come."""
    said = f' ("{plain(reason)}")' if reason else ""
    what = f"The online service closed the connection {heard}, code {code or 'none'}{said}"
    for known in _REASONS:
        if known.pattern.search(reason):
            known_as = known.trouble
            return ServiceTrouble(
                what, known_as.fix, known_as.failure, stops_run=known_as.stops_run
            )
    if code == 1013:
        return ServiceTrouble(what, failure=Failure.OVERLOAD)
    if code == 1009:
        return ServiceTrouble(what, "Send it in parts.", Failure.TOO_LONG)
    if code in (1003, 1007):
        of_config = not _ABOUT_TEXT.search(reason)
        fix = "The service cannot read this text."
        return ServiceTrouble(what, fix, Failure.BAD_REQUEST, of_config=of_config)
    return ServiceTrouble(what)


@dataclass(frozen=True, slots=True)
class ErrorContext:
    """What was being done when a foreign exception came: for the message, and its weight.

    `proxy` is host and port of the proxy in use, or "". `proven` is true once a connection
    worked: what fails after that is an accident, not a wrong setting.
    """

    stage: str = "talking to the online service"
    proxy: str = ""
    proven: bool = False
    now_s: float = 0.0


Rule = Callable[[BaseException, ErrorContext], ServiceTrouble]


def _dropped(_error: BaseException, where: ErrorContext) -> ServiceTrouble:
    return ServiceTrouble(f"The connection dropped while {where.stage}")


def _unreachable(error: BaseException, where: ErrorContext) -> ServiceTrouble:
    number, said = getattr(error, "errno", None), getattr(error, "strerror", "")
    why = os.strerror(number) if number and number > 0 else plain(said or type(error).__name__)
    return ServiceTrouble(f"The online service cannot be reached ({why})", NETWORK)


def _no_such_host(_error: BaseException, where: ErrorContext) -> ServiceTrouble:
    return ServiceTrouble("The name of the online service cannot be looked up (DNS)", NETWORK)


def _too_slow(_error: BaseException, where: ErrorContext) -> ServiceTrouble:
    return ServiceTrouble(f"No answer in time while {where.stage}", NETWORK)


def _by_status(error: BaseException, where: ErrorContext) -> ServiceTrouble:
    headers: Mapping[str, str] | None = getattr(error, "headers", None)
    return of_status(int(getattr(error, "status", 0)), headers, where.now_s)


def _by_proxy(error: BaseException, where: ErrorContext) -> ServiceTrouble:
    status = int(getattr(error, "status", 0))
    if status == 407 or status in (400, 401, 403, 404, 405):
        what = (
            "The proxy asks for a name and a password (407)"
            if status == 407
            else f"The proxy refuses to connect to the online service (status {status})"
        )
        return ServiceTrouble(what, PROXY, Failure.MISCONFIGURED, stops_run=True)
    return ServiceTrouble(
        f"The proxy could not connect to the online service (status {status})", PROXY
    )


# Reply codes of SOCKS5: the rules of the proxy, a command or an address that it does not know.
_SOCKS_REFUSES = {2: "its rules", 7: "command", 8: "kind of address"}
_SOCKS_FAILS = {1: "general failure", 3: "network unreachable", 4: "host unreachable"}
_SOCKS_FAILS |= {5: "connection refused", 6: "no answer in time"}


def _by_socks(error: BaseException, where: ErrorContext) -> ServiceTrouble:
    code, said = getattr(error, "error_code", None), str(error).lower()
    if "authentication" in said:
        what = f"The proxy {where.proxy} does not accept the name and password, or asks for them"
        return ServiceTrouble(what, PROXY, Failure.MISCONFIGURED, stops_run=True)
    if code in _SOCKS_REFUSES:
        what = f"The proxy {where.proxy} refuses to connect ({_SOCKS_REFUSES[code]})"
        return ServiceTrouble(what, PROXY, Failure.MISCONFIGURED, stops_run=True)
    if code is None and not where.proven:
        what = f"{where.proxy} does not answer as a SOCKS proxy of this kind"
        return ServiceTrouble(what, PROXY, Failure.MISCONFIGURED, stops_run=True)
    why = _SOCKS_FAILS.get(code or 0, plain(error))
    return ServiceTrouble(f"The proxy {where.proxy} could not connect ({why})", PROXY)


def _no_proxy(_error: BaseException, where: ErrorContext) -> ServiceTrouble:
    what = f"The proxy {where.proxy or 'in use'} cannot be reached"
    if where.proven:
        return ServiceTrouble(what, PROXY)
    return ServiceTrouble(what, PROXY, Failure.MISCONFIGURED, stops_run=True)


def _bad_certificate(error: BaseException, where: ErrorContext) -> ServiceTrouble:
    cause = getattr(error, "certificate_error", error)
    why = plain(getattr(cause, "verify_message", "") or "not trusted")
    fix = "Check the clock; where a proxy or firewall signs, set SSL_CERT_FILE to its bundle."
    what = f"The certificate of the online service is not accepted ({why})"
    return ServiceTrouble(what, fix, Failure.MISCONFIGURED, stops_run=True)


def _bad_tls(error: BaseException, where: ErrorContext) -> ServiceTrouble:
    inner = getattr(error, "os_error", error)
    if isinstance(inner, ssl.SSLCertVerificationError):
        return _bad_certificate(inner, where)
    why = str(getattr(inner, "reason", "") or "")
    if where.proven or isinstance(inner, ssl.SSLEOFError) or "EOF" in why or not why:
        return ServiceTrouble("The encrypted connection broke off (TLS)", NETWORK)
    what = f"No encrypted connection to the online service (TLS: {plain(why)})"
    return ServiceTrouble(what, PROXY, Failure.MISCONFIGURED, stops_run=True)


def _os_error(error: BaseException, where: ErrorContext) -> ServiceTrouble:
    inner = getattr(error, "os_error", error)
    if inner is not error and isinstance(inner, BaseException):
        return translate_error(inner, where)
    return _unreachable(error, where)


def _bad_address(_error: BaseException, where: ErrorContext) -> ServiceTrouble:
    what = "An address of the online service or the proxy is not a proper URL"
    fix = "Check TTS_BOOK_EDGE_URL, TTS_BOOK_EDGE_VOICES_URL and the proxy."
    return ServiceTrouble(what, fix, Failure.MISCONFIGURED, stops_run=True)


def _garbled(error: BaseException, where: ErrorContext) -> ServiceTrouble:
    return ServiceTrouble(f"The online service sent what cannot be read while {where.stage}")


def _too_new(_error: BaseException, where: ErrorContext) -> ServiceTrouble:
    return ServiceTrouble("edge-tts does not understand the service", UPDATE, Failure.REFUSED)


def _silent(_error: BaseException, where: ErrorContext) -> ServiceTrouble:
    return ServiceTrouble("The answer held no sound", failure=Failure.NO_AUDIO)


TABLE: dict[str, Rule] = {
    "aiohttp.ClientConnectorCertificateError": _bad_certificate,
    "aiohttp.ClientConnectorDNSError": _no_such_host,
    "aiohttp.ClientConnectorError": _os_error,
    "aiohttp.ClientConnectorSSLError": _bad_tls,
    "aiohttp.ClientConnectionError": _dropped,
    "aiohttp.ClientConnectionResetError": _dropped,
    "aiohttp.ClientError": _dropped,
    "aiohttp.ClientHttpProxyError": _by_proxy,
    "aiohttp.ClientOSError": _dropped,
    "aiohttp.ClientPayloadError": _dropped,
    "aiohttp.ClientProxyConnectionError": _no_proxy,
    "aiohttp.ClientResponseError": _by_status,
    "aiohttp.ClientSSLError": _bad_tls,
    "aiohttp.ConnectionTimeoutError": _too_slow,
    "aiohttp.ContentTypeError": _by_status,
    "aiohttp.InvalidURL": _bad_address,
    "aiohttp.InvalidUrlClientError": _bad_address,
    "aiohttp.InvalidUrlRedirectClientError": _garbled,
    "aiohttp.NonHttpUrlClientError": _bad_address,
    "aiohttp.NonHttpUrlRedirectClientError": _garbled,
    "aiohttp.RedirectClientError": _garbled,
    "aiohttp.ServerConnectionError": _dropped,
    "aiohttp.ServerDisconnectedError": _dropped,
    "aiohttp.ServerFingerprintMismatch": _bad_certificate,
    "aiohttp.ServerTimeoutError": _too_slow,
    "aiohttp.SocketTimeoutError": _too_slow,
    "aiohttp.TooManyRedirects": _by_status,
    "aiohttp.UnixClientConnectorError": _unreachable,
    "aiohttp.UploadAbortedError": _dropped,
    "aiohttp.WSMessageTypeError": _garbled,
    "aiohttp.WSServerHandshakeError": _by_status,
    "aiohttp.WSHandshakeError": _garbled,
    "aiohttp.WebSocketError": _garbled,
    "edge_tts.EdgeTTSException": _too_new,
    "edge_tts.NoAudioReceived": _silent,
    "edge_tts.SkewAdjustmentError": _too_new,
    "edge_tts.UnexpectedResponse": _too_new,
    "edge_tts.UnknownResponse": _too_new,
    "edge_tts.WebSocketError": _dropped,
    "ssl.SSLCertVerificationError": _bad_certificate,
    "ssl.SSLError": _bad_tls,
    "socket.gaierror": _no_such_host,
    "aiohttp_socks.ProxyConnectionError": _no_proxy,
    "aiohttp_socks.ProxyError": _by_socks,
    "aiohttp_socks.ProxyTimeoutError": _too_slow,
    "asyncio.IncompleteReadError": _by_socks,
    "builtins.TimeoutError": _too_slow,
    "builtins.ConnectionResetError": _dropped,
    "builtins.BrokenPipeError": _dropped,
    "builtins.OSError": _unreachable,
}


def find_rule(kind: type[BaseException]) -> Rule | None:
    """The rule for exactly this class, not for its bases."""
    return TABLE.get(f"{kind.__module__.partition('.')[0]}.{kind.__name__}")


def translate_error(error: BaseException, where: ErrorContext) -> ServiceTrouble:
    """A foreign exception as ours: the rule of its class, else of its nearest base."""
    for kind in type(error).__mro__:
        rule = find_rule(kind)
        if rule is not None:
            return rule(error, where)
    return ServiceTrouble(f"{type(error).__name__} while {where.stage}")
