"""Failures of the online service: what happened, what to do about it, and of which class it is."""

from __future__ import annotations

import re
from collections.abc import Mapping
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
