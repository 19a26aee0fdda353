"""Large files from the network: whole and checked, or not at all.

What has come is kept in a `.part` file and resumed where it stopped, and a file is given out only
when its size and checksum are right. Nothing is downloaded but what a user asked for by name.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import ssl
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from http.client import HTTPException, HTTPResponse
from pathlib import Path
from typing import BinaryIO
from urllib.error import HTTPError, URLError
from urllib.parse import quote, urlsplit
from urllib.request import HTTPSHandler, OpenerDirector, ProxyHandler, Request, build_opener

from tts_book.backends.network import make_tls_context
from tts_book.errors import BackendUnavailable, Failure, UserError

_TIMEOUT_S = 30.0
_RESUMES = "Partial downloads are kept; the same command resumes them."
_NO_NETWORK = "Check the network, or name a proxy, then run the same command again."
_LONGEST_TEXT_BYTES = 32 << 20
_RANGE = re.compile(r"bytes (\d+)-")
_PASSING = frozenset({408, 416, 425, 429, 500, 502, 503, 504})


class Dropped(Exception):
    """The store did not send what was asked for. `final`: another try would not help."""

    def __init__(self, message: str, *, final: bool = False) -> None:
        super().__init__(message)
        self.final = final


class DownloadReply:
    """A body that begins at byte `start` of the file; close it."""

    def __init__(self, response: HTTPResponse, url: str) -> None:
        self._response = response
        self._url = url
        where = _RANGE.match(response.headers.get("Content-Range", ""))
        self.start = int(where[1]) if response.status == 206 and where else 0

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
    """Gets files over HTTP."""

    def __init__(self, opener: OpenerDirector, timeout_s: float = _TIMEOUT_S) -> None:
        self._opener = opener
        self._timeout_s = timeout_s

    def get(self, url: str, start: int = 0) -> DownloadReply:
        """The file from byte `start`; a server that knows no ranges sends it from its beginning,
        as `DownloadReply.start` says. Raises Dropped."""
        headers = {"User-Agent": "tts-book", "Accept-Encoding": "identity"}
        if start:
            headers["Range"] = f"bytes={start}-"
        try:
            response = self._opener.open(Request(url, headers=headers), timeout=self._timeout_s)
        except HTTPError as error:
            error.close()
            raise Dropped(
                f"{url}: HTTP {error.code} {error.reason}", final=error.code not in _PASSING
            ) from error
        except (OSError, HTTPException) as error:
            final = isinstance(getattr(error, "reason", error), ssl.SSLCertVerificationError)
            raise Dropped(f"{url}: {_reason(error)}", final=final) from error
        reply = DownloadReply(response, url)
        if reply.start not in (0, start):
            reply.close()
            raise Dropped(f"{url}: the server sent another part than was requested", final=True)
        return reply

    def text(self, url: str) -> str:
        """A small UTF-8 file as a whole. Raises Dropped."""
        with closing(self.get(url)) as reply:
            data = b""
            while block := reply.read(_LONGEST_TEXT_BYTES):
                data += block
                if len(data) > _LONGEST_TEXT_BYTES:
                    raise Dropped(f"{url} is far too long", final=True)
        return data.decode("utf-8", "replace")


def _reason(error: Exception) -> str:
    reason = error.reason if isinstance(error, URLError) else error
    words = getattr(reason, "strerror", None) or str(reason)
    return str(words).strip() or type(reason).__name__


def open_wire(environ: Mapping[str, str], proxy: str = "") -> Wire:
    """Through `proxy` (a URL), or where it is "" through the system's own. Raises UserError for a
    proxy that HTTP cannot use, and for certificates that cannot be read."""
    if proxy and urlsplit(proxy).scheme not in ("http", "https"):
        host = proxy.rpartition("@")[2]  # without its password
        raise UserError(f'Nothing can be fetched through the proxy "{host}": give an http one.')
    proxies = {"http": proxy, "https": proxy} if proxy else None
    secure = HTTPSHandler(context=make_tls_context(environ))
    return Wire(build_opener(ProxyHandler(proxies), secure))


def find_store_url(environ: Mapping[str, str], variable: str, default: str) -> str:
    """The address of a store: `$variable`, or the official one. Raises UserError for an address
    that is not HTTP's."""
    url = environ.get(variable, "").strip() or default
    if not url.startswith(("http://", "https://")):
        raise UserError(f'{variable} is "{url}": give an address with https:// before it.')
    return url


@contextmanager
def report_unwritable(folder: Path) -> Iterator[None]:
    """Raises UserError where the disk does not take what is downloaded into `folder`."""
    try:
        yield
    except OSError as error:
        raise UserError(
            f"Cannot write to {folder}: {error.strerror or error}. {_RESUMES}"
        ) from error


_WAITS_S = (1.0, 2.0, 4.0, 8.0)
# Less than this in one try counts as no progress.
_PROGRESS_BYTES = 1 << 16
_READ_BYTES = 1 << 18
_SPARE_BYTES = 1 << 20

