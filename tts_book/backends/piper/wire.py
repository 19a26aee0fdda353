"""HTTP for the voice store: ranges, proxies, certificates; every failure becomes `Dropped`."""

from __future__ import annotations

import re
import ssl
from http.client import HTTPException, HTTPResponse
from types import TracebackType
from typing import Self
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit
from urllib.request import HTTPSHandler, OpenerDirector, ProxyHandler, Request, build_opener

from tts_book.errors import UserError

_TIMEOUT_S = 30.0
_LONGEST_TEXT_BYTES = 32 << 20
_RANGE = re.compile(r"bytes (\d+)-")
_HEALING = frozenset({408, 416, 425, 429, 500, 502, 503, 504})


class Dropped(Exception):
    """The store did not send what was asked for. `final`: another try would not help."""

    def __init__(self, message: str, *, final: bool = False) -> None:
        super().__init__(message)
        self.final = final


class Reply:
    """A body that begins at byte `start` of the file; a context manager that closes it."""

    def __init__(self, response: HTTPResponse, url: str) -> None:
        self._response = response
        self._url = url
        where = _RANGE.match(response.headers.get("Content-Range", ""))
        self.start = int(where[1]) if response.status == 206 and where else 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Lets go of the connection."""
        self._response.close()

    def read(self, most_bytes: int) -> bytes:
        """The next bytes; none at the end. Raises Dropped."""
        try:
            return self._response.read(most_bytes)
        except (OSError, HTTPException) as error:
            raise Dropped(f"{self._url}: {_reason(error)}") from error


class Wire:
    """Gets files over HTTP. Certificates are those of the system and of certifi together."""

    def __init__(self, opener: OpenerDirector, timeout_s: float = _TIMEOUT_S) -> None:
        self._opener = opener
        self._timeout_s = timeout_s

    def get(self, url: str, start: int = 0) -> Reply:
        """The file from byte `start`; a server that knows no ranges sends it from its beginning,
        as `Reply.start` tells. Raises Dropped."""
        headers = {"User-Agent": "tts-book", "Accept-Encoding": "identity"}
        if start:
            headers["Range"] = f"bytes={start}-"
        try:
            response = self._opener.open(Request(url, headers=headers), timeout=self._timeout_s)
        except HTTPError as error:
            error.close()
            raise Dropped(
                f"{url}: HTTP {error.code} {error.reason}", final=error.code not in _HEALING
            ) from error
        except (OSError, HTTPException) as error:
            final = isinstance(getattr(error, "reason", error), ssl.SSLCertVerificationError)
            raise Dropped(f"{url}: {_reason(error)}", final=final) from error
        reply = Reply(response, url)
        if reply.start not in (0, start):
            reply.close()
            raise Dropped(f"{url}: another part came than was asked for", final=True)
        return reply

    def text(self, url: str) -> str:
        """A small UTF-8 file as a whole. Raises Dropped."""
        with self.get(url) as reply:
            data = b""
            while block := reply.read(_LONGEST_TEXT_BYTES):
                data += block
                if len(data) > _LONGEST_TEXT_BYTES:
                    raise Dropped(f"{url} is far too long", final=True)
        return data.decode("utf-8", "replace")


def _reason(error: Exception) -> str:
    reason = error.reason if isinstance(error, URLError) else error
    return str(reason).strip() or type(reason).__name__


def wire(proxy: str = "") -> Wire:
    """Through `proxy` (a URL), or where it is "" through the system's own. Raises UserError for a
    proxy that HTTP cannot use."""
    if proxy and urlsplit(proxy).scheme not in ("http", "https"):
        host = proxy.rpartition("@")[2]  # without its password
        raise UserError(f'Voices cannot be fetched through the proxy "{host}": give an http one.')
    proxies = {"http": proxy, "https": proxy} if proxy else None
    context = ssl.create_default_context()
    context.load_verify_locations(_certifi())
    return Wire(build_opener(ProxyHandler(proxies), HTTPSHandler(context=context)))


def _certifi() -> str:
    import certifi

    return certifi.where()
