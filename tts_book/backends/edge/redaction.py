"""What must never be shown: tokens, cookies, passwords, in whatever spelling they come back."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable, Mapping
from urllib.parse import parse_qsl, quote, quote_plus, unquote, unquote_plus

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