OnProgress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class RemoteFile:
    """A file of a store: `path` relative to its address, and what it must be in the end."""

    path: str
    size_bytes: int
    algorithm: str
    """Of the checksum, as hashlib names it; or "git", for the SHA-1 of a file as git stores it."""

    checksum: str

    def is_whole(self, path: Path) -> bool:
        """Whether the file at `path` is this one."""
        if _size(path) != self.size_bytes:
            return False
        name = "sha1" if self.algorithm == "git" else self.algorithm
        digest = hashlib.new(name, usedforsecurity=False)
        if self.algorithm == "git":
            digest.update(f"blob {self.size_bytes}\0".encode())
        with path.open("rb") as file:
            while block := file.read(_READ_BYTES):
                digest.update(block)
        return digest.hexdigest() == self.checksum


def open_binary(path: Path, mode: str) -> BinaryIO:
    """A file for bytes."""
    return path.open(mode)  # type: ignore[return-value]  # modes here are binary


def free_bytes_of(folder: Path) -> int:
    """What the disk of a folder has left."""
    return shutil.disk_usage(folder).free


class Downloader:
    """Files at an address. `sleep`, `free_bytes` and `open_file` stand for clock and disk."""

    def __init__(
        self,
        wire: Wire,
        url: str,
        *,
        sleep: Callable[[float], None] = time.sleep,
        free_bytes: Callable[[Path], int] = free_bytes_of,
        open_file: Callable[[Path, str], BinaryIO] = open_binary,
    ) -> None:
        self._wire = wire
        self.url = url.rstrip("/") + "/"
        self._sleep = sleep
        self._free_bytes = free_bytes
        self._open_file = open_file

    def read_text(self, path: str) -> str:
        """A small text. Raises BackendUnavailable."""
        for wait_s in (*_WAITS_S, None):
            try:
                return self._wire.text(self._address(path))
            except Dropped as error:
                if error.final or wait_s is None:
                    fix = "" if error.final else _NO_NETWORK
                    raise unavailable(str(error), fix) from error
                self._sleep(wait_s)
        raise AssertionError("the last wait is None")

    def fetch_part(
        self, file: RemoteFile, target: Path, what: str, on_progress: OnProgress | None = None
    ) -> Path:
        """The file, whole and checked, in the `.part` file of `target`. `what` names it to the
        user. Raises UserError for a full disk, BackendUnavailable, OSError."""
        part, report = part_of(target), on_progress or _ignore
        resumed = _size(part) > 0
        self._complete(file, part, what, report)
        if file.is_whole(part):
            return part
        part.unlink()
        if resumed:
            # The beginning may have been of an older file, or of another try.
            self._complete(file, part, what, report)
            if file.is_whole(part):
                return part
            part.unlink()
        raise unavailable(
            f"{what} came damaged: its {file.algorithm.upper()} sum is not the one expected"
        )

    def _complete(self, file: RemoteFile, part: Path, what: str, on_progress: OnProgress) -> None:
        if _size(part) > file.size_bytes:
            part.unlink()
        missing = file.size_bytes - _size(part)
        free = self._free_bytes(part.parent)
        if free < missing + _SPARE_BYTES:
            raise UserError(
                f"{what} needs {missing / 1e6:.0f} MB more in {part.parent}, and "
                f"{free / 1e6:.0f} MB are free. Make room, or name another folder."
            )
        failures = 0
        while _size(part) < file.size_bytes:
            before = _size(part)
            try:
                self._take(file, part, what, on_progress)
            except Dropped as error:
                failures = 0 if _size(part) - before >= _PROGRESS_BYTES else failures + 1
                if error.final or failures > len(_WAITS_S):
                    raise unavailable(str(error)) from error
                self._sleep(_WAITS_S[max(failures - 1, 0)])

    def _take(self, file: RemoteFile, part: Path, what: str, on_progress: OnProgress) -> None:
        """One request: from where `part` stops to its end, or to where the connection drops."""
        with closing(self._wire.get(self._address(file.path), _size(part))) as reply:
            done = reply.start
            with self._open_file(part, "ab" if done else "wb") as target:
                while block := reply.read(_READ_BYTES):
                    done += len(block)
                    if done > file.size_bytes:
                        raise Dropped(f"{what} is longer than its index says", final=True)
                    target.write(block)
                    on_progress(done, file.size_bytes)
                target.flush()
                os.fsync(target.fileno())
        if done < file.size_bytes:
            raise Dropped(f"{what} stopped at {done} of {file.size_bytes} bytes")

    def _address(self, path: str) -> str:
        return self.url + quote(path)


def unavailable(what: str, fix: str = _RESUMES) -> BackendUnavailable:
    """The error for a store that does not send what it should."""
    return BackendUnavailable(f"{what}. {fix}".rstrip(), Failure.TRANSIENT)


def part_of(path: Path) -> Path:
    """Where a file lies as long as it is not whole."""
    return path.with_name(f"{path.name}.part")


def _ignore(done: int, total: int) -> None:
    pass


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0
